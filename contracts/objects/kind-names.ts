/** The kinds' names, apart from their schemas: what a node agent needs of them. */
import type { Kind } from './kinds.ts';

const NAMES: Readonly<Record<Kind, true>> = {
  Cluster: true,
  Machine: true,
  Source: true,
  Namespace: true,
  Node: true,
  ConfigMap: true,
  Secret: true,
  Service: true,
  EndpointSlice: true,
  Deployment: true,
  ReplicaSet: true,
  Pod: true,
  Event: true,
  PriorityClass: true,
  PodDisruptionBudget: true,
  PodGroup: true,
  KubeSchedulerConfiguration: true,
  DeschedulerPolicy: true,
  SchedulerPlugin: true,
  ServiceAccount: true,
};

export function isKind(text: string): text is Kind {
  return Object.hasOwn(NAMES, text);
}
