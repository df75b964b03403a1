/** Objects as the manifest reader would give them, for tests. */
import {
  ClusterManifest,
  DeploymentManifest,
  MachineManifest,
  PodManifest,
  ServiceManifest,
  type Cluster,
  type Condition,
  type Deployment,
  type Machine,
  type Node,
  type Pod,
  type Service,
} from '../../../contracts/objects/index.ts';

export const TIME = '2026-01-01T00:00:00.000Z';

export function condition(type: string, status: Condition['status'], extra: Partial<Condition> = {}): Condition {
  return { type, status, lastTransitionTime: TIME, ...extra };
}

export function deployment(spec: object = {}, image = 'app:v1'): Deployment {
  return DeploymentManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
      ...spec,
    },
  });
}

export function pod(name: string, spec: object = {}, metadata: object = {}): Pod {
  return {
    ...PodManifest.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [{ name: 'app', image: 'app:v1' }], ...spec },
    }),
    metadata: { name, namespace: 'default', ...metadata },
  };
}

/** The pod as its node reports it. */
export function running(p: Pod, ready: boolean, at: string = TIME, ip?: string): Pod {
  return {
    ...p,
    status: {
      phase: 'Running',
      conditions: [condition('Ready', ready ? 'True' : 'False', { lastTransitionTime: at })],
      ...(ip && { podIP: ip }),
    },
  };
}

export function service(name: string, spec: object = {}): Service {
  return ServiceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  });
}

export function cluster(spec: object = {}): Cluster {
  return ClusterManifest.parse({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'lab' },
    spec,
  });
}

export function machine(name: string, spec: object = {}): Machine {
  return MachineManifest.parse({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name },
    spec: { address: '198.18.0.2', hostKey: 'ssh-ed25519 AAAA', ...spec },
  });
}

export function node(
  name: string,
  extra: {
    spec?: Node['spec'];
    labels?: Record<string, string>;
    allocatable?: Record<string, string>;
    ready?: Condition['status'];
  } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...extra.labels } },
    spec: extra.spec ?? {},
    status: {
      allocatable: extra.allocatable ?? { cpu: '2', memory: '4Gi', pods: '110' },
      conditions: [condition('Ready', extra.ready ?? 'True', { lastHeartbeatTime: TIME })],
    },
  };
}
