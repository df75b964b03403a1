/** Secrets that outlive the store, as texts for the vault. */
import { FOR_CERT_MANAGER, NEXT_PRIVATE_KEY, type Secret } from '../../../contracts/objects/index.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

/** Certificates and keys of accounts that were made here: what Git has comes from Git again. */
export function isKept({ metadata: { labels = {}, annotations = {} } }: Secret): boolean {
  return (
    labels[FOR_CERT_MANAGER] === 'true' &&
    labels[NEXT_PRIVATE_KEY] === undefined &&
    annotations[SOURCE_ANNOTATION] === undefined
  );
}

export function keptName(namespace: string, name: string): string {
  return `secret/${namespace}/${name}`;
}

export function keptText({ metadata: { labels, annotations }, type, data }: Secret): string {
  return canonicalJson({ labels: labels ?? {}, annotations: annotations ?? {}, type, data });
}

/** Undefined for what is no such text. */
export function secretFrom(text: string, namespace: string, name: string): Secret | undefined {
  const kept = parsed(text);
  if (!kept) return undefined;
  const { labels, annotations, type, data } = kept;
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, type, data };
}

interface Kept {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly type: string;
  readonly data: Record<string, string>;
}

function parsed(text: string): Kept | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { labels, annotations, type, data } = value as Partial<Record<keyof Kept, unknown>>;
    if (!isTexts(labels) || !isTexts(annotations) || typeof type !== 'string' || !isTexts(data)) return undefined;
    return { labels, annotations, type, data };
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' && value !== null && Object.values(value).every((entry) => typeof entry === 'string')
  );
}
