import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { NOTHING_OBSERVED } from '../../../nodeagent/core/pod/observed.ts';
import { podStatus, statusAfterReboot, type StatusInput } from '../../../nodeagent/core/pod/status.ts';
import { statusEvents } from '../../../nodeagent/core/pod/status-events.ts';
import { container, input, NOW, pod, remembered, sandbox, seen } from './pods.ts';

function status(more: Partial<StatusInput> = {}) {
  return podStatus({ ...input(more), over: undefined, hostIP: '198.18.0.1', ...more });
}
const condition = (of: ReturnType<typeof status>, type: string) => of.conditions?.find((c) => c.type === type);
const probed = pod({ containers: [{ name: 'main', image: 'app:1', readinessProbe: { tcpSocket: { port: 80 } } }] });

describe('podStatus', () => {
  const rows: readonly {
    readonly name: string;
    readonly given: Partial<StatusInput>;
    readonly phase: string;
    readonly ready: string;
    readonly state: Record<string, unknown>;
  }[] = [
    {
      name: 'nothing yet',
      given: { observed: NOTHING_OBSERVED },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'ContainerCreating' } },
    },
    {
      name: 'no sandbox, and why',
      given: {
        observed: NOTHING_OBSERVED,
        memory: remembered({
          sandbox: { reason: 'FailedCreatePodSandBox', message: 'failed to get sandbox image', at: NOW, pauseMs: 1000 },
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: {
        waiting: { reason: 'ContainerCreating', message: 'Failed to create pod sandbox: failed to get sandbox image' },
      },
    },
    {
      name: 'no volumes, and why',
      given: {
        observed: NOTHING_OBSERVED,
        memory: remembered({
          volumes: {
            version: '',
            failure: { reason: 'FailedMount', message: 'configmap "x" not found', at: NOW, pauseMs: 1000 },
          },
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'ContainerCreating', message: 'configmap "x" not found' } },
    },
    {
      name: 'runs',
      given: { observed: seen({ containers: [container()] }) },
      phase: 'Running',
      ready: 'True',
      state: { running: { startedAt: '2026-01-01T11:59:20Z' } },
    },
    {
      name: 'runs, not yet probed',
      given: {
        pod: probed,
        observed: seen({ containers: [container()] }),
        probes: new Map([['main-0', { started: true, ready: false, kill: undefined }]]),
      },
      phase: 'Running',
      ready: 'False',
      state: { running: { startedAt: '2026-01-01T11:59:20Z' } },
    },
    {
      name: 'runs, probe passes',
      given: {
        pod: probed,
        observed: seen({ containers: [container()] }),
        probes: new Map([['main-0', { started: true, ready: true, kill: undefined }]]),
      },
      phase: 'Running',
      ready: 'True',
      state: { running: { startedAt: '2026-01-01T11:59:20Z' } },
    },
    {
      name: 'pauses before a restart',
      given: {
        observed: seen({ containers: [container({ attempt: 3, state: 'exited', exitCode: 1, backoffMs: 80_000 })] }),
      },
      phase: 'Running',
      ready: 'False',
      state: {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 1m20s restarting failed container=main pod=app_default(uid-1)',
        },
      },
    },
    {
      name: 'a pull failed',
      given: {
        memory: remembered({
          images: new Map([
            ['main', { ready: false, reason: 'ErrImagePull', message: 'no such host', at: NOW - 100, pauseMs: 10_000 }],
          ]),
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'ErrImagePull', message: 'no such host' } },
    },
    {
      name: 'a pull pauses',
      given: {
        memory: remembered({
          images: new Map([
            [
              'main',
              { ready: false, reason: 'ErrImagePull', message: 'no such host', at: NOW - 6000, pauseMs: 10_000 },
            ],
          ]),
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "app:1"' } },
    },
    {
      name: 'a name that is none stays what it is',
      given: {
        memory: remembered({
          images: new Map([
            ['main', { ready: false, reason: 'InvalidImageName', message: 'm', at: NOW - 6000, pauseMs: 10_000 }],
          ]),
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'InvalidImageName', message: 'm' } },
    },
    {
      name: 'a key is missing',
      given: {
        memory: remembered({
          starts: new Map([
            [
              'main',
              { reason: 'CreateContainerConfigError', message: 'configmap "x" not found', at: NOW, pauseMs: 1000 },
            ],
          ]),
        }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'CreateContainerConfigError', message: 'configmap "x" not found' } },
    },
    {
      name: 'waits for its init container',
      given: {
        pod: pod({ initContainers: [{ name: 'first', image: 'app:1' }] }),
        observed: seen({ containers: [container({ name: 'first' })] }),
      },
      phase: 'Pending',
      ready: 'False',
      state: { waiting: { reason: 'PodInitializing' } },
    },
  ];
  for (const row of rows) {
    it(row.name, () => {
      const result = status(row.given);
      assert.equal(result.phase, row.phase);
      assert.equal(condition(result, 'Ready')?.status, row.ready);
      assert.deepEqual(result.containerStatuses?.[0]?.state, row.state);
    });
  }

  it('shows an end as Kubernetes does, and keeps it as last state', () => {
    const dead = container({ state: 'exited', exitCode: 137, reason: 'OOMKilled', finishedAt: NOW - 1000 });
    const ended = status({
      pod: pod({ restartPolicy: 'Never' }),
      observed: seen({ containers: [dead] }),
      over: { phase: 'Failed' },
    });
    assert.equal(ended.phase, 'Failed');
    assert.deepEqual(ended.containerStatuses?.[0]?.state, {
      terminated: {
        exitCode: 137,
        reason: 'OOMKilled',
        startedAt: '2026-01-01T11:59:20Z',
        finishedAt: '2026-01-01T11:59:59Z',
        containerID: 'containerd://main-0',
      },
    });
    const again = status({ observed: seen({ containers: [container({ attempt: 1 }), dead] }) });
    assert.equal(again.containerStatuses?.[0]?.restartCount, 1);
    assert.equal(again.containerStatuses?.[0]?.lastState.terminated?.reason, 'OOMKilled');
  });

  it('keeps the time of a condition that did not change, and the address of a pod that is over', () => {
    const first = status({ observed: seen({ containers: [container()] }) });
    const later = status({ observed: seen({ containers: [container()] }), previous: first, now: NOW + 60_000 });
    assert.equal(condition(later, 'Ready')?.lastTransitionTime, condition(first, 'Ready')?.lastTransitionTime);
    assert.equal(later.startTime, first.startTime);
    const over = status({
      pod: pod({ restartPolicy: 'Never' }),
      previous: first,
      over: { phase: 'Succeeded' },
      observed: seen({
        address: '',
        sandboxes: [sandbox({ ready: false })],
        containers: [container({ state: 'exited' })],
      }),
    });
    assert.equal(over.podIP, '198.18.0.9');
    assert.equal(condition(over, 'Ready')?.reason, 'PodCompleted');
  });

  it('names what is not ready', () => {
    const result = status({
      pod: pod({
        containers: [
          { name: 'a', image: 'x:1' },
          { name: 'b', image: 'x:1' },
        ],
      }),
      observed: seen({ containers: [container({ name: 'a' })] }),
    });
    assert.equal(condition(result, 'ContainersReady')?.message, 'containers with unready status: [b]');
    assert.equal(result.phase, 'Pending');
  });

  describe('of a pod with a sidecar', () => {
    const sidecar = pod({
      restartPolicy: 'Never',
      initContainers: [
        { name: 'proxy', image: 'app:1', restartPolicy: 'Always', readinessProbe: { tcpSocket: { port: 80 } } },
      ],
    });
    const probe = (ready: boolean) => new Map([['proxy-0', { started: true, ready, kill: undefined }]]);
    const both = seen({ containers: [container({ name: 'proxy' }), container()] });

    it('is ready when the sidecar is as well', () => {
      const unready = status({ pod: sidecar, observed: both, probes: probe(false) });
      assert.equal(condition(unready, 'Initialized')?.status, 'True');
      assert.equal(condition(unready, 'Ready')?.message, 'containers with unready status: [proxy]');
      assert.deepEqual(
        unready.initContainerStatuses?.map(({ ready, started }) => ({ ready, started })),
        [{ ready: false, started: true }],
      );
      assert.equal(condition(status({ pod: sidecar, observed: both, probes: probe(true) }), 'Ready')?.status, 'True');
    });

    it('is not over before the sidecar has ended, and then tells how the containers did', () => {
      const over = { phase: 'Succeeded' as const };
      const main = container({ state: 'exited' });
      const ends = seen({ containers: [container({ name: 'proxy' }), main] });
      assert.equal(status({ pod: sidecar, observed: ends, over, probes: probe(true) }).phase, 'Running');
      const ended = seen({ containers: [container({ name: 'proxy', state: 'exited', exitCode: 137 }), main] });
      const last = status({ pod: sidecar, observed: ended, over });
      assert.equal(last.phase, 'Succeeded');
      assert.equal(last.initContainerStatuses?.[0]?.state.terminated?.exitCode, 137);
    });

    it('does not come back to life where a sidecar still runs', () => {
      const over = { phase: 'Failed' as const };
      const left = seen({ containers: [container({ name: 'proxy' })] });
      assert.equal(status({ pod: sidecar, observed: left, over, previous: over }).phase, 'Failed');
    });
  });

  it("shows the host's address for a pod of the host's network", () => {
    assert.equal(
      status({ pod: pod({ hostNetwork: true }), observed: seen({ address: '', containers: [container()] }) }).podIP,
      '198.18.0.1',
    );
  });
});

describe('statusEvents', () => {
  it('tells a pause once', () => {
    const before = status({ observed: seen({ containers: [container()] }) });
    const after = status({
      observed: seen({ containers: [container({ attempt: 1, state: 'exited', exitCode: 1, backoffMs: 10_000 })] }),
    });
    const identity = { namespace: 'default', name: 'app', uid: 'uid-1' };
    assert.deepEqual(
      statusEvents(identity, before, after).map((event) => event.reason),
      ['BackOff'],
    );
    assert.deepEqual(statusEvents(identity, after, after), []);
  });
});

describe('statusAfterReboot', () => {
  it('has nothing that runs or is ready, and keeps the rest', () => {
    const before = status({ observed: seen({ containers: [container()] }) });
    const after = statusAfterReboot(before, NOW + 60_000);
    assert.deepEqual(
      [condition(after, 'Ready')?.status, condition(after, 'ContainersReady')?.status, after.phase, after.startTime],
      ['False', 'False', 'Running', before.startTime],
    );
    assert.equal(condition(after, 'Ready')?.lastTransitionTime, '2026-01-01T12:01:00Z');
    const [main] = after.containerStatuses ?? [];
    assert.deepEqual(
      [main?.ready, main?.started, main?.state],
      [
        false,
        false,
        {
          terminated: {
            exitCode: 255,
            reason: 'Unknown',
            startedAt: '2026-01-01T11:59:20Z',
            finishedAt: '2026-01-01T12:01:00Z',
            containerID: 'containerd://main-0',
          },
        },
      ],
    );
  });
  it('says of a pod that its node gives up that it is disrupted, and of one above its own limit not', () => {
    const message = 'The node was low on resource: ephemeral-storage.';
    const evicted = (cause: 'NodePressure' | 'Limit') =>
      status({ over: { phase: 'Failed', reason: 'Evicted', message, cause } });
    const told = condition(evicted('NodePressure'), 'DisruptionTarget');
    assert.deepEqual([told?.status, told?.reason, told?.message], ['True', 'TerminationByKubelet', message]);
    assert.equal(condition(evicted('Limit'), 'DisruptionTarget'), undefined);
    const next = status({
      previous: evicted('NodePressure'),
      over: { phase: 'Failed', reason: 'Evicted', message },
      observed: NOTHING_OBSERVED,
    });
    assert.deepEqual(condition(next, 'DisruptionTarget'), told, 'and goes on saying so');
  });
  it('leaves a pod alone that is over', () => {
    const over = status({ over: { phase: 'Failed', reason: 'Evicted' }, observed: NOTHING_OBSERVED });
    assert.deepEqual(statusAfterReboot(over, NOW), over);
  });
});
