/** What every object carries. Source: Kubernetes API conventions, "Metadata". */
import { z } from 'zod';
import { CRD_FINALIZER, FOREGROUND_FINALIZER, NAMESPACE_FINALIZER, ORPHAN_FINALIZER } from './finalizers.ts';
import {
  Annotations,
  atomic,
  DnsSubdomain,
  Labels,
  listMap,
  listSet,
  NEVER,
  object,
  QualifiedName,
  Seconds,
  Timestamp,
  unset,
  type NotYet,
} from './schema.ts';

export const OwnerReference = atomic(
  object({
    apiVersion: z.string(),
    kind: z.string(),
    name: z.string(),
    uid: z.string(),
    controller: z.boolean().optional(),
    blockOwnerDeletion: z.boolean().optional(),
  }),
);
export type OwnerReference = z.infer<typeof OwnerReference>;

/** Names that stand without a domain. Source: Kubernetes, IsStandardFinalizerName. */
const STANDARD_FINALIZERS: readonly string[] = [NAMESPACE_FINALIZER, FOREGROUND_FINALIZER, ORPHAN_FINALIZER];
/** Far more than anybody has; Kubernetes bounds the object alone. */
const MAX_FINALIZERS = 64;

/**
 * Who has to do something before an object can go. Source: Kubernetes, ValidateFinalizerName of apis/core/validation.
 */
export const Finalizers = z
  .array(
    QualifiedName.refine(
      (name) => name.includes('/') || STANDARD_FINALIZERS.includes(name) || name === CRD_FINALIZER,
      `must have a domain in front (example.com/name), or be one of ${STANDARD_FINALIZERS.join(', ')}`,
    ),
  )
  .max(MAX_FINALIZERS, `must be no more than ${MAX_FINALIZERS}`)
  .refine(
    (names) => !(names.includes(ORPHAN_FINALIZER) && names.includes(FOREGROUND_FINALIZER)),
    `cannot have both ${ORPHAN_FINALIZER} and ${FOREGROUND_FINALIZER}, which contradict one another`,
  );

/** Fields of an object as a tree; see reconciler/core/fields. */
export interface FieldsV1 {
  readonly [element: string]: FieldsV1;
}
const FieldsV1: z.ZodType<FieldsV1> = z.lazy(() => z.record(z.string(), FieldsV1));

const ManagedFieldsEntry = object({
  manager: z.string(),
  operation: z.literal('Update'),
  apiVersion: z.string(),
  time: Timestamp,
  fieldsType: z.literal('FieldsV1'),
  fieldsV1: FieldsV1,
});
export type ManagedFieldsEntry = z.infer<typeof ManagedFieldsEntry>;

/** Metadata as the store and the wire carry it. */
export const ObjectMeta = object({
  name: DnsSubdomain,
  namespace: DnsSubdomain.optional(),
  labels: Labels.optional(),
  annotations: Annotations.optional(),
  uid: z.string().optional(),
  /** Decimal digits; opaque to everyone but the store, which orders by it. */
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: Timestamp.optional(),
  deletionTimestamp: Timestamp.optional(),
  deletionGracePeriodSeconds: Seconds.optional(),
  ownerReferences: listMap(['uid'], OwnerReference).optional(),
  /** Who but Git set which field of an object that comes from Git. */
  managedFields: z.array(ManagedFieldsEntry).readonly().optional(),
  finalizers: listSet(z.string()).optional(),
});
export type ObjectMeta = z.infer<typeof ObjectMeta>;

const SERVER_FIELDS: NotYet = {
  generateName: [''],
  ownerReferences: [[]],
  uid: [''],
  resourceVersion: [''],
  // What a server writes over, whatever a manifest says. Source: Kubernetes, BeforeCreate of registry/rest.
  generation: 'anything',
  creationTimestamp: 'anything',
  deletionTimestamp: NEVER,
  deletionGracePeriodSeconds: NEVER,
  managedFields: [[]],
  selfLink: 'anything',
};
const WRITTEN = {
  namespace: unset('', DnsSubdomain.optional()),
  labels: Labels.optional(),
  annotations: Annotations.optional(),
  /** An empty list is none. */
  finalizers: z.preprocess(
    (value) => (Array.isArray(value) && value.length === 0 ? undefined : value),
    Finalizers.optional(),
  ),
};
/** Metadata that a manifest in Git may carry. */
export const ManifestMeta = object({ name: DnsSubdomain, ...WRITTEN }, SERVER_FIELDS);
/** Name of an object that in Kubernetes is a file of a program's settings, and has no metadata there. */
export const FILE_OBJECT_NAME = 'default';
/** Metadata of such an object: all of it may be absent. */
export const FileMeta = object({ name: DnsSubdomain.default(FILE_OBJECT_NAME), ...WRITTEN }, SERVER_FIELDS).prefault(
  {},
);
/**
 * Of a pod template: only its labels, annotations and finalizers go into pods, so nothing else in it is looked at.
 * Source: Kubernetes, GetPodFromTemplate.
 */
export const TemplateMeta = object(
  { labels: Labels.optional(), annotations: Annotations.optional(), finalizers: WRITTEN.finalizers },
  {
    name: 'anything',
    namespace: 'anything',
    generateName: 'anything',
    creationTimestamp: 'anything',
    uid: 'anything',
    resourceVersion: 'anything',
    generation: 'anything',
    selfLink: 'anything',
    ownerReferences: [[]],
    managedFields: [[]],
  },
);
export type TemplateMeta = z.infer<typeof TemplateMeta>;

/** Metadata of an object that the store has accepted. */
export type StoredMeta = ObjectMeta & {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
};

export const Condition = object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTransitionTime: Timestamp.optional(),
  lastUpdateTime: Timestamp.optional(),
  lastProbeTime: Timestamp.nullable().optional(),
  lastHeartbeatTime: Timestamp.optional(),
  observedGeneration: z.int().optional(),
});
export type Condition = z.infer<typeof Condition>;
