/** Agents that do what they are told at once, for tests of the controllers in their runtime. */
import { objectKey, type StoredPod } from '../../../contracts/objects/index.ts';
import type { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import type { Writer } from '../../../reconciler/controllers/runtime/writer.ts';
import type { Clock } from '../../../reconciler/ports/clock.ts';
import { condition, running } from './objects.ts';

export interface Agents {
  /** Pods that are to go are not ended any more, until {@link endPods}. */
  holdPods(): void;
  endPods(): void;
}

/** Every node reports ready once, pods that are bound run, pods that are told to go are gone. */
export function startAgents(
  { cache, writer, clock }: { readonly cache: StoreCache; readonly writer: Writer; readonly clock: Clock },
  signal: AbortSignal = new AbortController().signal,
): Agents {
  let address = 10;
  let isHolding = false;
  const writes: Promise<unknown>[] = [];
  const end = ({ metadata: { uid, namespace, name } }: StoredPod): void => {
    const key = objectKey('Pod', namespace, name);
    writes.push(writer.attempt([{ do: 'delete', key, uid, gone: true }], 'node', signal));
  };
  cache.subscribe((type, object) => {
    if (type === 'delete') return;
    if (object.kind === 'Node' && object.status === undefined) {
      const now = clock.now().toISOString();
      const status = {
        allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
        conditions: [condition('Ready', 'True', { lastHeartbeatTime: now, lastTransitionTime: now })],
      };
      writes.push(cache.write([{ op: 'updateStatus', object: { ...object, status } }]));
    }
    if (object.kind !== 'Pod' || object.spec.nodeName === undefined) return;
    if (object.metadata.deletionTimestamp !== undefined) {
      if (!isHolding) end(object);
    } else if (object.status?.phase !== 'Running') {
      const status = running(object, true, clock.now().toISOString(), `198.18.1.${address++}`).status;
      writes.push(cache.write([{ op: 'updateStatus', object: { ...object, status } as typeof object }]));
    }
  });
  return {
    holdPods: () => {
      isHolding = true;
    },
    endPods: () => {
      isHolding = false;
      for (const pod of cache.list('Pod')) if (pod.metadata.deletionTimestamp !== undefined) end(pod);
    },
  };
}
