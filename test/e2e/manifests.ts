/** Manifests that the end-to-end tests push. */

export interface App {
  readonly name: string;
  readonly replicas?: number;
  /** Tag of registry.lab/hello. */
  readonly version?: string;
  /** Lines added to the container, indented as YAML wants. */
  readonly container?: string;
  /** Lines added to the pod's spec. */
  readonly pod?: string;
  readonly nodePort?: number;
}

function indent(text: string | undefined, by: number): string {
  return text
    ? text
        .split('\n')
        .map((line) => `${' '.repeat(by)}${line}`)
        .join('\n') + '\n'
    : '';
}

/** A Deployment of the example web server with a readiness probe, and its Service on port 80. */
export function helloApp(app: App): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${app.name}
spec:
  replicas: ${app.replicas ?? 3}
  selector:
    matchLabels: {app: ${app.name}}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels: {app: ${app.name}}
    spec:
${indent(app.pod, 6)}      containers:
        - name: web
          image: registry.lab/hello:${app.version ?? '1'}
          ports: [{containerPort: 8080}]
          resources:
            requests: {cpu: 10m, memory: 8Mi}
          readinessProbe:
            httpGet: {path: /healthz, port: 8080}
            periodSeconds: 1
${indent(app.container, 10)}---
apiVersion: v1
kind: Service
metadata:
  name: ${app.name}
spec:
  type: ${app.nodePort ? 'NodePort' : 'ClusterIP'}
  selector: {app: ${app.name}}
  ports:
    - port: 80
      targetPort: 8080
${app.nodePort ? `      nodePort: ${app.nodePort}\n` : ''}`;
}

/** Pods that leave a lost node after two seconds instead of five minutes. */
export const LEAVE_LOST_NODES_SOON = `tolerations:
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 2}
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 2}`;

/**
 * Pods that wait for a lost node for an hour: for a machine whose reboot may take longer than the five minutes that
 * others wait.
 */
export const STAY_ON_LOST_NODES = LEAVE_LOST_NODES_SOON.replaceAll('tolerationSeconds: 2', 'tolerationSeconds: 3600');
