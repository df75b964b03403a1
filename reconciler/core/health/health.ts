/** What `plumb status` says of an object. The idea of one judgement per kind is gitops-engine's. */

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
