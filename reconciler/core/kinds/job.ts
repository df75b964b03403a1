/** Job: runs pods of one template until enough of them have succeeded. */
import { KINDS, type Job } from '../../../contracts/objects/index.ts';
import { COMPLETIONS, neverChanges } from '../diff/fixed-fields.ts';
import { jobHealth } from '../health/job.ts';
import { checkJob } from '../manifests/checks/check-job.ts';
import { jobPodFilled, mostJobPods, selectorOf } from '../workloads/job-pods.ts';
import { AGE, age, labelsText, NAME, type Seen } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const JOB: KindDescriptor<'Job'> = {
  identity: KINDS.Job,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'STATUS', cell: statusWord },
    { heading: 'COMPLETIONS', cell: completions },
    { heading: 'DURATION', cell: duration },
    AGE,
    { heading: 'CONTAINERS', wide: true, cell: (j) => j.spec.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', wide: true, cell: (j) => j.spec.template.spec.containers.map((c) => c.image).join(',') },
    { heading: 'SELECTOR', wide: true, cell: (j) => labelsText(selectorOf(j)?.matchLabels) },
  ],
  listed: 'by key',
  check: { object: checkJob },
  compared: 'none',
  podTemplate: { ...TEMPLATE, rollout: 'none', makes: { filled: jobPodFilled, most: mostJobPods, runsOnce: true } },
  references: referencesOfTemplate,
  owns: ['Pod'],
  summary: { of: (job) => `${statusWord(job)}, ${completions(job)} succeeded` },
  selector: { of: selectorOf },
  scale: 'none',
  placement: 'none',
  health: { judge: jobHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [
    neverChanges('spec', 'template'),
    neverChanges('spec', 'selector'),
    neverChanges('spec', 'manualSelector'),
    neverChanges('spec', 'completionMode'),
    neverChanges('spec', 'podFailurePolicy'),
    neverChanges('spec', 'backoffLimitPerIndex'),
    neverChanges('spec', 'successPolicy'),
    COMPLETIONS,
  ],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 46 },
  subresources: [],
};

/** Source: kubectl, printJob: `Terminating` comes before `Suspended`, and those after what is final. */
function statusWord({ metadata, status }: Job): string {
  const is = (type: string): boolean =>
    status?.conditions?.some((c) => c.type === type && c.status === 'True') === true;
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (is('Suspended')) return 'Suspended';
  if (is('FailureTarget')) return 'FailureTarget';
  return is('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return spec.parallelism > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function duration({ status }: Job, { now }: Seen): string {
  if (status?.startTime === undefined) return '';
  return age(status.startTime, status.completionTime === undefined ? now : new Date(status.completionTime));
}
