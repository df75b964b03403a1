/** YAML for `-o yaml`; a module of its own, so that it is loaded only then. */
import { Document, Scalar, visit } from 'yaml';
import { escaped, isUnsafe } from './terminal.ts';

/**
 * The data as YAML. What a terminal would act on is escaped, in double quotes: reading it again gives the same data.
 */
export function yamlText(data: unknown): string {
  const document = new Document(data, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && isUnsafe(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escaped(document.toString());
}
