import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { NO_MEMORY, remember } from '../../../nodeagent/core/pod/memory.ts';
import { datedEnds, NOTHING_OBSERVED } from '../../../nodeagent/core/pod/observed.ts';
import { planPod, type PodInput } from '../../../nodeagent/core/pod/plan.ts';
import { deletionGrace, planEnd } from '../../../nodeagent/core/pod/terminate.ts';
import { brief, container, input, NOW, pod, remembered, sandbox, seen } from './pods.ts';

const two = {
  initContainers: [
    { name: 'first', image: 'app:1' },
    { name: 'second', image: 'app:1' },
  ],
};
const initDone = (name: string) => container({ name, state: 'exited' });

describe('planPod', () => {
  const rows: readonly {
    readonly name: string;
    readonly given: Partial<PodInput>;
    readonly steps: readonly string[];
    readonly wakeAt?: number;
    readonly over?: string;
  }[] = [
    {
      name: 'a new pod: volumes, sandbox and image together',
      given: { observed: NOTHING_OBSERVED, memory: NO_MEMORY },
      steps: ['volumes', 'sandbox 0', 'image main'],
    },
    {
      name: 'volumes that need objects come before the sandbox',
      given: {
        pod: pod({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }),
        observed: NOTHING_OBSERVED,
        memory: NO_MEMORY,
      },
      steps: ['volumes'],
    },
    {
      name: 'a sandbox alone: the image, then the container',
      given: { memory: remembered({}, []) },
      steps: ['image main'],
    },
    { name: 'all is there: start', given: {}, steps: ['start main #0 restarts=0 next-pause=0'] },
    { name: 'it runs: nothing', given: { observed: seen({ containers: [container()] }) }, steps: [] },
    {
      name: 'made but never started: made anew',
      given: { observed: seen({ containers: [container({ state: 'created' })] }) },
      steps: ['removeContainer main-0'],
    },
    {
      name: 'the first end: again at once',
      given: { observed: seen({ containers: [container({ state: 'exited', exitCode: 1 })] }) },
      steps: ['start main #1 restarts=1 next-pause=10000'],
    },
    {
      name: 'the second end: after ten seconds',
      given: {
        observed: seen({ containers: [container({ attempt: 1, state: 'exited', exitCode: 1, backoffMs: 10_000 })] }),
      },
      steps: [],
      wakeAt: NOW + 9000,
    },
    {
      name: 'the pause is over',
      given: {
        observed: seen({
          containers: [container({ attempt: 2, state: 'exited', finishedAt: NOW - 20_000, backoffMs: 20_000 })],
        }),
      },
      steps: ['start main #3 restarts=3 next-pause=40000'],
    },
    {
      name: 'the longest pause',
      given: {
        observed: seen({
          containers: [container({ attempt: 9, state: 'exited', finishedAt: NOW - 300_000, backoffMs: 300_000 })],
        }),
      },
      steps: ['start main #10 restarts=10 next-pause=300000'],
    },
    {
      name: 'ten minutes of running forget the pause',
      given: {
        observed: seen({
          containers: [
            container({
              attempt: 9,
              state: 'exited',
              startedAt: NOW - 601_000,
              finishedAt: NOW - 1000,
              backoffMs: 300_000,
            }),
          ],
        }),
      },
      steps: ['start main #10 restarts=10 next-pause=10000'],
    },
    {
      name: 'OnFailure, succeeded: over',
      given: {
        pod: pod({ restartPolicy: 'OnFailure' }),
        observed: seen({ containers: [container({ state: 'exited' })] }),
      },
      steps: ['stopSandbox sandbox-0'],
      over: 'Succeeded',
    },
    {
      name: 'OnFailure, failed: again',
      given: {
        pod: pod({ restartPolicy: 'OnFailure' }),
        observed: seen({ containers: [container({ state: 'exited', exitCode: 2 })] }),
      },
      steps: ['start main #1 restarts=1 next-pause=10000'],
    },
    {
      name: 'Never, failed: over',
      given: {
        pod: pod({ restartPolicy: 'Never' }),
        observed: seen({ containers: [container({ state: 'exited', exitCode: 2 })] }),
      },
      steps: ['stopSandbox sandbox-0'],
      over: 'Failed',
    },
    {
      name: 'over before: stays over',
      given: {
        previous: { phase: 'Failed', reason: 'DeadlineExceeded' },
        observed: seen({ sandboxes: [], containers: [] }),
      },
      steps: [],
      over: 'Failed',
    },
    {
      name: 'one older end is kept',
      given: {
        observed: seen({
          containers: [
            container({ attempt: 3 }),
            container({ attempt: 2, state: 'exited' }),
            container({ attempt: 1, state: 'exited' }),
          ],
        }),
      },
      steps: ['removeContainer main-1'],
    },
    {
      name: 'init containers: the first alone',
      given: { pod: pod(two), memory: remembered({}, ['first', 'second', 'main']) },
      steps: ['start first #0 restarts=0 next-pause=0'],
    },
    {
      name: 'init containers: the second when the first is done',
      given: { pod: pod(two), memory: remembered({}, ['second']), observed: seen({ containers: [initDone('first')] }) },
      steps: ['start second #0 restarts=0 next-pause=0'],
    },
    {
      name: 'init containers done: the rest',
      given: { pod: pod(two), observed: seen({ containers: [initDone('first'), initDone('second')] }) },
      steps: ['start main #0 restarts=0 next-pause=0'],
    },
    {
      name: 'init container failed, Never: over',
      given: {
        pod: pod({ ...two, restartPolicy: 'Never' }),
        observed: seen({ containers: [container({ name: 'first', state: 'exited', exitCode: 1 })] }),
      },
      steps: ['stopSandbox sandbox-0'],
      over: 'Failed',
    },
    {
      name: 'sandbox gone, container still runs: end it first',
      given: { observed: seen({ sandboxes: [sandbox({ ready: false })], containers: [container()] }) },
      steps: ['kill main-0 30s SandboxChanged'],
    },
    {
      name: 'sandbox gone: stop what is left of it',
      given: {
        observed: seen({
          sandboxes: [sandbox({ ready: false })],
          containers: [container({ state: 'exited', exitCode: 255 })],
        }),
      },
      steps: ['stopSandbox sandbox-0'],
    },
    {
      name: 'sandbox stopped: a new one',
      given: {
        memory: remembered({ stopped: new Set(['sandbox-0']) }),
        observed: seen({
          sandboxes: [sandbox({ ready: false })],
          containers: [container({ state: 'exited', exitCode: 255 })],
        }),
      },
      steps: ['sandbox 1'],
    },
    {
      name: 'in the new sandbox the container counts on, without a pause',
      given: {
        observed: seen({
          sandboxes: [sandbox({ id: 'sandbox-1', attempt: 1 }), sandbox({ ready: false })],
          containers: [container({ attempt: 4, state: 'exited', exitCode: 255, backoffMs: 20_000 })],
        }),
      },
      steps: ['start main #5 restarts=5 next-pause=20000'],
    },
    {
      name: "liveness failed: kill with the pod's grace",
      given: {
        observed: seen({ containers: [container()] }),
        probes: new Map([['main-0', { started: true, ready: true, kill: { message: 'm', graceSeconds: undefined } }]]),
      },
      steps: ['kill main-0 30s Unhealthy'],
    },
    {
      name: "liveness failed: kill with the probe's grace",
      given: {
        observed: seen({ containers: [container()] }),
        probes: new Map([['main-0', { started: true, ready: true, kill: { message: 'm', graceSeconds: 3 } }]]),
      },
      steps: ['kill main-0 3s Unhealthy'],
    },
    {
      name: 'an image that failed waits',
      given: {
        memory: remembered({
          images: new Map([
            ['main', { ready: false, reason: 'ErrImagePull', message: 'm', at: NOW - 4000, pauseMs: 10_000 }],
          ]),
        }),
      },
      steps: [],
      wakeAt: NOW + 6000,
    },
    {
      name: 'a start that failed waits',
      given: {
        memory: remembered({
          starts: new Map([['main', { reason: 'CreateContainerError', message: 'm', at: NOW, pauseMs: 1000 }]]),
        }),
      },
      steps: [],
      wakeAt: NOW + 1000,
    },
    {
      name: 'a deadline ahead is a reason to wake',
      given: {
        pod: pod({ activeDeadlineSeconds: 60 }),
        previous: { phase: 'Running', startTime: new Date(NOW - 50_000).toISOString() },
        observed: seen({ containers: [container()] }),
      },
      steps: [],
      wakeAt: NOW + 10_000,
    },
    {
      name: 'evicted: killed at once',
      given: { refused: { reason: 'Evicted', message: 'disk' }, observed: seen({ containers: [container()] }) },
      steps: ['kill main-0 0s Evicted'],
      over: 'Failed',
    },
    {
      name: 'evicted: nothing of it stays',
      given: {
        previous: { phase: 'Failed', reason: 'Evicted' },
        observed: seen({ sandboxes: [], containers: [container({ state: 'exited' })] }),
      },
      steps: ['removeContainer main-0'],
      over: 'Failed',
    },
    {
      name: 'evicted: nor do its files',
      given: { previous: { phase: 'Failed', reason: 'Evicted' }, observed: NOTHING_OBSERVED },
      steps: ['cleanUp'],
      over: 'Failed',
    },
    {
      name: 'a disk that is short: the predecessor goes',
      given: {
        reclaim: true,
        observed: seen({ containers: [container({ attempt: 1 }), container({ state: 'exited' })] }),
      },
      steps: ['removeContainer main-0'],
    },
    {
      name: 'a disk with room: the predecessor stays',
      given: { observed: seen({ containers: [container({ attempt: 1 }), container({ state: 'exited' })] }) },
      steps: [],
    },
    {
      name: 'a deadline that passed ends the pod',
      given: {
        pod: pod({ activeDeadlineSeconds: 60 }),
        previous: { phase: 'Running', startTime: new Date(NOW - 60_000).toISOString() },
        observed: seen({ containers: [container()] }),
      },
      steps: ['kill main-0 30s DeadlineExceeded'],
      over: 'Failed',
    },
    {
      name: 'a ConfigMap changed: its files are written anew',
      given: {
        volumesVersion: 'c/x@2',
        memory: remembered({ volumes: { version: 'c/x@1', failure: undefined } }),
        observed: seen({ containers: [container()] }),
      },
      steps: ['volumes'],
    },
  ];
  for (const row of rows) {
    it(row.name, () => {
      const plan = planPod(input(row.given));
      assert.deepEqual(plan.steps.map(brief), row.steps);
      assert.equal(plan.wakeAt, row.wakeAt);
      assert.equal(plan.over?.phase, row.over);
    });
  }
});

describe('a wall clock that steps by an hour', () => {
  const HOUR = 3_600_000;
  const exited = container({ attempt: 3, state: 'exited', exitCode: 1, finishedAt: NOW, backoffMs: 20_000 });
  for (const [way, wall] of [
    ['forward', NOW + HOUR],
    ['back', NOW - HOUR],
  ] as const) {
    it(`${way}: a restart neither comes early nor late`, () => {
      const ends = datedEnds(new Map(), [exited], { now: NOW, monotonic: 5000, lookedAt: 4000 });
      const plan = (monotonic: number) =>
        planPod(
          input({
            observed: seen({ containers: [exited] }),
            ends: datedEnds(ends, [exited], { now: wall, monotonic, lookedAt: 5000 }),
            now: wall,
            monotonic,
          }),
        );
      assert.deepEqual([plan(24_000).steps, plan(24_000).wakeAt], [[], 25_000]);
      assert.deepEqual(plan(25_000).steps.map(brief), ['start main #4 restarts=4 next-pause=40000']);
    });
    it(`${way}, between an end and the look at it: one of since the last look`, () => {
      const [end] = datedEnds(new Map(), [exited], { now: wall, monotonic: 5000, lookedAt: 4000 }).values();
      assert.ok(end !== undefined && end >= 4000 && end <= 5000);
    });
    it(`${way}, while nobody looked: its pause at most`, () => {
      const [end] = datedEnds(new Map(), [exited], { now: wall, monotonic: 5000, lookedAt: undefined }).values();
      assert.ok(end !== undefined && end <= 5000);
    });
    it(`${way}: an image that could not be pulled waits as it would`, () => {
      const memory = remember(
        remembered({}, []),
        { do: 'ensureImage', container: 'main', image: 'a', policy: 'Always' },
        { ok: false, reason: 'ErrImagePull', message: '' },
        1000,
      );
      assert.equal(planPod(input({ memory, now: wall, monotonic: 2000 })).wakeAt, 11_000);
      assert.deepEqual(planPod(input({ memory, now: wall, monotonic: 11_000 })).steps.map(brief), ['image main']);
    });
  }
});

describe('planEnd', () => {
  const ending = { pod: pod(), graceSeconds: 5, reason: 'Deleted' as const, memory: NO_MEMORY, remove: true };
  const stopped = { ...NO_MEMORY, stopped: new Set(['sandbox-0']) };
  const rows = [
    {
      name: 'containers first, together',
      observed: seen({
        containers: [container(), container({ name: 'side' }), container({ name: 'old', state: 'exited' })],
      }),
      memory: NO_MEMORY,
      steps: ['kill main-0 5s Deleted', 'kill side-0 5s Deleted'],
    },
    {
      name: 'then the sandbox',
      observed: seen({ containers: [container({ state: 'exited' })] }),
      memory: NO_MEMORY,
      steps: ['stopSandbox sandbox-0'],
    },
    {
      name: 'then it goes',
      observed: seen({ sandboxes: [sandbox({ ready: false })] }),
      memory: stopped,
      steps: ['removeSandbox sandbox-0'],
    },
    { name: 'then what is left', observed: NOTHING_OBSERVED, memory: NO_MEMORY, steps: ['cleanUp'] },
    { name: 'then nothing', observed: NOTHING_OBSERVED, memory: { ...NO_MEMORY, cleaned: true }, steps: [] },
  ];
  for (const { name, observed, memory, steps } of rows)
    it(name, () => assert.deepEqual(planEnd(observed, { ...ending, memory }).map(brief), steps));

  it('takes the grace from the deletion, the pod, or the sandbox', () => {
    assert.equal(deletionGrace(pod({}, { deletionGracePeriodSeconds: 7 }), NOTHING_OBSERVED), 7);
    assert.equal(deletionGrace(pod({ terminationGracePeriodSeconds: 9 }), NOTHING_OBSERVED), 9);
    assert.equal(
      deletionGrace(
        undefined,
        seen({ sandboxes: [sandbox({ annotations: { 'plumbline.dev/grace-seconds': '11' } })] }),
      ),
      11,
    );
    assert.equal(deletionGrace(undefined, NOTHING_OBSERVED), 30);
  });
});

describe('remember', () => {
  it('doubles the pause of a pull from 10 s to 300 s and forgets it when the image is there', () => {
    const step = { do: 'ensureImage', container: 'main', image: 'a', policy: 'Always' } as const;
    let memory = NO_MEMORY;
    const pauses: number[] = [];
    for (let tries = 0; tries < 7; tries += 1) {
      memory = remember(memory, step, { ok: false, reason: 'ErrImagePull', message: '' }, NOW);
      const image = memory.images.get('main');
      pauses.push(image && !image.ready ? image.pauseMs : -1);
    }
    assert.deepEqual(pauses, [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    assert.deepEqual(remember(memory, step, { ok: true }, NOW).images.get('main'), { ready: true });
  });

  it('asks for the image again for the next start', () => {
    const step = {
      do: 'startContainer',
      container: 'main',
      sandboxId: 's',
      sandboxAttempt: 0,
      attempt: { number: 0, restarts: 0, backoffMs: 0, role: 'app' },
    } as const;
    assert.equal(remember(remembered(), step, { ok: true }, NOW).images.size, 0);
    assert.equal(
      remember(remembered(), step, { ok: false, reason: 'RunContainerError', message: 'm' }, NOW).starts.get('main')
        ?.reason,
      'RunContainerError',
    );
  });
});
