/**
 * What of a pod may change once it exists. Source: Kubernetes pkg/apis/core/validation, ValidatePodUpdate: images,
 * activeDeadlineSeconds, added tolerations, gates that are taken away.
 */
import type { Pod, Toleration } from '../../../contracts/objects/index.ts';
import { equal } from '../fields/json.ts';
import { cannotChange, RENAME, type FixedField } from './fixed-fields.ts';

/** Where a pod runs is chosen for it, unless its manifest says it. */
const SPEC: FixedField<'Pod'> = {
  path: ['spec'],
  hint: 'of a Pod only container images, activeDeadlineSeconds and tolerations can change, and schedulingGates can be taken away; use a Deployment, or give it a new name',
  broken: ({ live, after, wanted, applied }) => {
    if (equal(specThatStays(live), specThatStays(after))) return undefined;
    return applied && equal(specThatStays(applied), specThatStays(wanted)) ? undefined : cannotChange(['spec']);
  },
};

/** The spec without what may change, here or by the rules below. */
function specThatStays({ spec }: Pod): Partial<Pod['spec']> {
  const {
    containers,
    initContainers,
    schedulingGates: _gates,
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    ...rest
  } = spec;
  const strip = (list: Pod['spec']['containers']): Pod['spec']['containers'] =>
    list.map(
      ({ image: _image, imagePullPolicy: _policy, ...container }) =>
        container as typeof container & (typeof list)[number],
    );
  return { ...rest, containers: strip(containers), ...(initContainers && { initContainers: strip(initContainers) }) };
}

/** It can be set, and brought forward. */
const DEADLINE: FixedField<'Pod'> = {
  path: ['spec', 'activeDeadlineSeconds'],
  hint: 'it can only be lowered',
  broken: ({ live, after, wanted, applied }) => {
    const [before, now] = [live, after].map(({ spec }) => spec.activeDeadlineSeconds);
    if (before === undefined || before === now) return undefined;
    if (applied && applied.spec.activeDeadlineSeconds === wanted.spec.activeDeadlineSeconds) return undefined;
    if (now === undefined) return 'spec.activeDeadlineSeconds cannot be taken away once it is set';
    return now > before ? `spec.activeDeadlineSeconds must be less than or equal to ${before}` : undefined;
  },
};

/** What is tolerated may become more, and for longer. Source: Kubernetes, ValidateTolerations and its update. */
const TOLERATIONS: FixedField<'Pod'> = {
  path: ['spec', 'tolerations'],
  hint: 'tolerations can only be added, and change their tolerationSeconds',
  broken: ({ live, after, wanted, applied }) => {
    const named = ({ spec }: Pod): readonly Toleration[] =>
      (spec.tolerations ?? []).map(({ tolerationSeconds: _seconds, ...one }) => one);
    const missing = named(live).some((one) => !named(after).some((other) => equal(one, other)));
    if (!missing || (applied && equal(named(applied), named(wanted)))) return undefined;
    return 'spec.tolerations cannot be taken away once they exist';
  },
};

/** Source: Kubernetes, KEP-3521: gates are taken away, never added. */
const GATES: FixedField<'Pod'> = {
  path: ['spec'],
  hint: RENAME,
  broken: ({ live, after, applied }) => {
    const has = (pod: Pod | undefined, gate: string): boolean =>
      pod?.spec.schedulingGates?.some(({ name }) => name === gate) ?? false;
    const added = (after.spec.schedulingGates ?? []).find(({ name }) => !has(live, name));
    if (!added || has(applied, added.name)) return undefined;
    return `the scheduling gate ${added.name} cannot be added once it exists`;
  },
};

export const POD_FIELDS: readonly FixedField<'Pod'>[] = [SPEC, DEADLINE, TOLERATIONS, GATES];
