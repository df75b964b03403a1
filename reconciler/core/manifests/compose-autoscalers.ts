/** Autoscalers against what they scale. */
import {
  kindOf,
  objectKey,
  readKey,
  type HorizontalPodAutoscaler,
  type Kind,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { descriptorOf, DESCRIPTORS } from '../kinds/index.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

type Autoscaler = DesiredObject & { readonly object: HorizontalPodAutoscaler };

/**
 * `declared`: what the revision has, also what was refused; undefined where that is not known. What is told: a target
 * that there is not, one without a number of pods, one of two autoscalers, and one whose number Git writes as well.
 */
export function checkAutoscalers(state: DesiredState, declared: ReadonlySet<ObjectKey> | undefined, tell: Tell): void {
  const scaledBy = new Map<ObjectKey, Autoscaler>();
  for (const autoscaler of [...state.values()].filter(isAutoscaler)) {
    const { scaleTargetRef, ...at } = {
      ...autoscaler.object.spec,
      position: positionOf(autoscaler, 'spec', 'scaleTargetRef'),
    };
    const kind = kindOf(scaleTargetRef.apiVersion, scaleTargetRef.kind);
    if (kind === undefined || DESCRIPTORS[kind].scale === 'none') {
      tell('error', 'InvalidValue', at.position, notScaled(scaleTargetRef), hintFor(scaleTargetRef.kind));
      continue;
    }
    const key = objectKey(kind, autoscaler.object.metadata.namespace, scaleTargetRef.name);
    const first = scaledBy.get(key);
    if (first) {
      tell(
        'warning',
        'ScaleTargetShared',
        at.position,
        `${kind} ${scaleTargetRef.name} is scaled by HorizontalPodAutoscaler ${first.object.metadata.name} (${placeOf(first)}) already: neither of the two does anything`,
        'remove one of the two; one has room for several metrics',
      );
      continue;
    }
    scaledBy.set(key, autoscaler);
    const target = state.get(key);
    if (target) checkReplicas(autoscaler, target, tell);
    else if (declared && !declared.has(key))
      tell(
        'warning',
        'MissingReference',
        at.position,
        `${kind} ${scaleTargetRef.name} is in no manifest of namespace ${autoscaler.object.metadata.namespace ?? ''}`,
        'it is scaled when it is there',
      );
  }
}

function checkReplicas(autoscaler: Autoscaler, target: DesiredObject, tell: Tell): void {
  const { scale } = descriptorOf(target.object.kind);
  if (scale === 'none' || fieldAt(target.written, scale.replicas) === undefined) return;
  const field = pathText(scale.replicas);
  tell(
    'warning',
    'ReplicasAutoscaled',
    positionOf(target, ...scale.replicas),
    `${field} is set by HorizontalPodAutoscaler ${autoscaler.object.metadata.name} (${placeOf(autoscaler)}) too: each sync sets it back to what is written here`,
    `leave out ${field}`,
  );
}

function notScaled({ apiVersion, kind }: HorizontalPodAutoscaler['spec']['scaleTargetRef']): string {
  return `spec.scaleTargetRef: ${kind} ${apiVersion === '' ? 'without apiVersion' : `of ${apiVersion}`} has no number of pods that could be set`;
}

const SCALED: Readonly<Record<string, Kind>> = Object.fromEntries(
  Object.values(DESCRIPTORS)
    .filter(({ scale }) => scale !== 'none')
    .map(({ identity }) => [identity.kind, identity.kind as Kind]),
);

function hintFor(word: string): string {
  const kind = readKey(SCALED, word);
  return kind === undefined
    ? `one of ${Object.keys(SCALED).join(', ')}`
    : `write apiVersion: ${DESCRIPTORS[kind].identity.apiVersion}`;
}

function placeOf({ position }: DesiredObject): string {
  return `${position.file}:${position.line}`;
}

function isAutoscaler(desired: DesiredObject): desired is Autoscaler {
  return desired.object.kind === 'HorizontalPodAutoscaler';
}
