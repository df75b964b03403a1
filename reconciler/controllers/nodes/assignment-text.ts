/** The body of an assignment. What every node holds is sent to all of them: it is put into text once, not once for each. */
import type { AssignmentUpdate } from '../../../contracts/agent/index.ts';
import type { KubeObject } from '../../../contracts/objects/index.ts';

/**
 * Objects never change, so their text stays true. Kept from the second time on: most Pods go to one node, once. Lives as
 * long as the object does.
 */
const texts = new WeakMap<KubeObject, string | undefined>();

export function assignmentText({ epoch, node, from, to, upsert, remove }: AssignmentUpdate): string {
  const head = JSON.stringify({ epoch, node, from, to });
  return `${head.slice(0, -1)},"upsert":[${upsert.map(textOf).join(',')}],"remove":${JSON.stringify(remove)}}`;
}

function textOf(object: KubeObject): string {
  const known = texts.get(object);
  if (known !== undefined) return known;
  const text = JSON.stringify(object);
  texts.set(object, texts.has(object) ? text : undefined);
  return text;
}
