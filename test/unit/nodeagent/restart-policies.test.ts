/** Sidecars, and containers with a restart policy of their own. Sources: Kubernetes, KEP-753 and KEP-5307. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { planPod, type PodInput } from '../../../nodeagent/core/pod/plan.ts';
import { brief, container, input, NOW, pod, remembered, seen } from './pods.ts';

const PROBE = { exec: { command: ['true'] } };
/** A sidecar between two init containers, and one behind them. */
const besides = {
  initContainers: [
    { name: 'first', image: 'app:1' },
    { name: 'proxy', image: 'app:1', restartPolicy: 'Always', startupProbe: PROBE },
    { name: 'second', image: 'app:1' },
    { name: 'logger', image: 'app:1', restartPolicy: 'Always' },
  ],
};
const ALL_IMAGES = ['first', 'second', 'proxy', 'logger', 'main'];
const started = (is: boolean) => new Map([['proxy-0', { started: is, ready: is, kill: undefined }]]);
const initDone = (name: string) => container({ name, state: 'exited' });

describe('planPod, with restart policies of containers', () => {
  const rows: readonly {
    readonly name: string;
    readonly given: Partial<PodInput>;
    readonly steps: readonly string[];
    readonly wakeAt?: number;
    readonly over?: string;
  }[] = [
    {
      name: 'a sidecar that has not started holds up what comes after it',
      given: {
        pod: pod(besides),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({ containers: [initDone('first'), container({ name: 'proxy' })] }),
        probes: started(false),
      },
      steps: [],
    },
    {
      name: 'a sidecar that has started makes way',
      given: {
        pod: pod(besides),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({ containers: [initDone('first'), container({ name: 'proxy' })] }),
        probes: started(true),
      },
      steps: ['start second #0 restarts=0 next-pause=0'],
    },
    {
      name: 'a sidecar that ended is started again beside the init container that runs',
      given: {
        pod: pod(besides),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({
          containers: [initDone('first'), container({ name: 'proxy', state: 'exited' }), container({ name: 'second' })],
        }),
      },
      steps: ['start proxy #1 restarts=1 next-pause=10000'],
    },
    {
      name: 'a sidecar that ended while the next init container ran does not hold up the one after that',
      given: {
        pod: pod(besides),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({
          containers: [
            initDone('first'),
            container({ name: 'proxy', attempt: 1, state: 'exited', backoffMs: 10_000 }),
            initDone('second'),
          ],
        }),
      },
      steps: ['start logger #0 restarts=0 next-pause=0'],
      wakeAt: NOW + 9000,
    },
    {
      name: 'a sidecar without a startup probe has started when it runs',
      given: {
        pod: pod(besides),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({
          containers: [
            initDone('first'),
            container({ name: 'proxy' }),
            initDone('second'),
            container({ name: 'logger' }),
          ],
        }),
      },
      steps: ['start main #0 restarts=0 next-pause=0'],
    },
    {
      name: 'a sidecar whose probe failed is killed alone',
      given: {
        pod: pod(besides),
        observed: seen({ containers: [container({ name: 'proxy' }), container({ name: 'logger' }), container()] }),
        probes: new Map([['proxy-0', { started: true, ready: true, kill: { message: 'm', graceSeconds: 3 } }]]),
      },
      steps: ['kill proxy-0 3s Unhealthy'],
    },
    {
      name: 'a sidecar of a Never pod is started again all the same',
      given: {
        pod: pod({ ...besides, restartPolicy: 'Never' }),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({
          containers: [
            container({ name: 'proxy' }),
            container({ name: 'logger', state: 'exited', exitCode: 1 }),
            container(),
          ],
        }),
      },
      steps: ['start logger #1 restarts=1 next-pause=10000'],
    },
    {
      name: 'all containers have ended: the sidecars go, the last one first',
      given: {
        pod: pod({ ...besides, restartPolicy: 'Never' }),
        observed: seen({
          containers: [container({ name: 'proxy' }), container({ name: 'logger' }), container({ state: 'exited' })],
        }),
      },
      steps: ['kill logger-0 30s PodOver', 'kill proxy-0 30s PodOver after logger-0'],
      over: 'Succeeded',
    },
    {
      name: "a container's own policy: over, though its pod's is Always",
      given: {
        pod: pod({ containers: [{ name: 'main', image: 'app:1', restartPolicy: 'Never' }] }),
        observed: seen({ containers: [container({ state: 'exited', exitCode: 3 })] }),
      },
      steps: ['stopSandbox sandbox-0'],
      over: 'Failed',
    },
    {
      name: "an init container's own policy: started again, though its pod's is Never",
      given: {
        pod: pod({
          restartPolicy: 'Never',
          initContainers: [{ name: 'first', image: 'app:1', restartPolicy: 'OnFailure' }],
        }),
        memory: remembered({}, ALL_IMAGES),
        observed: seen({ containers: [container({ name: 'first', state: 'exited', exitCode: 1 })] }),
      },
      steps: ['start first #1 restarts=1 next-pause=10000'],
    },
    ...(
      [
        ['In', 42, 'start main #1 restarts=1 next-pause=10000', undefined],
        ['In', 1, 'stopSandbox sandbox-0', 'Failed'],
        ['NotIn', 42, 'stopSandbox sandbox-0', 'Failed'],
        ['NotIn', 1, 'start main #1 restarts=1 next-pause=10000', undefined],
      ] as const
    ).map(([operator, exitCode, step, over]) => ({
      name: `a rule ${operator} [42] and the exit code ${exitCode}`,
      given: {
        pod: pod({
          containers: [
            {
              name: 'main',
              image: 'app:1',
              restartPolicy: 'Never',
              restartPolicyRules: [{ action: 'Restart', exitCodes: { operator, values: [42] } }],
            },
          ],
        }),
        observed: seen({ containers: [container({ state: 'exited', exitCode })] }),
      },
      steps: [step],
      ...(over && { over }),
    })),
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
