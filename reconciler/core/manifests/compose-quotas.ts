/**
 * ResourceQuotas against what their namespaces have. A commit that has more than a quota allows of what comes from Git
 * alone, or pods that a quota would never let be made, is refused whole, before anything of it is written; what is live
 * already stays.
 */
import type { LimitRange, Pod, ResourceQuota } from '../../../contracts/objects/index.ts';
import { groupBy } from '../group-by.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Paced } from '../paced.ts';
import { add, amountsIn, quantityOf, type Amounts } from '../quota/amounts.ts';
import { withLimitDefaults } from '../quota/limit-range.ts';
import { FROM_GIT } from '../quota/from-git.ts';
import { concerns } from '../quota/scopes.ts';
import { kindOfResource, unsaid, usageOf } from '../quota/usage.ts';
import { withRuntimeClass } from '../runtime-classes/pod-class.ts';
import { classOf } from './compose-runtime-classes.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

type Quota = DesiredObject & { readonly object: ResourceQuota };

/** No object of a manifest has an end yet. */
const NO_TIME = new Date(0);

/** Its pauses: each object is counted, and each pod is held against each quota of its namespace. */
export function* checkQuotas(state: DesiredState, tell: Tell): Paced<void> {
  const quotas = groupBy([...state.values()].filter(isQuota), namespaceOf);
  if (quotas.size === 0) return;
  const ranges = groupBy(
    [...state.values()].filter(isRange).map(({ object }) => object),
    ({ metadata }) => metadata.namespace ?? '',
  );
  const amounts = new Map([...quotas.keys()].map((namespace) => [namespace, new Map<string, number>()]));
  for (const desired of state.values()) {
    yield;
    const namespace = namespaceOf(desired);
    const [own, sum] = [quotas.get(namespace), amounts.get(namespace)];
    if (!own || !sum) continue;
    if (comesFromGit(desired)) add(sum, usageOf(desired.object, NO_TIME));
    const template = podTemplateOf(desired.object);
    if (!template) continue;
    const limited = withLimitDefaults({ metadata: {}, spec: template.spec }, ranges.get(namespace) ?? []);
    const { spec } = withRuntimeClass(limited, classOf(template.spec, state));
    const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: '' }, spec };
    for (const { object: quota } of own) {
      yield;
      const why = neverMade(pod, quota);
      if (why === undefined) continue;
      tell(
        'error',
        'QuotaExceeded',
        positionOf(desired, ...template.path),
        `${pathText(template.path)}: ${why}: ResourceQuota ${quota.metadata.name} lets no such pod be made`,
        'change its resources, or the quota; a LimitRange fills in what containers do not say',
      );
    }
  }
  for (const [namespace, own] of quotas) {
    for (const quota of own) {
      yield;
      checkQuota(quota, amounts.get(namespace), tell);
    }
  }
}

/** There are as many at least. What controllers make besides is refused when it is made. */
function comesFromGit({ object: { kind } }: DesiredObject): boolean {
  return FROM_GIT.has(kind) || kind === 'PersistentVolumeClaim';
}

function neverMade(pod: Pod, { spec }: ResourceQuota): string | undefined {
  if (!concerns(spec, pod)) return undefined;
  const lacks = unsaid(pod.spec, Object.keys(spec.hard));
  if (lacks !== undefined) return lacks;
  const most = amountsIn(spec.hard);
  for (const [resource, amount] of usageOf(pod, NO_TIME)) {
    const hard = most.get(resource);
    // How many there may be is no pod's fault.
    if (hard !== undefined && amount > hard && amount > 1)
      return `one takes ${quantityOf(resource, amount)} of ${resource}, and there may be ${quantityOf(resource, hard)}`;
  }
  return undefined;
}

function checkQuota(quota: Quota, amounts: Amounts | undefined, tell: Tell): void {
  const { metadata, spec } = quota.object;
  if (spec.scopes?.length || spec.scopeSelector?.matchExpressions.length) return;
  for (const [resource, hard] of amountsIn(spec.hard)) {
    const amount = amounts?.get(resource) ?? 0;
    if (!kindOfResource(resource) || amount <= hard) continue;
    tell(
      'error',
      'QuotaExceeded',
      positionOf(quota, 'spec', 'hard', resource),
      `namespace ${metadata.namespace ?? ''} has ${quantityOf(resource, amount)} of ${resource}, and ResourceQuota ${metadata.name} allows ${quantityOf(resource, hard)}`,
      'remove some of them, or raise the quota',
    );
  }
}

function namespaceOf({ object: { metadata } }: DesiredObject): string {
  return metadata.namespace ?? '';
}

function isQuota(desired: DesiredObject): desired is Quota {
  return desired.object.kind === 'ResourceQuota';
}

function isRange(desired: DesiredObject): desired is DesiredObject & { readonly object: LimitRange } {
  return desired.object.kind === 'LimitRange';
}
