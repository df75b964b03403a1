/** Jobs and CronJobs on real hosts: all are pushed at once, so that those which wait for a minute wait together. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  COMPLETION_INDEX,
  conditionIsTrue,
  findCondition,
  type StoredJob,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { isJobFinished } from '../../../reconciler/core/workloads/job.ts';
import { isActive } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

interface Task {
  /** Members of the Job's spec, as YAML flow. */
  readonly spec?: string;
  /** What its container does, in a shell. */
  readonly run: string;
  readonly restartPolicy?: 'Never' | 'OnFailure';
}

const INDEXED = 'completionMode: Indexed';
const FOREVER = 'sleep 600';

export const jobs: Theme = (fleet, round) => {
  const namespace = `jobs-${round}`;
  const file = (name: string): string => `${namespace}/${name}.yaml`;

  function jobSpec({ spec = '', run, restartPolicy = 'Never' }: Task): string {
    const container = [
      'name: main',
      'image: "registry.lab/busybox:1"',
      `command: [sh, -c, ${JSON.stringify(run)}]`,
      'resources: {requests: {cpu: 5m, memory: 4Mi}}',
      'volumeMounts: [{name: data, mountPath: /data}]',
    ].join(', ');
    const pod = `{restartPolicy: ${restartPolicy}, terminationGracePeriodSeconds: 1, volumes: [{name: data, emptyDir: {}}], containers: [{${container}}]}`;
    return `{${spec === '' ? '' : `${spec}, `}template: {spec: ${pod}}}`;
  }
  const job = (name: string, task: Task): string =>
    `apiVersion: batch/v1\nkind: Job\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${jobSpec(task)}\n`;
  const cronJob = (name: string, spec: string): string =>
    `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {schedule: "@every 10s", ${spec}, jobTemplate: {spec: ${jobSpec({ run: FOREVER })}}}\n`;

  const JOBS: Readonly<Record<string, Task>> = {
    restarts: {
      spec: 'completions: 4, parallelism: 2',
      run: '[ -e /data/once ] || { touch /data/once; exit 1; }',
      restartPolicy: 'OnFailure',
    },
    indexed: {
      spec: `${INDEXED}, completions: 4, parallelism: 2`,
      run: 'echo "$JOB_COMPLETION_INDEX $(hostname)"',
    },
    'per-index': {
      spec: `${INDEXED}, completions: 4, parallelism: 2, backoffLimitPerIndex: 0`,
      run: 'exit $((JOB_COMPLETION_INDEX % 2))',
    },
    'max-failed': {
      spec: `${INDEXED}, completions: 6, parallelism: 2, backoffLimitPerIndex: 0, maxFailedIndexes: 2`,
      run: 'exit 1',
    },
    'fail-index': {
      spec: `${INDEXED}, completions: 3, parallelism: 3, backoffLimitPerIndex: 2, podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [3]}}]}`,
      run: '[ "$JOB_COMPLETION_INDEX" != 1 ] || exit 3',
    },
    'fail-job': {
      spec: 'completions: 2, parallelism: 2, podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [3]}}]}',
      run: 'exit 3',
    },
    all: {
      spec: `${INDEXED}, completions: 2, parallelism: 2, successPolicy: {rules: [{succeededCount: 2}]}`,
      run: 'true',
    },
    count: {
      spec: `${INDEXED}, completions: 2, parallelism: 2, successPolicy: {rules: [{succeededCount: 1}]}`,
      run: `[ "$JOB_COMPLETION_INDEX" = 1 ] || ${FOREVER}`,
    },
    indexes: {
      spec: `${INDEXED}, completions: 2, parallelism: 2, successPolicy: {rules: [{succeededIndexes: "0"}]}`,
      run: `[ "$JOB_COMPLETION_INDEX" = 0 ] || ${FOREVER}`,
    },
  };

  let pushed: Promise<unknown> | undefined;
  const push = (): Promise<unknown> => (pushed ??= pushAll());
  async function pushAll(): Promise<void> {
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await fleet().write(
      file('cron'),
      [
        cronJob('allow', 'concurrencyPolicy: Allow'),
        cronJob('forbid', 'concurrencyPolicy: Forbid'),
        cronJob('replace', 'concurrencyPolicy: Replace'),
        cronJob('suspended', 'suspend: true'),
      ].join('---\n'),
    );
    for (const [name, task] of Object.entries(JOBS)) await fleet().write(file(name), job(name, task));
    await fleet().commitAndPush('Run Jobs');
  }

  const find = async (name: string): Promise<StoredJob | undefined> =>
    (await fleet().list('Job', namespace)).find(({ metadata }) => metadata.name === name);
  const podsOf = async (name: string): Promise<readonly StoredPod[]> =>
    (await fleet().list('Pod', namespace)).filter(
      ({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name) === true,
    );
  const finished = (name: string): Promise<StoredJob> =>
    eventually(`Job ${name} has finished`, 60, async () => {
      const found = await find(name);
      return found !== undefined && isJobFinished(found) && found;
    });
  const reason = ({ status }: StoredJob, type: string): string | undefined => {
    const condition = findCondition(status?.conditions, type);
    return condition?.status === 'True' ? condition.reason : undefined;
  };

  it('a Job completes after containers failed and were started again [conformance: jobs-completion-after-task-failure]', async () => {
    await push();
    const { status } = await finished('restarts');
    assert.ok(conditionIsTrue(status?.conditions, 'Complete'));
    assert.deepEqual([status?.succeeded, status?.failed, status?.active], [4, 0, 0]);
    for (const pod of await podsOf('restarts')) {
      assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 1);
      assert.deepEqual(pod.metadata.finalizers ?? [], []);
    }
  });

  it('each pod of an indexed Job has an index of its own, in its variable and host name [conformance: ensure-pods-of-an-indexed-job-get-a-unique-index]', async () => {
    await push();
    const { status } = await finished('indexed');
    assert.equal(status?.completedIndexes, '0-3');
    const pods = await podsOf('indexed');
    const indexes = pods.map(({ metadata }) => metadata.annotations?.[COMPLETION_INDEX] ?? '').sort();
    assert.deepEqual(indexes, ['0', '1', '2', '3']);
    for (const { metadata } of pods) {
      const index = metadata.labels?.[COMPLETION_INDEX];
      // The last lines of a container are written a moment after its end.
      await eventually(`${metadata.name} has said so`, 30, async () => {
        const { stdout } = await fleet().plumb('logs', metadata.name, '-n', namespace);
        return stdout.trim() === `${index} indexed-${index}` || Promise.reject(new Error(stdout));
      });
    }
  });

  it('an index that fails does not stop the others [conformance: ensure-that-all-indexes-are-executed-for-an-indexed]', async () => {
    await push();
    const found = await finished('per-index');
    assert.equal(reason(found, 'Failed'), 'FailedIndexes');
    const { completedIndexes, failedIndexes, succeeded, failed } = found.status ?? {};
    assert.deepEqual([completedIndexes, failedIndexes, succeeded, failed], ['0,2', '1,3', 2, 2]);
  });

  it('too many indexes that fail end the Job [conformance: terminate-job-execution-when-the-maxfailedindexes-is]', async () => {
    await push();
    assert.equal(reason(await finished('max-failed'), 'Failed'), 'MaxFailedIndexesExceeded');
  });

  it('an exit code ends the Job at once [conformance: verify-pod-failure-policy-allows-to-fail-job-early]', async () => {
    await push();
    const found = await finished('fail-job');
    assert.equal(reason(found, 'Failed'), 'PodFailurePolicy');
    assert.match(
      findCondition(found.status?.conditions, 'FailureTarget')?.message ?? '',
      /exit code 3 matching FailJob/,
    );
  });

  it('an exit code fails its index at once [conformance: mark-indexes-as-failed-when-the-failindex-action-is]', async () => {
    await push();
    const found = await finished('fail-index');
    assert.equal(reason(found, 'Failed'), 'FailedIndexes');
    const { completedIndexes, failedIndexes, succeeded, failed } = found.status ?? {};
    assert.deepEqual([completedIndexes, failedIndexes, succeeded, failed], ['0,2', '1', 2, 1]);
    assert.equal((await podsOf('fail-index')).length, 3, 'the index was not tried again');
  });

  it('a success policy over all indexes [conformance: ensure-that-job-with-successpolicy-succeeded-when]', async () => {
    await push();
    const found = await finished('all');
    assert.deepEqual(
      [reason(found, 'SuccessCriteriaMet'), reason(found, 'Complete')],
      ['SuccessPolicy', 'SuccessPolicy'],
    );
    assert.equal(found.status?.completedIndexes, '0,1');
  });

  it('a success policy over some of them ends the others [conformance: ensure-that-job-with-successpolicy-succeededcount, ensure-that-job-with-successpolicy-succeededindexes]', async () => {
    await push();
    for (const [name, index] of [
      ['count', '1'],
      ['indexes', '0'],
    ] as const) {
      const found = await finished(name);
      assert.equal(reason(found, 'Complete'), 'SuccessPolicy');
      assert.deepEqual([found.status?.completedIndexes, found.status?.active], [index, 0]);
      assert.equal((await podsOf(name)).filter(isActive).length, 0);
    }
  });

  it('the pods of a Job that is deleted end [conformance: jobs-active-pods-graceful-termination]', async () => {
    await push();
    await fleet().write(file('ends'), job('ends', { spec: 'completions: 2, parallelism: 2', run: FOREVER }));
    await fleet().commitAndPush('Run a Job that does not end');
    await eventually(
      'both pods run',
      60,
      async () => (await podsOf('ends')).filter(({ status }) => status?.phase === 'Running').length === 2,
    );
    await fleet().removeFiles(file('ends'));
    await eventually(
      'nothing is left of it',
      60,
      async () => (await find('ends')) === undefined && (await podsOf('ends')).length === 0,
    );
  });

  it('a lost store in the middle of a Job loses no pod that ended, and runs none of them again', async () => {
    await push();
    // One after the other, so that it is in its middle for a while; a longer run would only wait.
    const task = { spec: 'completions: 4, parallelism: 1', run: 'sleep 2' };
    await fleet().write(file('counted'), job('counted', task));
    await fleet().commitAndPush('Run a Job in steps');
    const before = await eventually('two of its pods have succeeded', 60, async () => {
      const found = await find('counted');
      return (found?.status?.succeeded ?? 0) >= 2 && (await podsOf('counted'));
    });
    const restarts = await finished('restarts');
    await loseStore(fleet());
    const { status } = await eventually('it has finished after the store was rebuilt', 90, async () => {
      const found = await find('counted').catch(() => undefined);
      return found !== undefined && isJobFinished(found) && found;
    });
    assert.deepEqual([status?.succeeded, status?.failed], [4, 0]);
    const pods = await podsOf('counted');
    assert.equal(pods.length, 4);
    for (const { metadata } of before) assert.ok(pods.some((pod) => pod.metadata.uid === metadata.uid));
    const again = await finished('restarts');
    assert.notEqual(again.metadata.uid, restarts.metadata.uid, 'the store was rebuilt');
    assert.equal((await podsOf('restarts')).length, 4, 'a Job that had finished runs nothing again');
  });

  it('CronJobs run beside one another, one at a time, one in place of another, or not at all [conformance: cronjob-allowconcurrent, cronjob-forbidconcurrent, cronjob-replaceconcurrent, cronjob-suspend]', async () => {
    await push();
    const runs = async (name: string): Promise<readonly StoredJob[]> =>
      (await fleet().list('Job', namespace)).filter(({ metadata }) => metadata.name.startsWith(`${name}-`));
    // A slot has the name of its minute, so the second one of a name of its own is in the next.
    await eventually('slots of two minutes have come', 90, async () => (await runs('allow')).length >= 2);
    assert.ok((await runs('allow')).every((run) => !isJobFinished(run)));
    // Asked anew at each look: a minute may begin in between.
    await eventually('the earlier run was replaced by the one of the same minute', 30, async () => {
      const newest = (await runs('allow'))
        .map(({ metadata }) => metadata.name.replace('allow-', ''))
        .sort()
        .at(-1);
      const found = await runs('replace');
      return found.length === 1 && found[0]?.metadata.name === `replace-${newest}`;
    });
    assert.equal((await runs('forbid')).length, 1);
    assert.deepEqual(await runs('suspended'), []);
    await fleet().removeFiles(namespace);
    await eventually('nothing is left of them', 90, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};
