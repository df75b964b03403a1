/** Names that pods use of the scheduler's settings, and settings of which there is one. */
import {
  namesOf,
  DEFAULT_SCHEDULER_NAME,
  KINDS,
  objectKey,
  POD_GROUP_LABEL,
  SYSTEM_PRIORITIES,
  type Kind,
  type KubeSchedulerConfiguration,
  type ObjectKey,
  type PriorityClass,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

type Desired<T> = DesiredObject & { readonly object: T };

/** Kinds of which a repository has one object at most are checked against each other. */
export function checkSingletons(state: DesiredState, tell: Tell): void {
  const first = new Map<Kind, DesiredObject>();
  for (const desired of state.values()) {
    const { kind, metadata } = desired.object;
    if (KINDS[kind].defaultName === undefined) continue;
    const other = first.get(kind);
    if (!other) first.set(kind, desired);
    else
      tell(
        'error',
        'MultipleConfigurations',
        desired.position,
        `a repository has one ${kind}; the first is ${other.object.metadata.name} at ${placeOf(other)}`,
        `move what ${metadata.name} says there, and remove it here`,
      );
  }
}

/** At most one PriorityClass is the default of all pods. */
export function checkGlobalDefault(state: DesiredState, tell: Tell): void {
  const [first, ...more] = [...state.values()].filter(
    (d): d is Desired<PriorityClass> => d.object.kind === 'PriorityClass' && d.object.globalDefault,
  );
  if (!first) return;
  for (const other of more) {
    const message = `PriorityClass ${first.object.metadata.name} (${placeOf(first)}) is marked as default already`;
    tell(
      'error',
      'MultipleGlobalDefaults',
      positionOf(other, 'globalDefault'),
      message,
      'at most one PriorityClass has globalDefault: true',
    );
  }
}

/** What pods name: a PriorityClass, a profile of the scheduler, a PodGroup. `declared`: also what was refused. */
export function checkPlacementReferences(
  state: DesiredState,
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const classNames = [...namesOf('PriorityClass', declared), ...Object.keys(SYSTEM_PRIORITIES)];
  const classes = new Set(classNames);
  const schedulers = schedulerNames(state, declared);
  for (const desired of state.values()) {
    const template = podTemplateOf(desired.object);
    if (!template) continue;
    const { priorityClassName, schedulerName, nodeName } = template.spec;
    if (priorityClassName !== undefined && !classes.has(priorityClassName)) {
      const close = suggestions.closest(priorityClassName, () => classNames);
      const path = [...template.path, 'priorityClassName'];
      tell(
        'error',
        'UnknownPriorityClass',
        positionOf(desired, ...path),
        `${pathText(path)} names PriorityClass ${priorityClassName}, which is in no manifest`,
        close ? `did you mean ${close}?` : 'add a manifest of kind PriorityClass with this name',
      );
    }
    // A pod that has its node is given to no scheduler.
    if (schedulers && nodeName === undefined && !schedulers.has(schedulerName))
      tellScheduler(desired, [...template.path, 'schedulerName'], schedulerName, [...schedulers], suggestions, tell);
    const group = template.labels[POD_GROUP_LABEL];
    if (group !== undefined && !declared.has(objectKey('PodGroup', desired.object.metadata.namespace, group))) {
      tell(
        'warning',
        'MissingReference',
        desired.position,
        `its pods have the label ${POD_GROUP_LABEL}: ${group}, but PodGroup ${group} is in no manifest`,
        'they wait until it exists',
      );
    }
  }
}

function tellScheduler(
  desired: DesiredObject,
  path: readonly (string | number)[],
  name: string,
  schedulers: readonly string[],
  suggestions: Suggestions,
  tell: Tell,
): void {
  const close = suggestions.closest(name, () => schedulers);
  const hint = close ? `did you mean ${close}?` : `profiles of KubeSchedulerConfiguration: ${andMore(schedulers, 12)}`;
  tell(
    'error',
    'UnknownScheduler',
    positionOf(desired, ...path),
    `${pathText(path)} names ${name}, which is no profile of the scheduler: no pod would ever get a node`,
    hint,
  );
}

/** Names of the scheduler's profiles; undefined where its configuration was refused, so that they are not known. */
function schedulerNames(state: DesiredState, declared: ReadonlySet<ObjectKey>): ReadonlySet<string> | undefined {
  const configurations = [...state.values()].filter(
    (d): d is Desired<KubeSchedulerConfiguration> => d.object.kind === 'KubeSchedulerConfiguration',
  );
  if (configurations.length < namesOf('KubeSchedulerConfiguration', declared).length) return undefined;
  return new Set(
    configurations.length === 0
      ? [DEFAULT_SCHEDULER_NAME]
      : configurations.flatMap((d) => d.object.profiles.map((p) => p.schedulerName)),
  );
}

function placeOf({ position }: DesiredObject): string {
  return `${position.file}:${position.line}`;
}
