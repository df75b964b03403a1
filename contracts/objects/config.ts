/** Namespace, ConfigMap, Secret and ServiceAccount. Source: Kubernetes v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { atomicList, DnsSubdomain, object, readAs, unset } from './schema.ts';

export const NamespaceManifest = object(
  { apiVersion: z.literal('v1'), kind: z.literal('Namespace'), metadata: ManifestMeta },
  { spec: [{}, { finalizers: ['kubernetes'] }] },
);
export interface Namespace {
  readonly apiVersion: 'v1';
  readonly kind: 'Namespace';
  readonly metadata: ObjectMeta;
  readonly status?: { readonly phase: 'Active' | 'Terminating' };
}
export type StoredNamespace = Namespace & { readonly metadata: StoredMeta };

/**
 * Source: Kubernetes, IsConfigMapKey: a key is the name of a file, and neither one that a folder has nor one that a
 * volume keeps its versions in.
 */
export const DataKey = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/, "must consist of letters, digits, '-', '_' and '.'")
  .regex(/^(?!\.$|\.\.)/, "must not be '.' or start with '..'");
/**
 * RFC 4648 with white space allowed, checked without backtracking: manifests come from strangers. `plain`: where plain
 * text goes.
 */
const base64 = (plain: string): z.ZodType<string, string> =>
  z.string().refine((text) => {
    const digits = text.replace(/\s+/g, '');
    return digits.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(digits);
  }, `must be base64; use ${plain} for plain text`);

export const ConfigMapManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: ManifestMeta,
  data: z.record(DataKey, z.string()).optional(),
  binaryData: z.record(DataKey, base64('data')).optional(),
  immutable: z.boolean().optional(),
});
export interface ConfigMap {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly metadata: ObjectMeta;
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
  readonly immutable?: boolean | undefined;
}
export type StoredConfigMap = ConfigMap & { readonly metadata: StoredMeta };

/** `stringData` is folded into `data` (base64) when the manifest is read, as the Kubernetes API server does. */
export const SecretManifest = readAs(
  { stringData: 'data' },
  object({
    apiVersion: z.literal('v1'),
    kind: z.literal('Secret'),
    metadata: ManifestMeta,
    type: unset('', z.string().default('Opaque')),
    data: z.record(DataKey, base64('stringData')).optional(),
    stringData: z.record(DataKey, z.string()).optional(),
    immutable: z.boolean().optional(),
  }),
).transform(({ stringData, data, ...rest }) => ({
  ...rest,
  data: {
    ...data,
    ...Object.fromEntries(
      Object.entries(stringData ?? {}).map(([key, text]) => [key, Buffer.from(text, 'utf8').toString('base64')]),
    ),
  },
}));
export interface Secret {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: ObjectMeta;
  readonly type: string;
  /** Base64 values. In Redis this field is sealed; on a node it is kept in memory-backed storage only. */
  readonly data: Readonly<Record<string, string>>;
  readonly immutable?: boolean | undefined;
}
export type StoredSecret = Secret & { readonly metadata: StoredMeta };

/** Whom pods go by. No pod gets a token that it does not ask for, so what is said of that is not kept. */
export const ServiceAccountManifest = object(
  {
    apiVersion: z.literal('v1'),
    kind: z.literal('ServiceAccount'),
    metadata: ManifestMeta,
    /** Secrets for the pods that name none themselves. */
    imagePullSecrets: atomicList(['name'], object({ name: DnsSubdomain })).optional(),
  },
  {
    automountServiceAccountToken: [true, false],
    secrets: 'anything',
  },
);
export interface ServiceAccount {
  readonly apiVersion: 'v1';
  readonly kind: 'ServiceAccount';
  readonly metadata: ObjectMeta;
  readonly imagePullSecrets?: readonly { readonly name: string }[] | undefined;
}
export type StoredServiceAccount = ServiceAccount & { readonly metadata: StoredMeta };
