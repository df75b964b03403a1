/** Event, as `kubectl get events` shows it. Source: Kubernetes v1 API reference. */
import type { ObjectMeta, StoredMeta } from './meta.ts';

export interface Event {
  readonly apiVersion: 'v1';
  readonly kind: 'Event';
  readonly metadata: ObjectMeta;
  readonly involvedObject: {
    /** Of an object of a custom kind; the other kinds are told by their word. */
    readonly apiVersion?: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly source: { readonly component: string; readonly host?: string };
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly count: number;
}
export type StoredEvent = Event & { readonly metadata: StoredMeta };
