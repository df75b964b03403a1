/**
 * CustomResourceDefinition: a kind that a repository brings along. Source: Kubernetes,
 * apiextensions-apiserver/pkg/apis/apiextensions/v1/types.go.
 */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { atomic, atomicList, DnsSubdomain, listMap, NEVER, object } from './schema.ts';

export const CRD_API_VERSION = 'apiextensions.k8s.io/v1';

/** More of one thing in a definition than anybody has. */
const MOST = 64;
const list = <E extends z.ZodType>(entry: E): z.ZodArray<E> =>
  z.array(entry).max(MOST, `must have at most ${MOST} entries`);

/** RFC 1035: resources become parts of URLs and DNS names. */
const Dns1035Label = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(
    /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
    "must consist of lower case letters, digits and '-', start with a letter and end with a letter or digit",
  );
const KindWord = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(/^[A-Z][A-Za-z0-9]*$/, 'must be a word in CamelCase');

const Names = object({
  plural: Dns1035Label,
  singular: Dns1035Label.optional(),
  kind: KindWord,
  listKind: KindWord.optional(),
  shortNames: list(Dns1035Label).optional(),
  categories: list(Dns1035Label).optional(),
});

/** The value at the end of a simple JSON path: names alone, as in `.status.phase`. */
const PrinterColumn = object({
  name: z.string().min(1).max(MOST),
  type: z.enum(['integer', 'number', 'string', 'boolean', 'date']),
  format: z.string().optional(),
  description: z.string().optional(),
  priority: z.int().optional(),
  jsonPath: z.string().min(1).max(1024),
});

const Version = object({
  name: Dns1035Label,
  served: z.boolean(),
  storage: z.boolean(),
  deprecated: z.boolean().optional(),
  deprecationWarning: z.string().max(256).optional(),
  schema: object({ openAPIV3Schema: atomic(z.record(z.string(), z.unknown())) }),
  subresources: object({
    status: object({}).optional(),
    scale: object({
      specReplicasPath: z.string(),
      statusReplicasPath: z.string(),
      labelSelectorPath: z.string().optional(),
    }).optional(),
  }).optional(),
  additionalPrinterColumns: atomic(list(PrinterColumn)).optional(),
  selectableFields: atomicList(['jsonPath'], object({ jsonPath: z.string() })).optional(),
});

export const CustomResourceDefinitionManifest = object({
  apiVersion: z.literal(CRD_API_VERSION),
  kind: z.literal('CustomResourceDefinition'),
  metadata: ManifestMeta,
  spec: object(
    {
      group: DnsSubdomain.refine((group) => group.includes('.'), 'must be a DNS name with a dot'),
      names: Names,
      scope: z.enum(['Namespaced', 'Cluster']),
      versions: listMap(['name'], Version).min(1, 'must have at least one entry').max(MOST),
      /** Versions of a kind differ in their schemas alone: nobody here calls a webhook. */
      conversion: object({ strategy: z.literal('None') }, { webhook: NEVER }).optional(),
    },
    { preserveUnknownFields: [false] },
  ),
});

type Spec = z.infer<typeof CustomResourceDefinitionManifest>['spec'];
export type CustomResourceVersion = Spec['versions'][number];
export interface CustomResourceDefinition {
  readonly apiVersion: typeof CRD_API_VERSION;
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: {
    readonly conditions: readonly Condition[];
    readonly acceptedNames: Spec['names'];
    readonly storedVersions: readonly string[];
  };
}
export type StoredCustomResourceDefinition = CustomResourceDefinition & { readonly metadata: StoredMeta };
