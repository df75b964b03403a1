import { readKey } from '../../../contracts/objects/index.ts';

/** One text per value: object keys sorted, `undefined` members left out. Equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) {
    let items = '';
    for (const item of value) items += (items === '' ? '' : ',') + (item === undefined ? 'null' : canonicalJson(item));
    return `[${items}]`;
  }
  return canonicalObject(value, canonicalJson);
}

/** The same of an object whose members' texts are known to `textOf`. */
export function canonicalObject(object: object, textOf: (member: unknown) => string): string {
  let members = '';
  for (const name of Object.keys(object).sort()) {
    const member = readKey(object as Readonly<Record<string, unknown>>, name);
    if (member === undefined || typeof member === 'function') continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(name)}:${textOf(member)}`;
  }
  return `{${members}}`;
}
