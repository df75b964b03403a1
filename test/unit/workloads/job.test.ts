/** Decisions on Jobs. Source of what is expected: Kubernetes documentation, "Jobs", and job_controller_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  INDEX_FAILURES,
  JOB_TRACKING,
  keyOf,
  objectKey,
  withCondition,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { judgePodReport } from '../../../reconciler/core/nodes/pod-status.ts';
import { EVICTION } from '../../../reconciler/core/workloads/disruption-target.ts';
import { evictionSteps } from '../../../reconciler/core/workloads/disruption.ts';
import { job, JobWorld, KEY } from './jobs.ts';

describe('a Job', () => {
  it('runs one pod by default, with its labels and finalizer, and is complete when that has succeeded', () => {
    const w = new JobWorld();
    const [pod] = w.active;
    assert.ok(pod);
    assert.match(pod.metadata.name, /^task-.{5}$/);
    const { uid } = w.job.metadata;
    assert.deepEqual(pod.metadata.labels, {
      'batch.kubernetes.io/job-name': 'task',
      'job-name': 'task',
      'batch.kubernetes.io/controller-uid': uid,
      'controller-uid': uid,
    });
    assert.deepEqual(pod.metadata.finalizers, [JOB_TRACKING]);
    w.tell(pod, { conditions: withCondition(undefined, { type: 'Ready', status: 'True' }, w.now.toISOString()) });
    w.settle();
    assert.deepEqual([w.job.status?.active, w.job.status?.ready], [1, 1]);
    w.end(pod);
    w.settle();
    const { active, ready, terminating, succeeded, failed, uncountedTerminatedPods } = w.job.status ?? {};
    assert.deepEqual(
      [active, ready, terminating, succeeded, failed, uncountedTerminatedPods],
      [0, 0, 0, 1, 0, undefined],
    );
    assert.deepEqual(w.conditions(), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']);
    assert.ok(w.job.status?.startTime && w.job.status.completionTime);
    assert.deepEqual(
      w.pods.map(({ metadata }) => metadata.finalizers),
      [[]],
    );
    assert.equal(w.conflicts, 0);
  });

  it('is looked at when there is something to do: not as a pod gets its node, nor for what is left of it', () => {
    const w = new JobWorld({ ttlSecondsAfterFinished: 0 });
    const [pod = assert.fail()] = w.active;
    const bound = w.put({ ...pod, spec: { ...pod.spec, nodeName: 'n1' } });
    assert.equal(w.waiting, 0);
    w.tell(bound, { conditions: withCondition(undefined, { type: 'Ready', status: 'True' }, w.now.toISOString()) });
    assert.equal(w.settle(), 1);
    w.end(bound);
    w.settle();
    assert.equal(w.get(KEY), undefined);
    const [left = assert.fail()] = w.pods;
    assert.ok(left.metadata.deletionTimestamp);
    w.gone(left);
    assert.equal(w.waiting, 0);
    assert.deepEqual(w.pods, []);
  });

  it('has as many pods as parallelism says, and never more than are to succeed still', () => {
    const w = new JobWorld({ completions: 5, parallelism: 3 });
    assert.equal(w.active.length, 3);
    w.endAll();
    assert.equal(w.active.length, 2);
    w.endAll();
    assert.equal(w.job.status?.succeeded, 5);
    assert.equal(w.pods.length, 5);
  });

  it('without completions ends when one pod has succeeded and the others have ended', () => {
    const w = new JobWorld({ parallelism: 3 });
    const [first, second, third] = w.active;
    assert.ok(first && second && third);
    w.end(first);
    w.settle();
    w.end(second, 'Failed');
    w.settle();
    assert.equal(w.pods.length, 3);
    assert.deepEqual(w.conditions(), []);
    w.end(third);
    w.settle();
    assert.deepEqual([w.job.status?.succeeded, w.job.status?.failed], [2, 1]);
    assert.equal(w.conditions().at(-1), 'Complete CompletionsReached');
  });

  it('replaces a pod that failed after 10 s, doubled with each failure, up to 10 minutes', () => {
    const w = new JobWorld({ backoffLimit: 20 });
    for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600]) {
      w.endAll('Failed');
      assert.equal(w.active.length, 0);
      w.advance(seconds * 1000 - 1);
      w.settle();
      assert.equal(w.active.length, 0, `after ${seconds} s less 1 ms`);
      w.advance(1);
      w.settle();
      assert.equal(w.active.length, 1, `after ${seconds} s`);
    }
  });

  it('a step of the clock makes no pause longer than it would be', () => {
    const w = new JobWorld();
    w.endAll('Failed');
    w.now = new Date(w.now.getTime() - 86_400_000);
    w.resync();
    w.settle();
    w.advance(10_000);
    w.settle();
    assert.equal(w.active.length, 0, 'the pod failed in the future');
    w.now = new Date(w.now.getTime() + 86_400_000);
    w.resync();
    w.settle();
    assert.equal(w.active.length, 1);
  });

  it('fails beyond its backoffLimit, and ends its other pods first', () => {
    const w = new JobWorld({ completions: 3, parallelism: 2, backoffLimit: 0 });
    const [first, second] = w.active;
    assert.ok(first && second);
    w.tell(second, {});
    w.end(first, 'Failed');
    w.settle();
    assert.deepEqual(w.conditions(), ['FailureTarget BackoffLimitExceeded']);
    assert.deepEqual([w.job.status?.active, w.job.status?.terminating, w.job.status?.failed], [0, 1, 2]);
    assert.notEqual(
      w.pods.find(({ metadata }) => metadata.uid === second.metadata.uid)?.metadata.deletionTimestamp,
      undefined,
    );
    w.gone(second);
    w.settle();
    assert.deepEqual(w.conditions(), ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']);
    assert.deepEqual([w.job.status?.terminating, w.job.status?.failed], [0, 2]);
    assert.equal(w.pods.length, 1);
  });

  it('counts restarts of containers where they are restarted in place', () => {
    const w = new JobWorld({ backoffLimit: 2 }, { restartPolicy: 'OnFailure' });
    const [pod] = w.active;
    assert.ok(pod);
    const restarted = (restartCount: number): void => {
      const status = { name: 'main', state: {}, lastState: {}, ready: false, restartCount, image: 'i', imageID: 'i' };
      w.tell(pod, { phase: 'Running', containerStatuses: [status] });
      w.settle();
    };
    restarted(1);
    assert.deepEqual(w.conditions(), []);
    restarted(2);
    assert.deepEqual(w.conditions(), ['FailureTarget BackoffLimitExceeded']);
  });

  it('fails at its deadline', () => {
    const w = new JobWorld({ activeDeadlineSeconds: 60 });
    w.advance(59_999);
    w.settle();
    assert.equal(w.active.length, 1);
    w.advance(1);
    w.settle();
    assert.deepEqual(w.conditions(), ['FailureTarget DeadlineExceeded', 'Failed DeadlineExceeded']);
    assert.equal(w.pods.length, 0, 'it was on no node');
  });

  it('goes after its time, with its pods', () => {
    const w = new JobWorld({ ttlSecondsAfterFinished: 30 });
    w.endAll();
    w.advance(29_999);
    w.settle();
    assert.notEqual(w.get(KEY), undefined);
    w.advance(1);
    w.settle();
    assert.equal(w.get(KEY), undefined);
    assert.ok(w.pods.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  });

  it('suspended has no pods, and starts its clock anew when it is resumed', () => {
    const w = new JobWorld({ suspend: true, activeDeadlineSeconds: 60 });
    assert.equal(w.pods.length, 0);
    assert.equal(w.job.status?.startTime, undefined);
    assert.deepEqual(w.conditions(), ['Suspended JobSuspended']);
    w.advance(3_600_000);
    w.put({ ...w.job, spec: { ...w.job.spec, suspend: false } });
    w.settle();
    assert.equal(w.active.length, 1);
    assert.equal(w.job.status?.startTime, '2026-01-01T01:00:00Z');
    assert.deepEqual(w.conditions(), []);
    w.put({ ...w.job, spec: { ...w.job.spec, suspend: true } });
    w.settle();
    assert.equal(w.active.length, 0);
    assert.equal(w.job.status?.failed, 0, 'what is ended to suspend it has not failed');
  });

  it('a pod that is deleted from outside is one that failed, and is replaced', () => {
    const w = new JobWorld();
    const [pod] = w.active;
    assert.ok(pod);
    w.tell(pod, {});
    w.apply({ steps: [{ do: 'delete', key: objectKey('Pod', 'default', pod.metadata.name), uid: pod.metadata.uid }] });
    w.settle();
    assert.deepEqual([w.job.status?.failed, w.job.status?.terminating, w.active.length], [1, 1, 0]);
    w.gone(pod);
    w.settle();
    assert.deepEqual([w.job.status?.failed, w.job.status?.terminating, w.active.length], [1, 0, 1]);
  });

  it('with podReplacementPolicy Failed the replacement waits for the end', () => {
    const w = new JobWorld({ podReplacementPolicy: 'Failed' });
    const [pod] = w.active;
    assert.ok(pod);
    w.tell(pod, {});
    w.apply({ steps: [{ do: 'delete', key: objectKey('Pod', 'default', pod.metadata.name), uid: pod.metadata.uid }] });
    w.settle();
    w.advance(60_000);
    w.settle();
    assert.deepEqual([w.job.status?.failed, w.job.status?.terminating, w.active.length], [0, 1, 0]);
    w.gone(pod);
    w.settle();
    assert.equal(w.job.status?.failed, 1);
    w.advance(60_000);
    w.settle();
    assert.equal(w.active.length, 1);
  });

  it('that is deleted lets its pods go', () => {
    const w = new JobWorld({ parallelism: 2 });
    for (const pod of w.active) w.tell(pod, {});
    w.settle();
    w.remove(KEY);
    w.settle();
    assert.equal(w.pods.length, 2);
    for (const pod of w.pods) {
      assert.deepEqual(pod.metadata.finalizers ?? [], []);
      assert.notEqual(pod.metadata.deletionTimestamp, undefined);
      w.gone(pod);
    }
    assert.equal(w.pods.length, 0);
  });
});

describe('an indexed Job', () => {
  const indexed = { completions: 3, parallelism: 3, completionMode: 'Indexed' };

  it('has a pod for each index, which knows it by label, annotation, variable and host name', () => {
    const w = new JobWorld(indexed);
    assert.deepEqual(w.active.map((pod) => w.indexOf(pod)).sort(), ['0', '1', '2']);
    const pod = w.activeOf(1);
    assert.match(pod.metadata.name, /^task-1-.{5}$/);
    assert.equal(pod.metadata.labels?.['batch.kubernetes.io/job-completion-index'], '1');
    assert.equal(pod.spec.hostname, 'task-1');
    assert.deepEqual(pod.spec.containers[0]?.env, [
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: {
          fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']", apiVersion: 'v1' },
        },
      },
    ]);
  });

  it('writes down which indexes have succeeded, and makes only the others again', () => {
    const w = new JobWorld({ ...indexed, completions: 6, parallelism: 6 });
    for (const index of [0, 2, 3, 4]) w.end(w.activeOf(index));
    w.end(w.activeOf(1), 'Failed');
    w.settle();
    assert.equal(w.job.status?.completedIndexes, '0,2-4');
    w.advance(10_000);
    w.settle();
    assert.deepEqual(w.active.map((pod) => w.indexOf(pod)).sort(), ['1', '5']);
    w.endAll();
    assert.equal(w.job.status?.completedIndexes, '0-5');
    assert.deepEqual([w.job.status?.succeeded, w.job.status?.failed], [6, 1]);
    assert.equal(w.conditions().at(-1), 'Complete CompletionsReached');
  });

  it('with a limit for each index goes on with the others, and fails when all are over', () => {
    const w = new JobWorld({ ...indexed, backoffLimitPerIndex: 1 });
    w.end(w.activeOf(0), 'Failed');
    w.settle();
    assert.equal(w.job.status?.failedIndexes, '');
    w.advance(10_000);
    w.settle();
    assert.equal(w.activeOf(0).metadata.annotations?.[INDEX_FAILURES], '1');
    w.end(w.activeOf(0), 'Failed');
    w.settle();
    assert.equal(w.job.status?.failedIndexes, '0');
    w.end(w.activeOf(1));
    w.settle();
    assert.deepEqual(w.conditions(), []);
    w.end(w.activeOf(2));
    w.settle();
    assert.deepEqual(w.conditions(), ['FailureTarget FailedIndexes', 'Failed FailedIndexes']);
    assert.deepEqual([w.job.status?.succeeded, w.job.status?.failed, w.job.status?.completedIndexes], [2, 2, '1,2']);
  });

  it('fails when more indexes than maxFailedIndexes have', () => {
    const w = new JobWorld({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 1 });
    w.end(w.activeOf(0), 'Failed');
    w.settle();
    assert.deepEqual(w.conditions(), []);
    w.end(w.activeOf(1), 'Failed');
    w.settle();
    assert.equal(w.conditions().at(-1), 'Failed MaxFailedIndexesExceeded');
  });

  it('ends the others once its successPolicy is met', () => {
    const rules = [{ succeededIndexes: '0', succeededCount: 1 }];
    const w = new JobWorld({ ...indexed, successPolicy: { rules } });
    w.tell(w.activeOf(1), {});
    w.end(w.activeOf(0));
    w.settle();
    assert.deepEqual(w.conditions(), ['SuccessCriteriaMet SuccessPolicy']);
    for (const pod of w.pods) w.gone(pod);
    w.settle();
    assert.deepEqual(w.conditions(), ['SuccessCriteriaMet SuccessPolicy', 'Complete SuccessPolicy']);
    assert.deepEqual([w.job.status?.succeeded, w.job.status?.failed], [1, 0]);
  });

  it('that is made smaller and larger keeps to its indexes', () => {
    const w = new JobWorld(indexed);
    w.put({ ...w.job, spec: { ...w.job.spec, completions: 2, parallelism: 2 } });
    w.settle();
    assert.deepEqual(w.active.map((pod) => w.indexOf(pod)).sort(), ['0', '1']);
    w.put({ ...w.job, spec: { ...w.job.spec, completions: 4, parallelism: 4 } });
    w.settle();
    assert.deepEqual(w.active.map((pod) => w.indexOf(pod)).sort(), ['0', '1', '2', '3']);
  });
});

describe("a Job's podFailurePolicy", () => {
  const policy = (rule: object): object => ({ podFailurePolicy: { rules: [rule] }, backoffLimit: 0 });
  const disrupted = withCondition(undefined, { type: 'DisruptionTarget', status: 'True' }, '2026-01-01T00:00:00Z');

  it('FailJob fails the Job at once', () => {
    const w = new JobWorld({
      ...policy({ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }),
      backoffLimit: 6,
    });
    w.endAll(42);
    assert.deepEqual(w.conditions(), ['FailureTarget PodFailurePolicy', 'Failed PodFailurePolicy']);
    assert.match(
      w.job.status?.conditions?.[0]?.message ?? '',
      /^Container main for pod default\/task-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
    );
  });

  it('Ignore does not count, and is replaced', () => {
    const w = new JobWorld(policy({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }));
    const [pod] = w.active;
    assert.ok(pod);
    w.tell(pod, { conditions: disrupted });
    w.end(pod, 'Failed');
    w.settle();
    assert.deepEqual(w.conditions(), []);
    w.advance(10_000);
    w.settle();
    assert.deepEqual([w.job.status?.failed, w.active.length], [0, 1]);
    w.endAll('Failed');
    assert.equal(w.conditions().at(-1), 'Failed BackoffLimitExceeded');
  });

  describe('of a pod that is evicted', () => {
    /** As a drain does it, with what its node tells until it is gone. */
    function evict(w: JobWorld): void {
      const [active] = w.active;
      assert.ok(active);
      w.tell(active, {});
      const key = objectKey('Pod', 'default', active.metadata.name);
      const pod = w.get(key);
      assert.ok(pod);
      w.apply({ steps: evictionSteps([{ pod, disruption: EVICTION, reason: 'Evicted', message: '' }], w.now) });
      const { name, uid } = pod.metadata;
      for (const report of [{ status: { phase: 'Running' as const } }, { gone: true }, { gone: true }]) {
        w.settle();
        const said = { namespace: 'default', name, uid, gone: false, ...report };
        const verdict = judgePodReport(w.get(key), said, 'n1', w.now.toISOString());
        if (verdict.do === 'remove') w.gone(pod);
        else if (verdict.do !== 'ignore') w.put(verdict.pod);
      }
      w.settle();
      w.advance(10_000);
      w.settle();
    }

    it('Ignore costs no retry', () => {
      const w = new JobWorld(policy({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }));
      for (let round = 0; round < 3; round += 1) {
        evict(w);
        assert.deepEqual([w.conditions(), w.job.status?.failed, w.active.length], [[], 0, 1]);
      }
      w.endAll('Failed');
      assert.equal(w.conditions().at(-1), 'Failed BackoffLimitExceeded');
    });

    it('without a rule for it, it is a failure', () => {
      const w = new JobWorld({ backoffLimit: 0 });
      evict(w);
      assert.equal(w.conditions().at(-1), 'Failed BackoffLimitExceeded');
    });
  });

  it('FailIndex fails the index without another try', () => {
    const w = new JobWorld({
      completions: 2,
      parallelism: 2,
      completionMode: 'Indexed',
      backoffLimitPerIndex: 5,
      podFailurePolicy: { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'NotIn', values: [1] } }] },
    });
    w.end(w.activeOf(0), 42);
    w.end(w.activeOf(1), 1);
    w.settle();
    assert.equal(w.job.status?.failedIndexes, '0');
    w.advance(10_000);
    w.settle();
    assert.deepEqual(
      w.active.map((pod) => w.indexOf(pod)),
      ['1'],
    );
  });

  it('Count stops at the first rule that matches', () => {
    const rules = [
      { action: 'Count', onExitCodes: { operator: 'In', values: [42] } },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    ];
    const w = new JobWorld({ podFailurePolicy: { rules } });
    w.endAll(42);
    assert.deepEqual(w.conditions(), []);
    assert.equal(w.job.status?.failed, 1);
  });
});

describe('a Job that says itself which pods are its own', () => {
  const labels = { of: 'task', part: 'one' };
  const { spec } = job().spec.template;
  const own = { manualSelector: true, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } };
  const leave = (w: JobWorld, name: string, has: Record<string, string>): void => {
    w.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: has },
      spec,
      status: { phase: 'Running' },
    });
    w.settle();
  };
  const found = (w: JobWorld): readonly unknown[] =>
    w.pods.map(({ metadata: { name, finalizers, ownerReferences } }) => [name, finalizers, ownerReferences?.[0]?.name]);

  it('adopts one that nobody controls, and counts it once as one that it made', () => {
    const w = new JobWorld(own);
    // It runs, so that the one which the Job made and does not run yet is one too many.
    leave(w, 'left', labels);
    assert.deepEqual(found(w), [['left', [JOB_TRACKING], 'task']]);
    w.endAll();
    assert.equal(w.job.status?.succeeded, 1);
    assert.equal(w.conditions().at(-1), 'Complete CompletionsReached');
    assert.deepEqual(found(w), [['left', [], 'task']]);
  });

  it('takes none that its whole selector does not match', () => {
    const w = new JobWorld({ ...own, parallelism: 0 });
    leave(w, 'other', { of: 'task', part: 'two' });
    w.resync();
    w.settle();
    assert.deepEqual(found(w), [['other', undefined, undefined]]);
  });

  it('takes none any more once it is over', () => {
    const w = new JobWorld(own);
    w.endAll();
    leave(w, 'late', labels);
    assert.deepEqual(found(w)[0], ['late', undefined, undefined]);
  });
});

describe('a pod that its Job has lost', () => {
  const lose = (w: JobWorld, pod: StoredPod, has: Partial<StoredPod['metadata']>): void => {
    const found = w.get(keyOf(pod)) ?? assert.fail();
    w.put({ ...found, metadata: { ...found.metadata, ...has } });
    w.settle();
  };
  const controllers = (w: JobWorld): readonly unknown[] =>
    w.pods.map(({ metadata }) => metadata.ownerReferences?.find(({ controller }) => controller)?.uid);

  for (const finalizers of [[JOB_TRACKING], []])
    it(`is its own again, and counts once, ${finalizers.length > 0 ? 'with' : 'without'} its finalizer`, () => {
      const w = new JobWorld({ parallelism: 2, completions: 2 });
      const [first = assert.fail()] = w.active;
      w.tell(first, {});
      lose(w, first, { ownerReferences: [], finalizers });
      assert.deepEqual(controllers(w), [w.job.metadata.uid, w.job.metadata.uid]);
      w.endAll();
      assert.deepEqual([w.job.status?.succeeded, w.pods.length], [2, 2]);
      assert.equal(w.conditions().at(-1), 'Complete CompletionsReached');
    });

  it('by its labels is let go of, counts for nothing, and another one is made', () => {
    const w = new JobWorld();
    const [first = assert.fail()] = w.active;
    w.tell(first, {});
    lose(w, first, { labels: { of: 'nobody' } });
    const { ownerReferences, finalizers } = w.get(keyOf(first))?.metadata ?? {};
    assert.deepEqual([ownerReferences, finalizers], [[], []]);
    w.end(first, 'Failed');
    w.settle();
    const others = w.active;
    assert.equal(others.length, 1);
    assert.notEqual(others[0]?.metadata.uid, first.metadata.uid);
    w.endAll();
    assert.deepEqual([w.job.status?.succeeded, w.job.status?.failed], [1, 0]);
  });

  it('stays lost when it is being deleted', () => {
    const w = new JobWorld();
    const [first = assert.fail()] = w.active;
    w.tell(first, {});
    w.apply({ steps: [{ do: 'delete', key: keyOf(first), uid: first.metadata.uid }] });
    lose(w, first, { ownerReferences: [] });
    assert.deepEqual(w.get(keyOf(first))?.metadata.ownerReferences, []);
  });
});

describe('what a Job says when nothing is written', () => {
  it('one completion, six retries, and replacements at once', () => {
    const { completions, parallelism, backoffLimit, podReplacementPolicy } = job().spec;
    assert.deepEqual([completions, parallelism, backoffLimit, podReplacementPolicy], [1, 1, 6, 'TerminatingOrFailed']);
    assert.equal(job({ parallelism: 2 }).spec.completions, undefined);
    assert.equal(job({ completions: 2 }).spec.parallelism, 1);
    const limit = job({ completions: 2, completionMode: 'Indexed', backoffLimitPerIndex: 1 }).spec.backoffLimit;
    assert.equal(limit, 2 ** 31 - 1);
  });
});
