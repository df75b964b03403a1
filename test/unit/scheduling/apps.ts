/** Manifests for tests of whole plans, as text. */
export interface App {
  readonly replicas?: number;
  readonly image?: string;
  readonly requests?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** More fields of the Deployment's spec. */
  readonly spec?: object;
  /** More fields of the pods' spec. */
  readonly pod?: object;
}
/** A Deployment of the name; its pods have the label `app`. */
export function app(
  name: string,
  {
    replicas = 1,
    image = 'app:1',
    requests = { cpu: '500m', memory: '256Mi' },
    labels = {},
    spec = {},
    pod: podSpec = {},
  }: App = {},
): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...labels } },
        spec: {
          containers: [
            {
              name: 'app',
              image,
              resources: {
                requests,
                ...(requests['nvidia.com/gpu'] !== undefined && {
                  limits: { 'nvidia.com/gpu': requests['nvidia.com/gpu'] },
                }),
              },
            },
          ],
          ...podSpec,
        },
      },
      ...spec,
    },
  });
}
/** A DaemonSet of the name; `of` as for {@link app}, but for the number. */
export function daemon(name: string, of: Omit<App, 'replicas'> = {}): string {
  const { spec, ...deployment } = JSON.parse(app(name, of)) as { readonly spec: { readonly replicas: number } };
  const { replicas: _number, ...rest } = spec;
  return JSON.stringify({ ...deployment, kind: 'DaemonSet', spec: rest });
}
export const RECREATE = { strategy: { type: 'Recreate' } };
export const rolling = (maxSurge: number | string, maxUnavailable: number | string): object => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});
export const podGroup = (minMember: number): string =>
  JSON.stringify({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'gang' },
    spec: { minMember },
  });
/** Labels of a pod of {@link podGroup}. */
export const GANG = { 'scheduling.x-k8s.io/pod-group': 'gang' };
export const barePod = (name: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '500m' } } }], ...spec },
  });

/** PriorityClasses `high` and `low`. */
export const CLASSES = [
  ['high', 100],
  ['low', 1],
].map(([name, value]) =>
  JSON.stringify({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value }),
);
