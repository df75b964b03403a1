/** Values that an App takes from ConfigMaps and Secrets of the same commit. */
import { DEFAULT_NAMESPACE, objectKey, readKey, type App, type ObjectKey } from '../../../contracts/objects/index.ts';
import type { DesiredObject, ParsedFile, Position } from '../manifests/types.ts';
import { isOpaque } from '../secrets/opaque.ts';
import { UNOPENED } from './secret-variables.ts';
import type { Variables } from './substitution.ts';

interface Found {
  readonly desired: DesiredObject;
  /** Whether its file has encrypted values. */
  readonly sealed: boolean;
}

/** The ConfigMaps and Secrets that plain files have, by key. */
export type ValueObjects = ReadonlyMap<ObjectKey, Found>;

export function valueObjects(plain: readonly ParsedFile[]): ValueObjects {
  return new Map(
    plain.flatMap(({ objects, sealed }) =>
      objects
        .filter(({ object: { kind } }) => kind === 'ConfigMap' || kind === 'Secret')
        .map((desired) => [desired.key, { desired, sealed: sealed !== undefined }] as const),
    ),
  );
}

/** What stands against taking the values. */
export interface NoValue {
  readonly at: Position;
  readonly message: string;
  readonly hint: string;
}

type At = (...path: (string | number)[]) => Position;

/** What `spec.substitute` gives. */
export interface AppVariables {
  readonly values: Variables;
  /** Names of those whose value is of a Secret. */
  readonly secret: ReadonlySet<string>;
  /** Whether {@link UNOPENED} stands for one of them. */
  readonly hasUnopened: boolean;
}

/** The variables of `spec.substitute`: later objects win, and its own values over all. */
export function variablesOf({ spec }: App, objects: ValueObjects, at: At): AppVariables | NoValue {
  const values = new Map<string, string>();
  const secret = new Set<string>();
  for (const [i, { kind, name, optional }] of (spec.substitute?.from ?? []).entries()) {
    const found = objects.get(objectKey(kind, spec.namespace ?? DEFAULT_NAMESPACE, name));
    if (!found && !optional) return missing(kind, name, at('spec', 'substitute', 'from', i, 'name'));
    for (const [key, value] of found ? textsOf(found.desired) : []) {
      values.set(key, value);
      if (kind === 'Secret') secret.add(key);
      else secret.delete(key);
    }
  }
  for (const [key, value] of Object.entries(spec.substitute?.values ?? {})) {
    values.set(key, value);
    secret.delete(key);
  }
  return { values, secret, hasUnopened: [...values.values()].includes(UNOPENED) };
}

/** The texts of `spec.helm.valuesFrom`, each YAML of a map of values. */
export function helmValuesOf({ spec }: App, objects: ValueObjects, at: At): readonly string[] | NoValue {
  const texts: string[] = [];
  for (const [i, { kind, name, valuesKey, targetPath, optional }] of (spec.helm?.valuesFrom ?? []).entries()) {
    const place = at('spec', 'helm', 'valuesFrom', i, 'name');
    const found = objects.get(objectKey(kind, spec.namespace ?? DEFAULT_NAMESPACE, name));
    if (found?.sealed === true && kind === 'Secret')
      return {
        at: place,
        message: `Secret ${name} is encrypted, and what is decrypted is given to no engine`,
        hint: 'let the chart name the Secret, as most charts can (existingSecret)',
      };
    const value = found && new Map(textsOf(found.desired)).get(valuesKey);
    if (value !== undefined) texts.push(targetPath === undefined ? value : JSON.stringify(nested(targetPath, value)));
    else if (!optional)
      return found
        ? { at: place, message: `${kind} ${name} has no key ${valuesKey}`, hint: 'name another valuesKey' }
        : missing(kind, name, place);
  }
  return texts;
}

function missing(kind: string, name: string, at: Position): NoValue {
  return {
    at,
    message: `${kind} ${name} is in no manifest of the App's namespace`,
    hint: 'commit it as plain YAML, or set optional: true',
  };
}

/** Keys and values; {@link UNOPENED} stands for one that is encrypted. */
export function textsOf({ object }: DesiredObject): [string, string][] {
  if (object.kind === 'ConfigMap') return Object.entries(object.data ?? {});
  if (object.kind !== 'Secret') return [];
  return Object.entries(object.data ?? {}).map(([key, value]) => [
    key,
    isOpaque(value) ? UNOPENED : Buffer.from(value, 'base64').toString('utf8'),
  ]);
}

/** `a.b` with a value of the type that its text has in YAML; `a\.b` is one name. Source: Flux, HelmRelease API v2. */
function nested(path: string, text: string): unknown {
  const value = /^(true|false|-?(0|[1-9]\d{0,14}))$/.test(text) ? (JSON.parse(text) as unknown) : text;
  return path
    .split(/(?<!\\)\./)
    .map((name) => name.replaceAll('\\.', '.'))
    .reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value);
}

export function isNoValue(found: object): found is NoValue {
  return readKey(found as Record<string, unknown>, 'hint') !== undefined;
}
