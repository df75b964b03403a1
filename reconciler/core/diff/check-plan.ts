/** What a plan may not do. Checked before anything is carried out, so that a refused revision changes nothing. */
import type { ConfigMap, KubeObject, Secret } from '../../../contracts/objects/index.ts';
import { byPosition, positionOf, type DesiredObject, type Diagnostic } from '../manifests/index.ts';
import type { PlanCode } from './codes.ts';
import { equal } from './json.ts';
import { liveObject, obstacleOf, planSync } from './plan-sync.ts';
import { overPruneLimit } from './prune-limit.ts';
import type { Plan, PlanInput } from './types.ts';

/** Why a revision may not be applied over what is live; empty when it may. All are errors, ordered by position. */
export function checkPlan(input: PlanInput, plan: Plan = planSync(input)): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (const desired of input.desired.values()) {
    const live = liveObject(input, desired.key);
    if (!live) continue;
    const obstacle = obstacleOf(live, input.sourceName);
    if (obstacle?.owner === 'controller')
      diagnostics.push(
        refuse(
          'OwnedByController',
          desired,
          [],
          `${title(desired)} exists already and belongs to ${obstacle.name}`,
          'use another name',
        ),
      );
    else if (obstacle)
      diagnostics.push(
        refuse(
          'OwnedByOtherSource',
          desired,
          [],
          `${title(desired)} is applied by the source ${obstacle.name} already`,
          'keep it in one repository only',
        ),
      );
    else diagnostics.push(...immutableChanges(desired, live, input.applied.get(desired.key)?.object));
  }
  diagnostics.push(...pruneRefusals(input, plan));
  return diagnostics.sort(byPosition);
}

interface FixedField {
  readonly path: readonly string[];
  readonly value: (object: KubeObject) => unknown;
  readonly hint: string;
}

const RENAME = 'give it a new name, or delete it in one commit and add it in the next';

const DEPLOYMENT_SELECTOR: FixedField = {
  path: ['spec', 'selector'],
  value: (o) => (o.kind === 'Deployment' || o.kind === 'ReplicaSet' ? o.spec.selector : undefined),
  hint: RENAME,
};

/** Fields that can never change, by kind. Source: Kubernetes' update validation. */
const FIXED_FIELDS: { readonly [K in KubeObject['kind']]?: readonly FixedField[] } = {
  Deployment: [DEPLOYMENT_SELECTOR],
  ReplicaSet: [DEPLOYMENT_SELECTOR],
  Service: [
    { path: ['spec', 'clusterIP'], value: (o) => (o.kind === 'Service' ? o.spec.clusterIP : undefined), hint: RENAME },
  ],
  Secret: [{ path: ['type'], value: (o) => (o.kind === 'Secret' ? o.type : undefined), hint: RENAME }],
  PriorityClass: [
    { path: ['value'], value: (o) => (o.kind === 'PriorityClass' ? o.value : undefined), hint: RENAME },
    {
      path: ['preemptionPolicy'],
      value: (o) => (o.kind === 'PriorityClass' ? o.preemptionPolicy : undefined),
      hint: RENAME,
    },
  ],
  Pod: [
    {
      path: ['spec'],
      value: (o) => (o.kind === 'Pod' ? podSpecThatStays(o.spec) : undefined),
      hint: 'of a Pod only container images can change, and schedulingGates can be taken away; use a Deployment, or give it a new name',
    },
  ],
};

function immutableChanges(desired: DesiredObject, live: KubeObject, applied: KubeObject | undefined): Diagnostic[] {
  const { object } = desired;
  const found: Diagnostic[] = [];
  for (const { path, value, hint } of FIXED_FIELDS[object.kind] ?? []) {
    const wanted = value(object);
    if (wanted === undefined || fits(wanted, value(live)) || (applied && equal(value(applied), wanted))) continue;
    found.push(
      refuse(
        'ImmutableField',
        desired,
        path,
        `${title(desired)}: ${path.join('.')} cannot be changed once it exists`,
        hint,
      ),
    );
  }
  if (object.kind === 'Pod' && live.kind === 'Pod') {
    const added = (object.spec.schedulingGates ?? []).find(
      ({ name }) => !live.spec.schedulingGates?.some((gate) => gate.name === name),
    );
    const was =
      applied?.kind === 'Pod' &&
      added !== undefined &&
      applied.spec.schedulingGates?.some((gate) => gate.name === added.name);
    if (added && !was)
      found.push(
        refuse(
          'ImmutableField',
          desired,
          ['spec'],
          `${title(desired)}: the scheduling gate ${added.name} cannot be added once it exists`,
          RENAME,
        ),
      );
  }
  if (
    object.kind === 'Service' &&
    live.kind === 'Service' &&
    object.spec.clusterIP === undefined &&
    live.spec.clusterIP === 'None'
  ) {
    found.push(
      refuse(
        'ImmutableField',
        desired,
        ['spec'],
        `${title(desired)}: a headless Service cannot get an address once it exists`,
        RENAME,
      ),
    );
  }
  if (
    (live.kind === 'ConfigMap' || live.kind === 'Secret') &&
    live.immutable === true &&
    (object.kind === 'ConfigMap' || object.kind === 'Secret')
  ) {
    const hint = 'use a new name for the new content, and refer to that';
    for (const field of ['data', 'binaryData'] as const) {
      if (!equal(contentOf(object, field), contentOf(live, field))) {
        found.push(
          refuse(
            'ImmutableField',
            desired,
            [field],
            `${title(desired)}: ${field} cannot be changed, as it is marked immutable`,
            hint,
          ),
        );
      }
    }
    if (object.immutable !== true)
      found.push(
        refuse('ImmutableField', desired, ['immutable'], `${title(desired)}: immutable cannot be taken back`, hint),
      );
  }
  return found;
}

function contentOf(object: ConfigMap | Secret, field: 'data' | 'binaryData'): unknown {
  if (field === 'data') return object.data ?? {};
  return object.kind === 'ConfigMap' ? (object.binaryData ?? {}) : {};
}

/** Whether the live value is what is wanted. What the manifest does not name was chosen for it and does not count. */
function fits(wanted: unknown, live: unknown): boolean {
  if (live === undefined) return true;
  if (
    typeof wanted !== 'object' ||
    wanted === null ||
    !('containers' in wanted) ||
    typeof live !== 'object' ||
    live === null
  )
    return equal(wanted, live);
  const { nodeName, ...rest } = live as { readonly nodeName?: unknown };
  return equal(wanted, 'nodeName' in wanted ? { ...rest, nodeName } : rest);
}

/** The spec without what may change: images, and gates. */
function podSpecThatStays(spec: Extract<KubeObject, { kind: 'Pod' }>['spec']): unknown {
  const strip = (containers: typeof spec.containers | undefined): unknown =>
    containers?.map(({ image: _image, imagePullPolicy: _policy, ...rest }) => rest);
  const { containers, initContainers, schedulingGates: _gates, ...rest } = spec;
  return { ...rest, containers: strip(containers), ...(initContainers && { initContainers: strip(initContainers) }) };
}

/** Cluster.spec.sync.maxPrunePercent, of the objects that this source has live. */
function pruneRefusals(input: PlanInput, plan: Plan): Diagnostic[] {
  const cluster = [...input.desired.values()].find((d) => d.object.kind === 'Cluster');
  if (cluster?.object.kind !== 'Cluster') return [];
  const left = [...input.desired.keys()].filter((key) => input.live.has(key)).length;
  const message = overPruneLimit(cluster.object.spec.sync.maxPrunePercent, plan.counts.delete, left);
  if (message === undefined) return [];
  return [
    refuse(
      'PruneLimit',
      cluster,
      ['spec', 'sync', 'maxPrunePercent'],
      message,
      'if that is meant, set spec.sync.maxPrunePercent to 100 in the same commit, or delete in steps',
    ),
  ];
}

function title({ object }: DesiredObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function refuse(
  code: PlanCode,
  desired: DesiredObject,
  path: readonly string[],
  message: string,
  hint: string,
): Diagnostic {
  const position = path.length > 0 ? positionOf(desired, ...path) : desired.position;
  return { severity: 'error', code, ...position, message, hint };
}
