/** Endpoints of a Service, and pods that leave it. */
import type { EndpointSlice, StoredOf } from '../../../contracts/objects/index.ts';
import { stored } from './stored.ts';

export type Listed = 'ready' | 'terminating' | 'not ready';

export function slice(endpoints: Readonly<Record<string, Listed>>, name = 'web-1'): StoredOf<'EndpointSlice'> {
  return stored<'EndpointSlice'>({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default' },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    endpoints: Object.entries(endpoints).map(([pod, is]) => ({
      addresses: ['198.19.1.2'],
      conditions: { ready: is === 'ready', serving: true, terminating: is === 'terminating' },
      targetRef: { kind: 'Pod' as const, namespace: 'default', name: pod, uid: `uid-${pod}` },
    })),
  });
}

export function ending(pod: StoredOf<'Pod'>, graceSeconds = 30): StoredOf<'Pod'> {
  return stored<'Pod'>({
    ...pod,
    metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: graceSeconds },
  });
}

/** Whether rules made of the slice send to the pod. */
export function sendsTo({ endpoints }: EndpointSlice, pod: string): boolean {
  return endpoints.some(
    ({ targetRef, conditions }) => targetRef?.name === pod && conditions.ready && !conditions.terminating,
  );
}
