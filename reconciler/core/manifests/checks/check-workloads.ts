/**
 * Deployment, ReplicaSet, ReplicationController and DaemonSet; and what all kinds have in common that keep a number of
 * pods.
 */
import {
  readKey,
  selectorMatches,
  type DaemonSet,
  type Deployment,
  type LabelSelector,
  type PodTemplateSpec,
  type ReplicaSet,
  type ReplicationController,
} from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkSelector } from './check-selector.ts';
import type { CheckContext } from './context.ts';

export function checkDeployment(object: Deployment, context: CheckContext): void {
  checkTemplate(object, context);
  const { strategy, minReadySeconds, progressDeadlineSeconds } = object.spec;
  if (progressDeadlineSeconds <= minReadySeconds) {
    context.error(
      'InvalidValue',
      ['spec', 'progressDeadlineSeconds'],
      `must be greater than minReadySeconds (${minReadySeconds})`,
    );
  }
  if (strategy.type !== 'RollingUpdate') return;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate;
  const path: FieldPath = ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'];
  if (isZero(maxSurge) && isZero(maxUnavailable)) {
    context.error(
      'InvalidValue',
      path,
      'may not be 0 when maxSurge is 0: no pod could ever be replaced',
      'raise one of the two',
    );
  }
  notAboveAll(maxUnavailable, path, context);
}

export function checkReplicaSet(object: ReplicaSet, context: CheckContext): void {
  checkTemplate(object, context);
}

/** Source: Kubernetes, ValidateRollingUpdateDaemonSet of pkg/apis/apps/validation. */
export function checkDaemonSet(object: DaemonSet, context: CheckContext): void {
  checkTemplate(object, context);
  const { updateStrategy } = object.spec;
  if (updateStrategy.type !== 'RollingUpdate') return;
  const path: FieldPath = ['spec', 'updateStrategy', 'rollingUpdate'];
  const { maxSurge, maxUnavailable } = updateStrategy.rollingUpdate;
  notAboveAll(maxSurge, [...path, 'maxSurge'], context);
  notAboveAll(maxUnavailable, [...path, 'maxUnavailable'], context);
  if (isZero(maxSurge) === isZero(maxUnavailable)) {
    context.error(
      'InvalidValue',
      [...path, isZero(maxSurge) ? 'maxUnavailable' : 'maxSurge'],
      isZero(maxSurge)
        ? 'may not be 0 when maxSurge is 0: no pod could ever be replaced'
        : `may not be set while maxUnavailable is ${maxUnavailable}: a node has its new pod beside the old one, or after it`,
      isZero(maxSurge) ? 'raise one of the two' : 'set maxUnavailable to 0',
    );
  }
}

/** A share of the pods is no more than all of them. */
export function notAboveAll(amount: number | string, path: FieldPath, context: CheckContext): void {
  if (typeof amount === 'string' && Number.parseInt(amount, 10) > 100)
    context.error('InvalidValue', path, `must not be more than 100%, found ${amount}`);
}

export function isZero(amount: number | string): boolean {
  return amount === 0 || (typeof amount === 'string' && Number.parseInt(amount, 10) === 0);
}

export function checkReplicationController(object: ReplicationController, context: CheckContext): void {
  const { selector, ...spec } = object.spec;
  checkTemplate({ kind: object.kind, spec: { ...spec, selector: { matchLabels: selector } } }, context);
}

interface Templated {
  readonly kind: string;
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplateSpec };
}

/** What is so of all kinds that keep a number of pods. */
export function checkTemplate({ kind, spec: { selector, template } }: Templated, context: CheckContext): void {
  const sound = checkSelector(selector, ['spec', 'selector'], context);
  const empty = Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
  if (empty)
    context.error(
      'InvalidValue',
      ['spec', 'selector'],
      `must not be empty: a ${kind} would take every pod`,
      'add matchLabels that the template has too',
    );
  else if (sound && !selectorMatches(selector, template.metadata.labels)) {
    const missing = Object.entries(selector.matchLabels ?? {}).filter(
      ([key, value]) => readKey(template.metadata.labels, key) !== value,
    );
    const hint =
      missing.length > 0
        ? `add to the template's labels: ${missing.map(([k, v]) => `${k}: ${v}`).join(', ')}`
        : 'change one of the two';
    context.error('SelectorMismatch', ['spec', 'selector'], 'does not match the labels of spec.template', hint);
  }
  if (template.spec.restartPolicy !== 'Always') {
    context.error(
      'InvalidValue',
      ['spec', 'template', 'spec', 'restartPolicy'],
      `must be Always in a ${kind}, found ${template.spec.restartPolicy}`,
    );
  }
  if (template.spec.activeDeadlineSeconds !== undefined) {
    context.error(
      'ForbiddenField',
      ['spec', 'template', 'spec', 'activeDeadlineSeconds'],
      `may not be set in a ${kind}`,
      'remove it',
    );
  }
}
