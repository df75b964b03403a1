/** CronJob: makes a Job for each slot of a schedule. */
import { KINDS, type CronJob, type CronJobSpec } from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { cronJobHealth } from '../health/job.ts';
import { checkCronJob } from '../manifests/checks/check-job.ts';
import { AGE, age, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

const TEMPLATE_PATH = ['spec', 'jobTemplate', 'spec', 'template'] as const;
const template = ({ spec }: CronJob): CronJobSpec['jobTemplate']['spec']['template'] => spec.jobTemplate.spec.template;

export const CRON_JOB: KindDescriptor<'CronJob'> = {
  identity: KINDS.CronJob,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'SCHEDULE', cell: (c) => c.spec.schedule },
    { heading: 'TIMEZONE', cell: (c) => c.spec.timeZone ?? NONE },
    { heading: 'SUSPEND', cell: (c) => (c.spec.suspend ? 'True' : 'False') },
    { heading: 'ACTIVE', cell: (c) => String(c.status?.active?.length ?? 0) },
    {
      heading: 'LAST SCHEDULE',
      cell: ({ status }, { now }) =>
        status?.lastScheduleTime === undefined ? NONE : age(status.lastScheduleTime, now),
    },
    AGE,
    {
      heading: 'CONTAINERS',
      wide: true,
      cell: (c) =>
        template(c)
          .spec.containers.map(({ name }) => name)
          .join(','),
    },
    {
      heading: 'IMAGES',
      wide: true,
      cell: (c) =>
        template(c)
          .spec.containers.map(({ image }) => image)
          .join(','),
    },
  ],
  listed: 'by key',
  check: { object: checkCronJob },
  compared: 'none',
  podTemplate: { path: TEMPLATE_PATH, of: template, rollout: 'none', makes: 'none' },
  references: {
    of: (cronJob) =>
      podReferences(template(cronJob).spec).map((reference) => ({
        ...reference,
        path: [...TEMPLATE_PATH, 'spec', ...reference.path],
      })),
  },
  owns: ['Job'],
  summary: 'none',
  /** Its Jobs are its own by their owner alone. */
  selector: { of: () => undefined },
  scale: 'none',
  placement: 'none',
  health: { judge: cronJobHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 43 },
  subresources: [],
};
