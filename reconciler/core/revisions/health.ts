/** Whether everything that a revision brought is well: one line per object, and what is missing in words. */
import {
  ALL_KINDS,
  isCustom,
  type AnyStored,
  type Kind,
  type Stored,
  type StoredOf,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';
import type { HealthStatus, HealthView } from '../health/health.ts';
import { objectHealth } from '../health/object-health.ts';
import { customHealth, type CustomView } from '../kinds/custom.ts';
import { DESCRIPTORS } from '../kinds/index.ts';

/** The health of one object, as `plumb status` lists it. */
export interface ObjectReport {
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly health: HealthStatus;
  /** Why it is so. */
  readonly message: string;
  /** It had its time: nobody waits for it any more. */
  readonly gaveUp?: true;
}

/** Reading the live state; the store's view is one. */
export interface LiveReader extends HealthView {
  /** Ordered by key. */
  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[];
}

/** Kinds that a manifest may have. */
export const MANIFEST_KINDS: readonly Kind[] = ALL_KINDS.filter(
  (kind) => DESCRIPTORS[kind].identity.manifest !== undefined,
);

const IN_WAVES = MANIFEST_KINDS.toSorted((a, b) => DESCRIPTORS[a].wave - DESCRIPTORS[b].wave || (a < b ? -1 : 1));

/** All live objects that came from the source, ordered by wave, then key. */
export function sourceObjects(reader: Pick<LiveReader, 'fromSource'>, sourceName: string): Stored[] {
  return IN_WAVES.flatMap((kind): readonly Stored[] => reader.fromSource(kind, sourceName));
}

/** The same of custom kinds, by key. */
export function customSourceObjects(custom: Pick<CustomView, 'list'>, sourceName: string): StoredUnstructured[] {
  return custom.list().filter((object) => object.metadata.annotations?.[SOURCE_ANNOTATION] === sourceName);
}

export function reportHealth(object: AnyStored, reader: HealthView): ObjectReport {
  const { status, message, gaveUp } = isCustom(object) ? customHealth(object) : objectHealth(object, reader);
  return {
    kind: object.kind,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    health: status,
    message,
    ...(gaveUp && { gaveUp }),
  };
}

/** One sentence for each object that is not healthy. */
export function unhealthySentences(reports: readonly ObjectReport[]): string[] {
  return reports
    .filter((r) => r.health !== 'Healthy')
    .map((r) => `${r.kind} ${r.namespace === '' ? '' : `${r.namespace}/`}${r.name} is ${r.health}: ${r.message}`);
}
