/** YAML for `-o yaml`; a module of its own, so that it is loaded only then. */
import { stringify } from 'yaml';

export function yamlText(data: unknown): string {
  return stringify(data, { aliasDuplicateObjects: false });
}
