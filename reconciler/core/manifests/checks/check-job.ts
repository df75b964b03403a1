/** Job and CronJob. Source: Kubernetes, pkg/apis/batch/validation/validation.go. */
import {
  JOB_NAME_LABELS,
  JOB_UID_LABELS,
  readKey,
  selectorMatches,
  type CronJob,
  type Job,
  type JobSpec,
} from '../../../../contracts/objects/index.ts';
import { cronSchedule, isBad } from '../../workloads/cron-schedule.ts';
import { badIndexes, Indexes } from '../../workloads/indexes.ts';
import { isTimeZone } from '../../workloads/wall-clock.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkSelector } from './check-selector.ts';
import type { CheckContext } from './context.ts';

/** It is a label's value on every pod, and the beginning of host names. */
const MAX_JOB_NAME = 63;
/** A Job's name is that of its CronJob, a hyphen and ten digits of minutes. */
const MAX_CRON_JOB_NAME = 52;
/** Bounds the size of an indexed Job's status. Source: KEP-2214 and KEP-3850. */
const MOST_INDEXED = 100_000;
const MOST_OF_MANY = 10_000;

export function checkJob(job: Job, context: CheckContext): void {
  const { metadata, spec } = job;
  if (metadata.name.length > MAX_JOB_NAME)
    context.error('InvalidValue', ['metadata', 'name'], `must be no more than ${MAX_JOB_NAME} characters`);
  if (spec.completionMode === 'Indexed') checkHostNames(job, context);
  checkSelectorOf(job, context);
  checkJobSpec(spec, ['spec'], context);
}

export function checkCronJob({ metadata, spec }: CronJob, context: CheckContext): void {
  const { error, warning } = context;
  if (metadata.name.length > MAX_CRON_JOB_NAME)
    error('InvalidValue', ['metadata', 'name'], `must be no more than ${MAX_CRON_JOB_NAME} characters`);
  const { schedule, timeZone, jobTemplate } = spec;
  const zoneIsSound = timeZone === undefined || isTimeZone(timeZone);
  if (!zoneIsSound)
    error('InvalidValue', ['spec', 'timeZone'], `must be a time zone such as Europe/Berlin, found ${timeZone}`);
  const read = cronSchedule(schedule, zoneIsSound ? (timeZone ?? 'UTC') : 'UTC');
  if (isBad(read)) error('InvalidValue', ['spec', 'schedule'], read.problem);
  // Any moment serves: what does not come within five years comes never.
  else if (read.next(new Date(0)) === undefined)
    warning('InvalidValue', ['spec', 'schedule'], 'never comes: no year has such a day');
  const path = ['spec', 'jobTemplate', 'spec'];
  if (jobTemplate.spec.selector !== undefined)
    error('ForbiddenField', [...path, 'selector'], 'may not be set: each Job gets its own', 'remove it');
  if (jobTemplate.spec.manualSelector)
    error(
      'ForbiddenField',
      [...path, 'manualSelector'],
      'may not be true: each Job gets its own selector',
      'remove it',
    );
  checkJobSpec(jobTemplate.spec, path, context);
}

/** Pods of an index have the host name JOB-INDEX. */
function checkHostNames({ metadata, spec }: Job, { error }: CheckContext): void {
  const last = `${metadata.name}-${Math.max(0, (spec.completions ?? 1) - 1)}`;
  if (last.length > MAX_JOB_NAME || metadata.name.includes('.'))
    error(
      'InvalidValue',
      ['metadata', 'name'],
      `must be a host name together with an index: ${last} is none`,
      `use at most ${MAX_JOB_NAME} characters in all, and no dots`,
    );
}

function checkSelectorOf({ metadata, spec }: Job, context: CheckContext): void {
  const { selector, template, manualSelector } = spec;
  const labels = template.metadata.labels;
  const labelPath = ['spec', 'template', 'metadata', 'labels'];
  if (!manualSelector) {
    if (selector !== undefined)
      context.error(
        'ForbiddenField',
        ['spec', 'selector'],
        'may not be set: a Job finds its pods by its own uid',
        'remove it, or set manualSelector: true',
      );
    for (const label of JOB_UID_LABELS)
      if (readKey(labels, label) !== undefined)
        context.error('ForbiddenField', [...labelPath, label], 'may not be set: it is the uid of the Job', 'remove it');
    for (const label of JOB_NAME_LABELS) {
      const value = readKey(labels, label);
      if (value !== undefined && value !== metadata.name)
        context.error(
          'InvalidValue',
          [...labelPath, label],
          `must be the name of the Job, found ${value}`,
          'remove it',
        );
    }
    return;
  }
  if (selector === undefined) {
    context.error('MissingField', ['spec', 'selector'], 'is required where manualSelector is true');
    return;
  }
  const isEmpty = Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  if (isEmpty) context.error('InvalidValue', ['spec', 'selector'], 'must not be empty: a Job would take every pod');
  else if (checkSelector(selector, ['spec', 'selector'], context) && !selectorMatches(selector, labels))
    context.error('SelectorMismatch', ['spec', 'selector'], 'does not match the labels of spec.template');
}

/** What the specs of a Job and of a CronJob's template have in common. */
function checkJobSpec(spec: JobSpec, path: FieldPath, context: CheckContext): void {
  const { restartPolicy } = spec.template.spec;
  if (restartPolicy === 'Always')
    context.error(
      context.has([...path, 'template', 'spec', 'restartPolicy']) ? 'InvalidValue' : 'MissingField',
      [...path, 'template', 'spec', 'restartPolicy'],
      'must be OnFailure or Never: the pods of a Job come to an end',
    );
  checkIndexing(spec, path, context);
  checkFailurePolicy(spec, path, context);
  checkSuccessPolicy(spec, path, context);
}

function checkIndexing(spec: JobSpec, path: FieldPath, { error }: CheckContext): void {
  const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const indexed = completionMode === 'Indexed';
  const needs = (field: string, what: string): void =>
    error('ForbiddenField', [...path, field], `may only be set ${what}`, `remove it, or add that`);
  if (indexed && completions === undefined)
    error('MissingField', [...path, 'completions'], 'is required when completionMode is Indexed');
  if (indexed && parallelism > MOST_INDEXED)
    error('InvalidValue', [...path, 'parallelism'], `must be at most ${MOST_INDEXED} when completionMode is Indexed`);
  if (!indexed && backoffLimitPerIndex !== undefined) needs('backoffLimitPerIndex', 'when completionMode is Indexed');
  if (maxFailedIndexes === undefined) {
    if (backoffLimitPerIndex !== undefined && (completions ?? 0) > MOST_INDEXED)
      error('MissingField', [...path, 'maxFailedIndexes'], `is required when completions is above ${MOST_INDEXED}`);
  } else if (backoffLimitPerIndex === undefined) needs('maxFailedIndexes', 'together with backoffLimitPerIndex');
  else if (maxFailedIndexes > Math.min(completions ?? 0, MOST_INDEXED))
    error('InvalidValue', [...path, 'maxFailedIndexes'], `must be at most completions, and at most ${MOST_INDEXED}`);
  if (backoffLimitPerIndex !== undefined && (completions ?? 0) > MOST_INDEXED) {
    for (const [field, value] of Object.entries({ parallelism, maxFailedIndexes }))
      if ((value ?? 0) > MOST_OF_MANY)
        error(
          'InvalidValue',
          [...path, field],
          `must be at most ${MOST_OF_MANY} when completions is above ${MOST_INDEXED}`,
        );
  }
}

function checkFailurePolicy(spec: JobSpec, path: FieldPath, { error }: CheckContext): void {
  if (!spec.podFailurePolicy) return;
  const { containers, initContainers = [], restartPolicy } = spec.template.spec;
  if (restartPolicy === 'OnFailure')
    error(
      'InvalidValue',
      [...path, 'template', 'spec', 'restartPolicy'],
      'must be Never where there is a podFailurePolicy',
    );
  if (spec.podReplacementPolicy !== 'Failed')
    error('InvalidValue', [...path, 'podReplacementPolicy'], 'must be Failed where there is a podFailurePolicy');
  const names = [...containers, ...initContainers].map(({ name }) => name);
  for (const [i, { action, onExitCodes }] of spec.podFailurePolicy.rules.entries()) {
    const at = [...path, 'podFailurePolicy', 'rules', i];
    if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined)
      error('InvalidValue', [...at, 'action'], 'may only be FailIndex where there is a backoffLimitPerIndex');
    if (!onExitCodes) continue;
    const { containerName, operator, values } = onExitCodes;
    if (containerName !== undefined && !names.includes(containerName))
      error(
        'InvalidValue',
        [...at, 'onExitCodes', 'containerName'],
        `${containerName} is no container of the template`,
      );
    if (operator === 'In' && values.includes(0))
      error('InvalidValue', [...at, 'onExitCodes', 'values'], 'must not have 0 with the operator In: it is no failure');
    if (values.some((value, place) => place > 0 && value <= (values[place - 1] ?? 0)))
      error('InvalidValue', [...at, 'onExitCodes', 'values'], 'must be in ascending order, none twice');
  }
}

function checkSuccessPolicy(spec: JobSpec, path: FieldPath, { error }: CheckContext): void {
  if (!spec.successPolicy) return;
  if (spec.completionMode !== 'Indexed')
    error('ForbiddenField', [...path, 'successPolicy'], 'may only be set when completionMode is Indexed', 'remove it');
  const completions = spec.completions ?? 0;
  for (const [i, { succeededIndexes, succeededCount }] of spec.successPolicy.rules.entries()) {
    const at = [...path, 'successPolicy', 'rules', i];
    const bad = succeededIndexes === undefined ? undefined : badIndexes(succeededIndexes, completions);
    if (bad !== undefined) error('InvalidValue', [...at, 'succeededIndexes'], bad);
    const most = succeededIndexes === undefined ? completions : Indexes.parse(succeededIndexes, completions).size;
    if (succeededCount !== undefined && bad === undefined && succeededCount > most)
      error('InvalidValue', [...at, 'succeededCount'], `must be at most ${most}: there are no more indexes`);
  }
}
