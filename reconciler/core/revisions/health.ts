/** Whether everything that a revision brought is well: one line per object, and what is missing in words. */
import type { keyOf} from '../../../contracts/objects/index.ts';
import { findCondition, KINDS, type Kind, type KubeObject, type Stored, type StoredOf } from '../../../contracts/objects/index.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';

/** What is said of one object on its own. */
export interface ObjectHealth {
  readonly status: 'Healthy' | 'Progressing' | 'Degraded' | 'Missing' | 'Unknown' | 'Suspended';
  readonly reason?: string;
  readonly message?: string;
}

/** The health of one object, as `plumb status` lists it. */
export interface ObjectReport {
  readonly kind: Kind;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly health: ObjectHealth['status'];
  readonly reason?: string;
  readonly message?: string;
}

/** Reading the live state; the store's view has these. */
export interface LiveReader {
  get(key: `Node//${string}`): StoredOf<'Node'> | undefined;
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[];
}

export type HealthOf = (object: Stored) => ObjectHealth;

/** Kinds that a manifest may have. */
export const MANIFEST_KINDS: readonly Kind[] = (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind].manifest !== undefined);

/** All live objects that came from the source, ordered by wave, then key. */
export function sourceObjects(reader: Pick<LiveReader, 'list'>, sourceName: string): Stored[] {
  return [...MANIFEST_KINDS].sort((a, b) => KINDS[a].wave - KINDS[b].wave || (a < b ? -1 : 1))
    .flatMap((kind): readonly Stored[] => reader.list(kind))
    .filter((object) => object.metadata.annotations?.[SOURCE_ANNOTATION] === sourceName);
}

/** A machine is as healthy as its node; anything else speaks for itself. */
export function reportHealth(object: Stored, reader: LiveReader, healthOf: HealthOf): ObjectReport {
  const { status, reason, message } = object.kind === 'Machine' ? machineHealth(object, reader) : healthOf(object);
  return {
    kind: object.kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name, health: status,
    ...(reason !== undefined && reason !== '' && { reason }), ...(message !== undefined && message !== '' && { message }),
  };
}

function machineHealth(machine: KubeObject, reader: LiveReader): ObjectHealth {
  const ready = findCondition(reader.get(`Node//${machine.metadata.name}`)?.status?.conditions, 'Ready');
  const connection = machine.kind === 'Machine' ? machine.status?.conditions?.find((c) => c.status !== 'True') : undefined;
  if (ready?.status === 'True') return { status: 'Healthy', reason: '', message: '' };
  const said = connection ?? ready;
  return { status: said === undefined ? 'Progressing' : 'Degraded', reason: said?.reason ?? 'NotJoined', message: said?.message ?? 'the machine has not joined yet' };
}

/** One sentence for each object that is not healthy. */
export function unhealthySentences(reports: readonly ObjectReport[]): string[] {
  return reports.filter((r) => r.health !== 'Healthy').map((r) => {
    const why = [r.reason, r.message].filter(Boolean).join(': ');
    return `${r.kind} ${r.namespace === '' ? '' : `${r.namespace}/`}${r.name} is ${r.health}${why === '' ? '' : `: ${why}`}`;
  });
}

/** Key of a report's object. */
export function reportKey(report: ObjectReport): ReturnType<typeof keyOf> {
  return `${report.kind}/${report.namespace}/${report.name}`;
}
