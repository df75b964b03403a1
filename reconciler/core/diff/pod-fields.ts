/**
 * What of a pod may change once it exists. Source: Kubernetes pkg/apis/core/validation, ValidatePodUpdate: images,
 * activeDeadlineSeconds, added tolerations, gates that are taken away; and ValidatePodResize: cpu and memory.
 */
import {
  isSidecar,
  lastingContainers,
  readKey,
  type Container,
  type Pod,
  type Toleration,
} from '../../../contracts/objects/index.ts';
import { RESIZABLE } from '../../../contracts/objects/pod-requests.ts';
import { hasPodResources, qosClass } from '../../../contracts/objects/qos.ts';
import { equal } from '../fields/json.ts';
import { mergeTolerations } from '../runtime-classes/pod-class.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { cannotChange, RENAME, type FixedField } from './fixed-fields.ts';

/** Where a pod runs is chosen for it, unless its manifest says it. */
const SPEC: FixedField<'Pod'> = {
  path: ['spec'],
  hint: 'of a Pod only container images, cpu and memory, activeDeadlineSeconds and tolerations can change, and schedulingGates can be taken away; use a Deployment, or give it a new name',
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
    // Nobody writes them in Git.
    ephemeralContainers: _ephemeral,
    ...rest
  } = spec;
  const strip = ({ image: _image, imagePullPolicy: _policy, ...container }: Container): Container =>
    container as typeof container & Container;
  const stripAll = (one: Container): Container => strip(withoutResizable(one));
  return {
    ...rest,
    containers: containers.map(stripAll),
    ...(initContainers && {
      initContainers: initContainers.map((one) => (isSidecar(one) ? stripAll(one) : strip(one))),
    }),
  };
}

function withoutResizable(container: Container): Container {
  const { limits = {}, requests = {}, ...others } = container.resources as Resources;
  const rest = (list: Amounts): Amounts =>
    Object.fromEntries(Object.entries(list).filter(([name]) => !RESIZABLE.some((one) => one === name)));
  return { ...container, resources: { ...others, limits: rest(limits), requests: rest(requests) } };
}

type Amounts = Readonly<Record<string, string>>;
interface Resources {
  readonly limits?: Amounts;
  readonly requests?: Amounts;
}

/** Containers are resized while the pod stays what it is. */
const RESIZE: FixedField<'Pod'> = {
  path: ['spec', 'containers'],
  hint: 'change the amounts only, or give it a new name',
  broken: ({ live, after, wanted, applied }) => {
    if (!isResized(live, after) || (applied && !isResized(applied, wanted))) return undefined;
    if (hasPodResources(live.spec)) return 'a pod that says resources as a whole is not resized';
    for (const part of ['limits', 'requests'] as const)
      if (isLost(live, after, part)) return `resource ${part} cannot be removed`;
    return qosClass(live.spec) === qosClass(after.spec)
      ? undefined
      : `the pod's QoS class may not change as a result of resizing: it is ${qosClass(live.spec)}, and would be ${qosClass(after.spec)}`;
  },
};

function isLost(before: Pod, after: Pod, part: 'limits' | 'requests'): boolean {
  return resizedPairs(before, after).some(([was, is]) =>
    RESIZABLE.some(
      (name) => readKey(was[part] ?? {}, name) !== undefined && readKey(is[part] ?? {}, name) === undefined,
    ),
  );
}

function isResized(before: Pod, after: Pod): boolean {
  return resizedPairs(before, after).length > 0;
}

function resizedPairs(before: Pod, after: Pod): readonly (readonly [Resources, Resources])[] {
  return resizedContainers(before, after).map(([was, is]) => [was.resources as Resources, is.resources as Resources]);
}

/** Those that have other amounts of cpu or memory, before and after. */
function resizedContainers(before: Pod, after: Pod): readonly (readonly [Container, Container])[] {
  const were = new Map(lastingContainers(before.spec).map((container) => [container.name, container]));
  return lastingContainers(after.spec).flatMap((is) => {
    const was = were.get(is.name);
    return was && changedAmounts(was, is).length > 0 ? [[was, is] as const] : [];
  });
}

function changedAmounts(was: Container, is: Container): readonly (typeof RESIZABLE)[number][] {
  const [before, after] = [was.resources as Resources, is.resources as Resources];
  return RESIZABLE.filter((name) =>
    (['limits', 'requests'] as const).some(
      (part) => readKey(before[part] ?? {}, name) !== readKey(after[part] ?? {}, name),
    ),
  );
}

/** What a plan says of a pod whose resources change; undefined where they do not. */
export function resizeNote(before: Pod, after: Pod): string | undefined {
  const resized = resizedContainers(before, after);
  if (resized.length === 0) return undefined;
  const restarted = resized
    .filter(([was, is]) =>
      changedAmounts(was, is).some((name) => is.resizePolicy?.some(({ resourceName }) => resourceName === name)),
    )
    .map(([, { name }]) => name);
  return restarted.length === 0 ? 'resized in place' : `resized in place; restarts ${restarted.join(', ')}`;
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
    const kept = new Set(named(after).map(canonicalJson));
    const missing = named(live).some((one) => !kept.has(canonicalJson(one)));
    if (!missing || (applied && equal(named(applied), named(wanted)))) return undefined;
    return 'spec.tolerations cannot be taken away once they exist';
  },
};

/** Source: Kubernetes, KEP-3521: gates are taken away, never added. */
const GATES: FixedField<'Pod'> = {
  path: ['spec'],
  hint: RENAME,
  broken: ({ live, after, applied }) => {
    const gatesOf = (pod: Pod | undefined): ReadonlySet<string> =>
      new Set(pod?.spec.schedulingGates?.map(({ name }) => name));
    const before = gatesOf(live);
    const added = (after.spec.schedulingGates ?? []).find(({ name }) => !before.has(name));
    if (!added || gatesOf(applied).has(added.name)) return undefined;
    return `the scheduling gate ${added.name} cannot be added once it exists`;
  },
};

export const POD_FIELDS: readonly FixedField<'Pod'>[] = [SPEC, RESIZE, DEADLINE, TOLERATIONS, GATES];

/**
 * What Git says of a pod, with the node labels and tolerations that the live one has: of a pod that names a RuntimeClass
 * the class may have added some when it was made. They stay for as long as Git says what it said before; tolerations
 * stay beside others that it says now, as in a pod that is made now: a recovery knows it by that. `applied`: what it said
 * before; undefined where nobody knows.
 */
export function asMade(wanted: Pod, applied: Pod | undefined, live: Pod): Pod {
  const { runtimeClassName, nodeSelector, tolerations } = live.spec;
  if (runtimeClassName === undefined) return wanted;
  const isAsBefore = (name: 'nodeSelector' | 'tolerations'): boolean =>
    applied === undefined || equal(applied.spec[name], wanted.spec[name]);
  const spec = {
    ...wanted.spec,
    ...(wanted.spec.nodeSelector && nodeSelector && isAsBefore('nodeSelector') && { nodeSelector }),
    tolerations: isAsBefore('tolerations')
      ? tolerations
      : mergeTolerations(wanted.spec.tolerations, givenTolerations(wanted, applied, live)),
  };
  return { ...wanted, spec };
}

/** Those that Git neither says nor said. */
function givenTolerations(wanted: Pod, applied: Pod | undefined, live: Pod): readonly Toleration[] {
  const said = new Set([...named(wanted), ...(applied ? named(applied) : [])].map(canonicalJson));
  return live.spec.tolerations.filter((one) => !said.has(canonicalJson(withoutSeconds(one))));
}

function named({ spec }: Pod): readonly Toleration[] {
  return spec.tolerations.map(withoutSeconds);
}

function withoutSeconds({ tolerationSeconds: _seconds, ...one }: Toleration): Toleration {
  return one;
}
