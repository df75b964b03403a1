/** What is pushed. All pods have their image on every host by then. */
export const IMAGE = 'registry.lab/busybox:1';

interface Pods {
  readonly name: string;
  readonly app: string;
  readonly replicas: number;
  /** The host that all of them are on. */
  readonly node?: string;
}

const SLEEPS = `containers: [{name: main, image: "${IMAGE}", command: [sleep, "86400"], resources: {requests: {cpu: 1m, memory: 1Mi}}}]`;

function podSpec(app: string, node: string | undefined, containers: string): string {
  const selector = node === undefined ? '' : `nodeSelector: {kubernetes.io/hostname: ${node}}, `;
  return `{metadata: {labels: {app: ${app}}}, spec: {${selector}terminationGracePeriodSeconds: 0, ${containers}}}`;
}

export function deployment({ name, app, replicas, node }: Pods): string {
  return `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec: {replicas: ${replicas}, selector: {matchLabels: {app: ${app}}}, template: ${podSpec(app, node, SLEEPS)}}\n`;
}

/** Its pods come one after the other, each when the one before it is ready. */
export function oneByOne({ name, app, replicas, node }: Pods): string {
  return `apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: ${name}}\nspec: {replicas: ${replicas}, serviceName: ${name}, selector: {matchLabels: {app: ${app}}}, template: ${podSpec(app, node, SLEEPS)}}\n`;
}

/** It goes with its pod as soon as it is complete. */
export function job(name: string, command: readonly string[]): string {
  const container = `{name: main, image: "${IMAGE}", command: ${JSON.stringify(command)}, resources: {requests: {cpu: 1m, memory: 1Mi}}}`;
  return `apiVersion: batch/v1\nkind: Job\nmetadata: {name: ${name}}\nspec: {ttlSecondsAfterFinished: 0, template: {metadata: {labels: {app: jobs}}, spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0, containers: [${container}]}}}\n`;
}
