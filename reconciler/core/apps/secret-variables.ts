/**
 * Values of Secrets go into Secrets alone. Flux puts them wherever a variable stands; here an object of another kind would
 * show them in plans, in the store and to all who may read it.
 */
import { LineCounter } from 'yaml';
import { isObject } from '../fields/json.ts';
import { Findings } from '../manifests/findings.ts';
import { readYaml } from '../manifests/read-yaml.ts';
import type { DesiredObject, ParsedFile } from '../manifests/types.ts';
import { toValue } from '../manifests/yaml-tree.ts';
import { substitute, variablesIn, type Unsubstituted, type Variables } from './substitution.ts';

/**
 * What stands against a text that `secret` variables have become a part of; undefined where nothing does. Proved is what the
 * text means: with other values in their place, nothing but `data` and `stringData` of Secrets may be another. So no form of
 * the text and of a value (line ends, anchors, comments) is a way around it.
 */
export function exposedSecret(
  text: string,
  made: string,
  variables: Variables,
  secret: ReadonlySet<string>,
): Unsubstituted | undefined {
  if (secret.size === 0) return undefined;
  const used = variablesIn(text).filter(({ name }) => secret.has(name));
  const shown = publicPart(made);
  const isExposed = (names: ReadonlySet<string>): boolean => {
    const others = new Map([...variables].map(([name, value]) => [name, names.has(name) ? otherThan(value) : value]));
    const other = substitute(text, others, false, Infinity);
    if ('text' in other && other.text === made) return false;
    return shown === undefined || shown !== ('text' in other ? publicPart(other.text) : undefined);
  };
  if (used.length === 0 || !isExposed(secret)) return undefined;
  // One that is, by halves: each look reads the whole text.
  let suspects = used;
  while (suspects.length > 1) {
    const half = suspects.slice(0, suspects.length >> 1);
    suspects = isExposed(new Set(half.map((one) => one.name))) ? half : suspects.slice(half.length);
  }
  const { name, line } = suspects[0] ?? { name: '', line: 1 };
  return {
    line,
    code: 'SecretExposed',
    message: `the variable ${name} is of a Secret, and may stand in data and stringData of a Secret alone`,
  };
}

function otherThan(value: string): string {
  return value === 'x' ? 'y' : 'x';
}

/** All of the text but what Secrets keep; undefined where it cannot be read. */
function publicPart(text: string): string | undefined {
  const lines = new LineCounter();
  const documents = readYaml(text, lines, new Findings('', lines, text), 'YAML');
  if (documents.length === 0) return undefined;
  return JSON.stringify(
    documents.map(({ root }) => {
      const value = toValue(root);
      if (!isObject(value) || value['apiVersion'] !== 'v1' || value['kind'] !== 'Secret') return value;
      const { data: _data, stringData: _stringData, ...rest } = value;
      return rest;
    }),
  );
}

/** Stands for the value of a variable that nobody has opened. It is text, base64 and a part of JSON, as a value may be. */
export const UNOPENED = 'UnknownEncryptedValue000';
/** See `isOpaque`. */
const OPAQUE = Buffer.from('ENC[AES256_GCM,unknown]').toString('base64');

/**
 * The file with its Secrets as those that nobody has opened, where {@link UNOPENED} went into them: a live value is then
 * never overwritten by what is not known.
 */
export function withUnopened(file: ParsedFile): ParsedFile {
  return { ...file, objects: file.objects.map(withOpaqueData) };
}

function withOpaqueData(desired: DesiredObject): DesiredObject {
  if (desired.object.kind !== 'Secret') return desired;
  const { data } = desired.object;
  const isKnown = (value: string): boolean =>
    !value.includes(UNOPENED) && !Buffer.from(value, 'base64').toString('latin1').includes(UNOPENED);
  if (Object.values(data).every(isKnown)) return desired;
  const opaque = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, isKnown(value) ? value : OPAQUE]));
  return { ...desired, object: { ...desired.object, data: opaque }, written: { ...desired.written, data: opaque } };
}
