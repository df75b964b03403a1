/** What a pod refers to by name, written once: checks, assignments and node agents all go by it. Free of schemas. */
import type { Container, Pod } from './pod.ts';
import { tokenSecretName } from './pod-tokens.ts';
import type { Volume, VolumeSourceName } from './volumes.ts';

/** Name of the claim that is made with the pod. Source: Kubernetes, component-helpers/storage/ephemeral. */
export function ephemeralClaim(podName: string, volumeName: string): string {
  return `${podName}-${volumeName}`;
}

/** An object that the pod needs to start: of its own namespace, or of none. */
export interface PodReference {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'RuntimeClass';
  readonly name: string;
  /** Of its keys, those that the pod names. */
  readonly keys: readonly string[];
  /** Whether it may be absent, or is made with the pod. */
  readonly optional: boolean;
  /** Where the name is, below the pod's spec. */
  readonly path: readonly (string | number)[];
}

type Source<S extends VolumeSourceName> = NonNullable<Volume[S]>;

const NOTHING = (): readonly PodReference[] => [];
const keysOf = (items: readonly { readonly key: string }[] | undefined): readonly string[] =>
  (items ?? []).map(({ key }) => key);

const OF_SOURCE: {
  readonly [S in VolumeSourceName]: (
    source: Source<S>,
    volume: string,
    pod: string | undefined,
  ) => readonly PodReference[];
} = {
  downwardAPI: NOTHING,
  emptyDir: NOTHING,
  hostPath: NOTHING,
  image: NOTHING,
  nfs: NOTHING,
  configMap: ({ name, items, optional }) => [
    { kind: 'ConfigMap', name, keys: keysOf(items), optional, path: ['configMap', 'name'] },
  ],
  secret: ({ secretName, items, optional }) => [
    { kind: 'Secret', name: secretName, keys: keysOf(items), optional, path: ['secret', 'secretName'] },
  ],
  persistentVolumeClaim: ({ claimName }) => [
    {
      kind: 'PersistentVolumeClaim',
      name: claimName,
      keys: [],
      optional: false,
      path: ['persistentVolumeClaim', 'claimName'],
    },
  ],
  ephemeral: (_source, volume, pod) =>
    pod === undefined
      ? []
      : [
          {
            kind: 'PersistentVolumeClaim',
            name: ephemeralClaim(pod, volume),
            keys: [],
            optional: true,
            path: ['ephemeral', 'volumeClaimTemplate'],
          },
        ],
  projected: ({ sources }, _volume, pod) =>
    (sources ?? []).flatMap(({ configMap, secret, serviceAccountToken }, index) =>
      below(
        ['projected', 'sources', index],
        [
          ...entriesReference('ConfigMap', 'configMap', configMap),
          ...entriesReference('Secret', 'secret', secret),
          ...(serviceAccountToken === undefined || pod === undefined ? [] : [tokenReference(pod)]),
        ],
      ),
    ),
};

/** They are made for the pod, when it has a node. */
function tokenReference(pod: string): PodReference {
  return { kind: 'Secret', name: tokenSecretName(pod), keys: [], optional: true, path: ['serviceAccountToken'] };
}

function entriesReference(
  kind: PodReference['kind'],
  field: string,
  from:
    | {
        readonly name: string;
        readonly items?: readonly { readonly key: string }[] | undefined;
        readonly optional: boolean;
      }
    | undefined,
): readonly PodReference[] {
  if (from === undefined) return [];
  return [{ kind, name: from.name, keys: keysOf(from.items), optional: from.optional, path: [field, 'name'] }];
}

function ofSource<S extends VolumeSourceName>(
  volume: Volume,
  name: S,
  pod: string | undefined,
): readonly PodReference[] {
  const source = volume[name];
  return source === undefined ? [] : OF_SOURCE[name](source, volume.name, pod);
}

/** Of a volume of the pod of that name; paths below it. */
export function volumeReferences(volume: Volume, pod: string | undefined): readonly PodReference[] {
  return (Object.keys(OF_SOURCE) as VolumeSourceName[]).flatMap((name) => ofSource(volume, name, pod));
}

/**
 * Every object that the pod uses: a name as often as the pod has it. What is made with a pod is told of a pod that has a
 * name, and of no template.
 */
export function podReferences(spec: Pod['spec'], pod?: string): readonly PodReference[] {
  return [
    ...classReference(spec.runtimeClassName),
    ...containerReferences('initContainers', spec.initContainers),
    ...containerReferences('containers', spec.containers),
    ...containerReferences('ephemeralContainers', spec.ephemeralContainers),
    // Without its pull secrets an image may still be had.
    ...(spec.imagePullSecrets ?? []).map(({ name }, index): PodReference => {
      return { kind: 'Secret', name, keys: [], optional: true, path: ['imagePullSecrets', index, 'name'] };
    }),
    ...(spec.volumes ?? []).flatMap((volume, index) => below(['volumes', index], volumeReferences(volume, pod))),
  ];
}

function classReference(name: string | undefined): readonly PodReference[] {
  if (name === undefined) return [];
  return [{ kind: 'RuntimeClass', name, keys: [], optional: false, path: ['runtimeClassName'] }];
}

function containerReferences(list: string, containers: readonly Container[] | undefined): readonly PodReference[] {
  return (containers ?? []).flatMap((container, index) => [
    ...(container.env ?? []).flatMap(({ valueFrom }, at) =>
      below(
        [list, index, 'env', at, 'valueFrom'],
        [
          ...keyReference('ConfigMap', 'configMapKeyRef', valueFrom?.configMapKeyRef),
          ...keyReference('Secret', 'secretKeyRef', valueFrom?.secretKeyRef),
        ],
      ),
    ),
    ...(container.envFrom ?? []).flatMap(({ configMapRef, secretRef }, at) =>
      below(
        [list, index, 'envFrom', at],
        [...keyReference('ConfigMap', 'configMapRef', configMapRef), ...keyReference('Secret', 'secretRef', secretRef)],
      ),
    ),
  ]);
}

function keyReference(
  kind: PodReference['kind'],
  field: string,
  from: { readonly name: string; readonly key?: string; readonly optional: boolean } | undefined,
): readonly PodReference[] {
  if (from === undefined) return [];
  const { name, key, optional } = from;
  return [{ kind, name, keys: key === undefined ? [] : [key], optional, path: [field, 'name'] }];
}

function below(place: PodReference['path'], references: readonly PodReference[]): readonly PodReference[] {
  return references.map((reference) => ({ ...reference, path: [...place, ...reference.path] }));
}
