/**
 * ConfigMap and Secret: their size, and the keys that a Secret's type promises. Source: Kubernetes, ValidateConfigMap
 * and ValidateSecret.
 */
import { readKey, type ConfigMap, type Secret } from '../../../../contracts/objects/index.ts';
import { isOpaque } from '../../secrets/opaque.ts';
import type { CheckContext } from './context.ts';

/** Bytes of all values together. */
const MAX_CONFIG_BYTES = 1024 * 1024;
const SERVICE_ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
const SERVICE_ACCOUNT_ANNOTATION = 'kubernetes.io/service-account.name';

/** The keys that a Secret of a type must have. `any`: one of them is enough. `json`: their values are JSON objects. */
const KEYS_OF_TYPE: Readonly<
  Record<
    string,
    { readonly keys: readonly string[]; readonly any?: true; readonly json?: true; readonly filled?: true }
  >
> = {
  'kubernetes.io/tls': { keys: ['tls.crt', 'tls.key'] },
  'kubernetes.io/dockercfg': { keys: ['.dockercfg'], json: true },
  'kubernetes.io/dockerconfigjson': { keys: ['.dockerconfigjson'], json: true },
  'kubernetes.io/basic-auth': { keys: ['username', 'password'], any: true },
  'kubernetes.io/ssh-auth': { keys: ['ssh-privatekey'], filled: true },
};

export function checkConfigMap({ data = {}, binaryData = {} }: ConfigMap, { error }: CheckContext): void {
  for (const key of Object.keys(binaryData)) {
    if (Object.hasOwn(data, key))
      error('DuplicateName', ['binaryData', key], 'is also a key of data', 'rename one of the two');
  }
  const bytes =
    sum(Object.values(data), (text) => Buffer.byteLength(text)) + sum(Object.values(binaryData), bytesOfBase64);
  if (bytes > MAX_CONFIG_BYTES)
    error(
      'InvalidValue',
      ['data'],
      `must have at most ${MAX_CONFIG_BYTES} bytes in all, found ${bytes}`,
      'split it into several ConfigMaps',
    );
}

export function checkSecret({ metadata, type, data }: Secret, { error, warning, has }: CheckContext): void {
  const bytes = sum(Object.values(data), bytesOfBase64);
  if (bytes > MAX_CONFIG_BYTES)
    error(
      'InvalidValue',
      ['data'],
      `must have at most ${MAX_CONFIG_BYTES} bytes in all, found ${bytes}`,
      'split it into several Secrets',
    );
  if (type === SERVICE_ACCOUNT_TOKEN) {
    if (!readKey(metadata.annotations, SERVICE_ACCOUNT_ANNOTATION))
      error(
        'MissingField',
        ['metadata', 'annotations', SERVICE_ACCOUNT_ANNOTATION],
        `is required when type is ${type}`,
      );
    else if (!readKey(data, 'token'))
      warning(
        'NotActedOn',
        ['type'],
        `is ${type}: nobody here fills in a token`,
        'have one in a projected volume, with a source serviceAccountToken',
      );
  }
  const rule = readKey(KEYS_OF_TYPE, type);
  if (!rule) return;
  const missing = rule.keys.filter((key) => (rule.filled ? !readKey(data, key) : !Object.hasOwn(data, key)));
  if (rule.any ? missing.length === rule.keys.length : missing.length > 0) {
    for (const key of missing) error('MissingField', ['data', key], `is required when type is ${type}`);
  }
  if (!rule.json) return;
  for (const key of rule.keys.filter((k) => Object.hasOwn(data, k))) {
    if (isOpaque(readKey(data, key) ?? '')) continue;
    if (!isJsonObject(Buffer.from(readKey(data, key) ?? '', 'base64').toString('utf8'))) {
      error(
        'InvalidValue',
        [has(['stringData', key]) ? 'stringData' : 'data', key],
        `must be a JSON object when type is ${type}`,
      );
    }
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
}

function bytesOfBase64(text: string): number {
  return Buffer.byteLength(text, 'base64');
}

function sum(texts: readonly string[], sizeOf: (text: string) => number): number {
  return texts.reduce((total, text) => total + sizeOf(text), 0);
}
