/** Manifests as a person would write them: one document each, comments where something needs attention. */
import { Document, isNode, Scalar, visit } from 'yaml';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { resolvePlain } from '../manifests/yaml-scalars.ts';
import { visible } from '../manifests/wording.ts';

/** A Kubernetes object; its fields are written in the order that they have here. */
export type ManifestObject = Readonly<Record<string, unknown>>;

export interface Manifest {
  readonly object: ManifestObject;
  /** What stands before it, a line each. */
  readonly comments?: readonly string[];
  /** What stands before fields of it. */
  readonly notes?: readonly (readonly [path: FieldPath, comment: string])[];
}

/** The text of a file. Reading it gives the same objects, by the rules that Kubernetes reads YAML with. */
export function manifestsText(manifests: readonly Manifest[]): string {
  return manifests.map((manifest, i) => (i === 0 ? '' : '---\n') + manifestText(manifest)).join('');
}

function manifestText({ object, comments = [], notes = [] }: Manifest): string {
  const document = new Document(withoutUnset(object), { aliasDuplicateObjects: false });
  visit(document, { Scalar: (_, node) => quoteWhereNeeded(node) });
  if (comments.length > 0 && isNode(document.contents))
    document.contents.commentBefore = comments.map(comment).join('\n');
  for (const [path, note] of notes) {
    // A comment before the first field of a map belongs to the map.
    const pair = pairAt(document, path);
    if (pair) pair.commentBefore = comment(note);
  }
  return document.toString({ lineWidth: 0 });
}

/** In one line: nothing of it can become a field. */
function comment(text: string): string {
  return ` ${visible(text.replaceAll(/\s+/g, ' ').trim())}`;
}

/** A text that YAML 1.1 would read as something else is quoted (`yes`, `0644`, `1e3`). */
function quoteWhereNeeded(node: Scalar): void {
  const { value } = node;
  if (typeof value !== 'string') return;
  if (value === '<<' || resolvePlain(value) !== value) node.type = Scalar.QUOTE_DOUBLE;
  else if (/[^\n\t -~\u00a0-\ud7ff\ue000-\ufffd]/u.test(value) || /^\s|[\t ]\n|\n\s*\n$/.test(value))
    node.type = Scalar.QUOTE_DOUBLE;
}

function pairAt(document: Document, path: FieldPath): Scalar | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const name = path.at(-1);
  let key: Scalar | undefined;
  if (isNode(parent))
    visit(parent, {
      Pair: (_, pair, ancestors) => {
        if (ancestors.length === 1 && pair.key instanceof Scalar && pair.key.value === name) key = pair.key;
      },
    });
  return key;
}

/** Without fields that are undefined. */
function withoutUnset(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnset);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, withoutUnset(inner)]),
  );
}
