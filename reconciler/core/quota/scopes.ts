/**
 * Which pods a quota with scopes is about. Source: Kubernetes, podMatchesScopeFunc in
 * pkg/quota/v1/evaluator/core/pods.go.
 */
import { qosClass } from '../../../contracts/objects/qos.ts';
import type {
  KubeObject,
  PodAffinityTerm,
  PodSpec,
  QuotaScope,
  ResourceQuotaSpec,
  ScopeRequirement,
} from '../../../contracts/objects/index.ts';
import { kindOfResource } from './usage.ts';

/** Whether the quota counts the object: it limits something of its kind, and all scopes match. */
export function concerns({ hard, ...scoped }: ResourceQuotaSpec, object: KubeObject): boolean {
  if (!Object.keys(hard).some((resource) => kindOfResource(resource) === object.kind)) return false;
  return requirementsOf(scoped).every((one) => object.kind === 'Pod' && matches(object.spec, one));
}

/** Those of the list, which only have to be there, and those of the selector. */
function requirementsOf({
  scopes = [],
  scopeSelector,
}: Pick<ResourceQuotaSpec, 'scopes' | 'scopeSelector'>): readonly ScopeRequirement[] {
  return [
    ...scopes.map((scopeName): ScopeRequirement => ({ scopeName, operator: 'Exists' })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
}

function matches(spec: PodSpec, { scopeName, operator, values = [] }: ScopeRequirement): boolean {
  if (scopeName !== 'PriorityClass') return IS[scopeName](spec);
  const { priorityClassName } = spec;
  switch (operator) {
    case 'Exists':
      return priorityClassName !== undefined;
    case 'DoesNotExist':
      return priorityClassName === undefined;
    case 'In':
      return priorityClassName !== undefined && values.includes(priorityClassName);
    case 'NotIn':
      return priorityClassName === undefined || !values.includes(priorityClassName);
  }
}

const isTerminating = ({ activeDeadlineSeconds }: PodSpec): boolean => activeDeadlineSeconds !== undefined;
const isBestEffort = (spec: PodSpec): boolean => qosClass(spec) === 'BestEffort';

const IS: Readonly<Record<Exclude<QuotaScope, 'PriorityClass'>, (spec: PodSpec) => boolean>> = {
  Terminating: isTerminating,
  NotTerminating: (spec) => !isTerminating(spec),
  BestEffort: isBestEffort,
  NotBestEffort: (spec) => !isBestEffort(spec),
  CrossNamespacePodAffinity: ({ affinity }) =>
    [affinity?.podAffinity, affinity?.podAntiAffinity].some((terms) =>
      [
        ...(terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
      ].some(looksElsewhere),
    ),
};

function looksElsewhere({ namespaces, namespaceSelector }: PodAffinityTerm): boolean {
  return (namespaces ?? []).length > 0 || namespaceSelector !== undefined;
}
