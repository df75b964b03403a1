/** What the benchmark of Apps pushes. Files by path. */
export type Files = Readonly<Record<string, string>>;
export type Engine = 'yaml' | 'kustomize' | 'helm';

/** `image`: what a changed App has another of. */
export interface AppFiles {
  readonly files: Files;
  /** The file that a change of the image is in. */
  readonly changed: string;
}

export const CLUSTER = `apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata: {name: bench}
spec:
  network: {podCIDR: 10.0.0.0/9, serviceCIDR: 10.128.0.0/12}
  sync: {maxPrunePercent: 100, pollSeconds: 3600}
`;

/** A Namespace, a Deployment without pods, a Service and a ConfigMap, as an App of its own. */
export function app(engine: Engine, index: number, image: string): AppFiles {
  const name = nameOf(index);
  const spec =
    engine === 'helm'
      ? `{path: charts/web, namespace: ${name}, helm: {valuesFiles: [values/${name}.yaml]}}`
      : `{path: apps/${name}, namespace: ${name}}`;
  const own = `apiVersion: plumbline.dev/v1alpha1
kind: App
metadata: {name: ${name}}
spec: ${spec}
---
apiVersion: v1
kind: Namespace
metadata: {name: ${name}}
`;
  const declared = { [`clusters/${name}.yaml`]: own };
  switch (engine) {
    case 'yaml': {
      const changed = `apps/${name}/web.yaml`;
      const files = { [changed]: workload(image), [`apps/${name}/settings.yaml`]: settings(name) };
      return { files: { ...declared, ...files }, changed };
    }
    case 'kustomize': {
      const changed = `apps/${name}/web.yaml`;
      const kustomization = `namespace: ${name}
resources: [web.yaml]
configMapGenerator: [{name: settings, literals: ["name=${name}"]}]
labels: [{pairs: {team: ${name}}}]
`;
      const files = { [changed]: workload(image), [`apps/${name}/kustomization.yaml`]: kustomization };
      return { files: { ...declared, ...files }, changed };
    }
    case 'helm': {
      const changed = `values/${name}.yaml`;
      const files = { [changed]: `image: ${image}\nname: ${name}\n`, ...CHART };
      return { files: { ...declared, ...files }, changed };
    }
  }
}

/** 100 objects a file. */
export function objects(count: number, value: string): Files {
  const files: Record<string, string> = {};
  for (let first = 0; first < count; first += 100) {
    const all = Array.from({ length: Math.min(100, count - first) }, (_, i) =>
      configMap(`c${first + i}`, `value: "${first + i === 0 ? value : ''}"`),
    );
    files[`plain/${first}.yaml`] = all.join('---\n');
  }
  return files;
}

export function nameOf(index: number): string {
  return `app-${String(index).padStart(4, '0')}`;
}

const configMap = (name: string, data: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {${data}}\n`;

const settings = (name: string): string => configMap('settings', `name: ${name}`);

const workload = (image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "${image}", envFrom: [{configMapRef: {name: settings}}], ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

const CHART: Files = {
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'charts/web/templates/web.yaml': workload('IMAGE').replace('IMAGE', '{{ .Values.image }}'),
  'charts/web/templates/settings.yaml': configMap('settings', 'name: {{ .Values.name }}'),
};
