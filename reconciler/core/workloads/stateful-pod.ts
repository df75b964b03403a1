/**
 * The pod of one ordinal of a StatefulSet: its name, its labels, its host name. Source: Kubernetes,
 * pkg/controller/statefulset/stateful_set_utils.go.
 */
import type {
  Pod,
  PodTemplateSpec,
  StatefulSet,
  StoredPod,
  StoredStatefulSet,
  Volume,
  VolumeClaimTemplate,
} from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { controllerRef } from './owners.ts';
import { REVISION_LABEL } from './revision-history.ts';
import { podMeta } from './template.ts';

const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** A template that the StatefulSet has or had, under the name of its ControllerRevision. */
export interface Revision {
  readonly name: string;
  readonly template: PodTemplateSpec;
}

export interface Revisions {
  /** That of pods which an update has not reached. */
  readonly current: Revision;
  /** That of the present template. */
  readonly update: Revision;
}

/** A pod and its ordinal. */
export interface Member {
  readonly ordinal: number;
  readonly pod: StoredPod;
}

export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

export function claimName(set: StatefulSet, { metadata }: VolumeClaimTemplate, ordinal: number): string {
  return `${metadata.name}-${podName(set, ordinal)}`;
}

/** Undefined for a name that no pod of the StatefulSet has. */
export function ordinalOf(set: StatefulSet, name: string): number | undefined {
  const prefix = `${set.metadata.name}-`;
  if (!name.startsWith(prefix)) return undefined;
  const text = name.slice(prefix.length);
  return /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}

/** The name of the StatefulSet that a pod of that name would be of; undefined for a name without an ordinal. */
export function setNameOf(name: string): string | undefined {
  return /^(.+)-(?:0|[1-9]\d{0,9})$/.exec(name)?.[1];
}

export function firstOrdinal({ spec }: StatefulSet): number {
  return spec.ordinals.start;
}

/** Whether there is to be a pod of that ordinal. */
export function isWanted(set: StatefulSet, ordinal: number): boolean {
  const first = firstOrdinal(set);
  return ordinal >= first && ordinal < first + set.spec.replicas;
}

export function revisionOf({ metadata }: Pod): string | undefined {
  return readKey(metadata.labels, REVISION_LABEL);
}

/** Labels that only this pod has. */
export function identityLabels(set: StatefulSet, ordinal: number): Readonly<Record<string, string>> {
  return { [POD_NAME_LABEL]: podName(set, ordinal), [POD_INDEX_LABEL]: String(ordinal) };
}

/** The template as it is in the pod of an ordinal, under the name of its revision. */
export function filledFor(set: StatefulSet, { name, template }: Revision, ordinal: number): PodTemplateSpec {
  const { serviceName, volumeClaimTemplates = [] } = set.spec;
  const claimed = volumeClaimTemplates.map((claim): Volume => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal), readOnly: false },
  }));
  const others = (template.spec.volumes ?? []).filter((volume) => !claimed.some((one) => one.name === volume.name));
  return {
    metadata: {
      ...template.metadata,
      labels: { ...template.metadata.labels, [REVISION_LABEL]: name, ...identityLabels(set, ordinal) },
    },
    spec: {
      ...template.spec,
      hostname: podName(set, ordinal),
      ...(serviceName !== undefined && { subdomain: serviceName }),
      ...(claimed.length > 0 && { volumes: [...claimed, ...others] }),
    },
  };
}

export function statefulPod(set: StoredStatefulSet, revision: Revision, ordinal: number): Pod {
  const filled = filledFor(set, revision, ordinal);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(set, ordinal),
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      ...podMeta(filled),
      ownerReferences: [controllerRef(set)],
    },
    spec: filled.spec,
    status: { phase: 'Pending' },
  };
}
