/**
 * Where a pod may run: what goes with which operator, and what excludes what. Source: Kubernetes, validateAffinity and
 * validateTopologySpreadConstraints.
 */
import type {
  LabelSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodSpec,
} from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkSelector } from './check-selector.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/;
const WHOLE_NUMBER = /^-?\d+$/;

export function checkPlacement(spec: PodSpec, path: FieldPath, context: CheckContext): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const at: FieldPath = [...path, 'affinity'];
  nodeAffinity?.[REQUIRED]?.nodeSelectorTerms.forEach((term, i) => {
    checkNodeTerm(term, [...at, 'nodeAffinity', REQUIRED, 'nodeSelectorTerms', i], context);
  });
  nodeAffinity?.[PREFERRED]?.forEach(({ preference }, i) => {
    checkNodeTerm(preference, [...at, 'nodeAffinity', PREFERRED, i, 'preference'], context, false);
  });
  checkPodAffinity(podAffinity, [...at, 'podAffinity'], context);
  checkPodAffinity(podAntiAffinity, [...at, 'podAntiAffinity'], context);
  checkSpread(spec, path, context);
  checkGates(spec, path, context);
}

/** `strict`: whether values must be such that a label can have them, which Kubernetes asks of required terms only. */
function checkNodeTerm(term: NodeSelectorTerm, path: FieldPath, context: CheckContext, strict = true): void {
  term.matchExpressions?.forEach((requirement, i) => {
    checkNodeRequirement(requirement, [...path, 'matchExpressions', i, 'values'], context, strict);
  });
}

function checkNodeRequirement(
  { operator, values = [] }: NodeSelectorRequirement,
  at: FieldPath,
  { error }: CheckContext,
  strict: boolean,
): void {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) error('MissingField', at, `must have at least one entry when operator is ${operator}`);
      values.forEach((value, i) => {
        if (strict && !LABEL_VALUE.test(value))
          error('InvalidValue', [...at, i], `is no value that a label can have, found ${JSON.stringify(value)}`);
      });
      return;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) error('ForbiddenField', at, `may not be set when operator is ${operator}`, 'remove it');
      return;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        error(
          values.length === 0 ? 'MissingField' : 'InvalidValue',
          at,
          `must have exactly one entry when operator is ${operator}`,
        );
      else if (!WHOLE_NUMBER.test(values[0] ?? ''))
        error(
          'InvalidValue',
          [...at, 0],
          `must be a whole number when operator is ${operator}, found ${JSON.stringify(values[0])}`,
        );
  }
}

function checkPodAffinity(affinity: PodAffinity | undefined, path: FieldPath, context: CheckContext): void {
  affinity?.[REQUIRED]?.forEach((term, i) => {
    checkPodTerm(term, [...path, REQUIRED, i], context);
  });
  affinity?.[PREFERRED]?.forEach(({ podAffinityTerm }, i) => {
    checkPodTerm(podAffinityTerm, [...path, PREFERRED, i, 'podAffinityTerm'], context);
  });
}

function checkPodTerm(term: PodAffinityTerm, path: FieldPath, context: CheckContext): void {
  if (term.labelSelector) checkSelector(term.labelSelector, [...path, 'labelSelector'], context);
  if (term.namespaceSelector) checkSelector(term.namespaceSelector, [...path, 'namespaceSelector'], context);
  checkLabelKeys('matchLabelKeys', term.matchLabelKeys, term.labelSelector, path, context);
  checkLabelKeys('mismatchLabelKeys', term.mismatchLabelKeys, term.labelSelector, path, context);
  const matched = new Set(term.matchLabelKeys);
  term.mismatchLabelKeys?.forEach((key, i) => {
    if (matched.has(key))
      context.error(
        'InvalidValue',
        [...path, 'mismatchLabelKeys', i],
        `${key} is in matchLabelKeys too`,
        'remove one of the two',
      );
  });
}

/** Keys that are added to a selector, so there must be one that does not have them already. */
function checkLabelKeys(
  field: string,
  keys: readonly string[] | undefined,
  selector: LabelSelector | undefined,
  path: FieldPath,
  { error }: CheckContext,
): void {
  const taken = new Set([
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map((e) => e.key),
  ]);
  keys?.forEach((key, i) => {
    if (selector === undefined)
      error(
        'ForbiddenField',
        [...path, field, i],
        'may not be set without labelSelector',
        'add labelSelector, which may be empty: {}',
      );
    else if (taken.has(key))
      error('InvalidValue', [...path, field, i], `${key} is in labelSelector too`, 'remove one of the two');
  });
}

function checkSpread({ topologySpreadConstraints = [] }: PodSpec, path: FieldPath, context: CheckContext): void {
  for (const [i, constraint] of topologySpreadConstraints.entries()) {
    const at = [...path, 'topologySpreadConstraints', i];
    if (constraint.minDomains !== undefined && constraint.whenUnsatisfiable !== 'DoNotSchedule') {
      context.error('ForbiddenField', [...at, 'minDomains'], 'may be set only when whenUnsatisfiable is DoNotSchedule');
    }
    if (constraint.labelSelector) checkSelector(constraint.labelSelector, [...at, 'labelSelector'], context);
    checkLabelKeys('matchLabelKeys', constraint.matchLabelKeys, constraint.labelSelector, at, context);
  }
  eachDuplicate(
    topologySpreadConstraints,
    (c) => `${c.topologyKey} ${c.whenUnsatisfiable}`,
    ({ topologyKey, whenUnsatisfiable }, _, i) => {
      context.error(
        'DuplicateName',
        [...path, 'topologySpreadConstraints', i],
        `is another constraint with topologyKey ${topologyKey} and whenUnsatisfiable ${whenUnsatisfiable}`,
        'remove one of the two',
      );
    },
  );
}

function checkGates({ schedulingGates = [], nodeName }: PodSpec, path: FieldPath, { error }: CheckContext): void {
  eachDuplicate(
    schedulingGates,
    (gate) => gate.name,
    (_, name, i) => {
      error('DuplicateName', [...path, 'schedulingGates', i, 'name'], `${name} is the name of another gate`);
    },
  );
  if (nodeName !== undefined && schedulingGates.length > 0)
    error(
      'ForbiddenField',
      [...path, 'nodeName'],
      'may not be set together with schedulingGates',
      'remove one of the two',
    );
}
