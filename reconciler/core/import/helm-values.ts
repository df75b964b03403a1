/** Values of charts, put together as Helm does. Source: Helm, "Values Files". */
import { isObject, type JsonObject } from '../fields/json.ts';
import { readKey } from '../../../contracts/objects/index.ts';
import { plainOf, readLocated } from './located.ts';
import { Report } from './report.ts';
import { hasPassword } from './secret-names.ts';

/** Maps are merged, a null takes away, anything else replaces. */
export function mergedValues(base: JsonObject, over: JsonObject): JsonObject {
  const merged = new Map(Object.entries(base));
  for (const [name, value] of Object.entries(over)) {
    const before = merged.get(name);
    merged.set(name, isObject(before) && isObject(value) ? mergedValues(before, value) : value);
  }
  return Object.fromEntries(merged);
}

/** The values that a text has; undefined where it is none. */
export function valuesIn(text: string): JsonObject | undefined {
  const report = new Report();
  const [document] = readLocated('values.yaml', text, report);
  if (report.sorted().length > 0) return undefined;
  if (!document) return {};
  const plain = plainOf(document);
  return isObject(plain) ? plain : undefined;
}

/** `a.b[0].c=value`, as `--set` has it. `\.` is a dot in a name. */
export function withParameter(values: JsonObject, name: string, value: unknown): JsonObject {
  const steps = [...name.matchAll(/(?:\\.|[^.[\]\\])+|\[(\d{1,4})\]/g)].map((match) =>
    match[1] === undefined ? match[0].replaceAll(/\\(.)/g, '$1') : Number(match[1]),
  );
  if (steps.length === 0 || steps.length > 32) return values;
  const changed = placed(values, steps, value);
  return isObject(changed) ? changed : values;
}

function placed(at: unknown, [step, ...rest]: readonly (string | number)[], value: unknown): unknown {
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const items: unknown[] = Array.isArray(at) ? [...(at as unknown[])] : [];
    while (items.length < step && items.length < 1000) items.push(null);
    items[Math.min(step, items.length)] = placed(items[step], rest, value);
    return items;
  }
  const map = isObject(at) ? at : {};
  return Object.fromEntries([...new Map(Object.entries(map)).set(step, placed(readKey(map, step), rest, value))]);
}

/** A parameter's text as `--set` reads it. */
export function parameterValue(text: string, isText: boolean): unknown {
  if (isText) return text;
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

/** Names of values that are secret themselves, and no name of a Secret or of a key. */
const SECRET =
  /(?:password|passwd|passphrase|token|api_?key|private_?key|client_?secret|secret_?key|access_?key|credentials)$/i;
const MAX_DEPTH = 64;

export interface SecretValue {
  /** As `--set` names it. */
  readonly path: string;
}

/** The values without those that look secret, and where these were. What is to be replaced (`${...}`) or encrypted stays. */
export function withoutSecrets(values: JsonObject): {
  readonly values: JsonObject;
  readonly secrets: readonly SecretValue[];
} {
  const secrets: SecretValue[] = [];
  const without = (value: unknown, path: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) return value;
    if (Array.isArray(value)) return value.map((item, i) => without(item, `${path}[${i}]`, depth + 1));
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, inner]) => {
        const at = `${path === '' ? '' : `${path}.`}${name.replaceAll(/[.,\\[\]=]/g, '\\$&')}`;
        const isText = typeof inner === 'string' && inner !== '' && !/\$\{|^ENC\[/.test(inner);
        if (!isText || !(SECRET.test(name) || hasPassword(inner))) return [[name, without(inner, at, depth + 1)]];
        secrets.push({ path: at });
        return [];
      }),
    );
  };
  const left = without(values, '', 0);
  return { values: isObject(left) ? left : {}, secrets };
}
