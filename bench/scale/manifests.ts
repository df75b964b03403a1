/** What the benchmark pushes. */
import { addressOf, nameOf } from './names.ts';

export const CLUSTER = `apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata: {name: scale}
spec:
  network: {podCIDR: 10.0.0.0/9, serviceCIDR: 10.128.0.0/16}
  sync: {maxPrunePercent: 100}
`;

export function machines(first: number, count: number, fleetOf: (index: number) => number): string {
  return Array.from({ length: count }, (_, i) => {
    const index = first + i;
    return `apiVersion: plumbline.dev/v1alpha1
kind: Machine
metadata: {name: ${nameOf(index)}}
spec:
  address: ${nameOf(index)}
  port: ${fleetOf(index)}
  hostKey: ssh-ed25519 AAAA
  internalIP: ${addressOf(index)}
`;
  }).join('---\n');
}

export function deployment(name: string, replicas: number, image = 'app:v1'): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  progressDeadlineSeconds: 3600
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: app
          image: ${image}
          ports: [{containerPort: 8080}]
          resources: {requests: {cpu: 10m, memory: 16Mi}}
`;
}

export function service(name: string): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  selector: {app: ${name}}
  ports: [{port: 80, targetPort: 8080}]
`;
}
