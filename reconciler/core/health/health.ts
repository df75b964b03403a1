/** What `plumb status` says of an object. The idea of one judgement per kind is gitops-engine's. */
import type { StoredAt, Kind, ObjectKey, StoredOf } from '../../../contracts/objects/index.ts';

export type HealthStatus = 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended' | 'Missing';

export interface Health {
  readonly status: HealthStatus;
  /** One sentence without a full stop: why it is so. */
  readonly message: string;
  /** It had its time (`progressDeadlineSeconds`): nobody waits for it any more. */
  readonly gaveUp?: true;
}

const SEVERITY: Readonly<Record<HealthStatus, number>> = {
  Healthy: 0,
  Suspended: 1,
  Progressing: 2,
  Missing: 3,
  Degraded: 4,
};

/** The worst of several; the first of equals. */
export function worst(list: readonly Health[]): Health | undefined {
  return list.reduce<Health | undefined>(
    (bad, next) => (bad === undefined || SEVERITY[next.status] > SEVERITY[bad.status] ? next : bad),
    undefined,
  );
}

/** What a judgement looks at besides the object; the process's view of the store is one. */
export interface HealthView {
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[];
}

export const healthy = (message: string): Health => ({ status: 'Healthy', message });
export const progressing = (message: string): Health => ({ status: 'Progressing', message });
export const degraded = (message: string): Health => ({ status: 'Degraded', message });
