/**
 * Pods against the Pod Security Standards of their namespaces. Source: Kubernetes, pod-security-admission/admission
 * (ValidatePod, ValidatePodController): a pod is refused, what makes pods is told that they will be.
 */
import { objectKey, type PodTemplateSpec } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import type { Paced } from '../paced.ts';
import { levelText, policyOf, type LevelVersion } from '../pod-security/policy.ts';
import { violated } from '../pod-security/violations.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

/** Its pauses: each pod is held against each standard that its namespace asks for. */
export function* checkPodSecurity(state: DesiredState, tell: Tell): Paced<void> {
  for (const desired of state.values()) {
    yield;
    const { podTemplate } = descriptorOf(desired.object.kind);
    if (podTemplate === 'none') continue;
    const home = desired.object.metadata.namespace ?? '';
    const namespace = state.get(objectKey('Namespace', undefined, home))?.object;
    const { enforce, warn, audit } = policyOf(namespace?.metadata.labels);
    const template = podTemplate.of(desired.object);
    const path = [...podTemplate.path, 'spec'];
    const at = positionOf(desired, ...path);
    const hint = `change its securityContext, or the labels of Namespace ${home}`;
    const refused = podTemplate.path.length === 0 ? violationOf(enforce, template) : undefined;
    if (refused !== undefined) {
      tell('error', 'PodSecurityViolated', at, `${pathText(path)} violates ${refused}`, hint);
      continue;
    }
    for (const asked of levelText(warn) === levelText(audit) ? [warn] : [warn, audit]) {
      const why = violationOf(asked, template);
      if (why !== undefined) tell('warning', 'PodSecurityViolated', at, `${pathText(path)} would violate ${why}`, hint);
    }
  }
}

function violationOf(asked: LevelVersion, { metadata, spec }: PodTemplateSpec): string | undefined {
  return violated(asked, { annotations: metadata.annotations ?? {}, spec });
}
