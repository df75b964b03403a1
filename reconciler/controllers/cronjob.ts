/** CronJobs: makes a Job for each slot. A delayed key of its queue wakes it; what is due it works out itself. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planCronJob } from '../core/workloads/cronjob.ts';
import { controllerKeys } from './owned-keys.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const cronJob = view.get(objectKey('CronJob', namespace, name));
  if (!cronJob) return { steps: [] };
  return planCronJob({
    cronJob,
    jobs: view.ownedBy('Job', cronJob.metadata.uid),
    jobNamed: (jobName) => view.get(objectKey('Job', namespace, jobName)),
    now,
  });
}

export const cronJobController: Controller = {
  name: 'cronjob-controller',
  kind: 'CronJob',
  actsByTheClock: true,
  watches: { Job: (job, view) => controllerKeys('CronJob', job, view) },
  decide,
};
