import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  findCondition,
  type ContainerStatus,
  type Pod,
  type PodStatus,
  type Stored,
} from '../../../contracts/objects/index.ts';
import type { NodeReport, PodReport } from '../../../contracts/agent/index.ts';
import { RetryableError, TerminalError, WaitingError } from '../../../reconciler/core/errors.ts';
import {
  differsBeyondHeartbeat,
  observedNodeStatus,
  withStatusCondition,
} from '../../../reconciler/core/nodes/node-status.ts';
import { withOthersConditions } from '../../../reconciler/core/nodes/pod-conditions.ts';
import { judgePodReport } from '../../../reconciler/core/nodes/pod-status.ts';
import { reconnectDelayMs } from '../../../reconciler/core/nodes/reconnect.ts';
import { boundPod, nodeObject, withStatus } from './stored.ts';

const NOW = '2026-01-02T00:00:00Z';
const running: PodStatus = {
  phase: 'Running',
  podIP: '10.0.0.2',
  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: NOW }],
};
const report = (over: Partial<PodReport> = {}): PodReport => ({
  namespace: 'default',
  name: 'p',
  uid: 'uid-p',
  gone: false,
  status: running,
  ...over,
});
const scheduled = { type: 'PodScheduled', status: 'True' as const, lastTransitionTime: 't0' };
const pod = withStatus(boundPod('p', 'n1'), { phase: 'Pending', conditions: [scheduled] });

describe('a pod report', () => {
  it('becomes the status, and keeps the conditions of the control plane', () => {
    const verdict = judgePodReport(
      pod,
      report({
        status: { ...running, conditions: [{ type: 'PodScheduled', status: 'False' }, ...(running.conditions ?? [])] },
      }),
      'n1',
      NOW,
    );
    assert.equal(verdict.do, 'setStatus');
    assert.deepEqual(verdict.do === 'setStatus' && verdict.pod.status, {
      ...running,
      conditions: [scheduled, ...(running.conditions ?? [])],
    });
  });

  describe('of one with readiness gates', () => {
    const gate = (type: string, status: 'True' | 'False') => ({ type, status, lastTransitionTime: 't0' });
    const gated: Stored<Pod> = {
      ...pod,
      spec: { ...pod.spec, readinessGates: [{ conditionType: 'lb' }, { conditionType: 'example.com/warm' }] },
    };
    const ready: PodStatus = {
      phase: 'Running',
      conditions: (['Ready', 'ContainersReady'] as const).map((type) => ({ type, status: 'True' })),
    };
    const afterReport = (before: Stored<Pod>, status: PodStatus = ready, now = NOW): Stored<Pod> => {
      const verdict = judgePodReport(before, report({ status }), 'n1', now);
      assert.ok(verdict.do === 'setStatus' || verdict.do === 'ignore');
      return verdict.do === 'ignore' ? before : verdict.pod;
    };
    const readyOf = (of: Pod) => findCondition(of.status?.conditions, 'Ready');

    it('is not ready while a condition is missing or not True, and says which', () => {
      const waiting = afterReport(gated);
      assert.deepEqual(readyOf(waiting), {
        type: 'Ready',
        status: 'False',
        reason: 'ReadinessGatesNotReady',
        message:
          'corresponding condition of pod readiness gate "lb" does not exist., corresponding condition of pod readiness gate "example.com/warm" does not exist.',
        lastTransitionTime: NOW,
      });
      assert.equal(judgePodReport(waiting, report({ status: ready }), 'n1', 't9').do, 'ignore');
    });

    it('is ready when all are True, which its node does not carry away', () => {
      const set = withOthersConditions(
        afterReport(gated),
        [gate('lb', 'True'), gate('example.com/warm', 'True')],
        't1',
      );
      assert.ok(!('refused' in set));
      assert.deepEqual(readyOf(set), { type: 'Ready', status: 'True', lastTransitionTime: 't1' });
      assert.deepEqual(readyOf(afterReport(set, ready, 't2')), {
        type: 'Ready',
        status: 'True',
        lastTransitionTime: 't1',
      });
      const shut = withOthersConditions(set, [gate('lb', 'False')], 't3');
      assert.ok(!('refused' in shut));
      assert.match(readyOf(shut)?.message ?? '', /^the status of pod readiness gate "lb" is not "True", but False$/);
    });

    it('is not ready with all gates open while a container is not', () => {
      const unready: PodStatus = {
        phase: 'Running',
        conditions: (['Ready', 'ContainersReady'] as const).map((type) => ({
          type,
          status: 'False',
          reason: 'ContainersNotReady',
        })),
      };
      const set = withOthersConditions(gated, [gate('lb', 'True'), gate('example.com/warm', 'True')], 't1');
      assert.ok(!('refused' in set));
      assert.equal(readyOf(afterReport(set, unready))?.reason, 'ContainersNotReady');
    });

    it("takes no condition of the node's or the control plane's from others, nor any number", () => {
      for (const type of ['Ready', 'PodScheduled', 'DisruptionTarget'])
        assert.ok('refused' in withOthersConditions(gated, [gate(type, 'True')], NOW), type);
      const many = Array.from({ length: 17 }, (_, i) => gate(`c${i}`, 'True'));
      assert.ok('refused' in withOthersConditions(gated, many, NOW));
    });

    it('lets a node open no gate', () => {
      const lying = { ...ready, conditions: [...(ready.conditions ?? []), gate('lb', 'True')] };
      assert.match(readyOf(afterReport(gated, lying))?.message ?? '', /gate "lb" does not exist/);
    });
  });

  describe('of one that is being disrupted', () => {
    const target = (reason: string) => ({ type: 'DisruptionTarget', status: 'True' as const, reason, message: 'm' });
    const evicted = withStatus(pod, {
      ...running,
      conditions: [scheduled, { ...target('EvictionByEvictionAPI'), lastTransitionTime: 't0' }],
    });
    const leaving = { ...evicted, metadata: { ...evicted.metadata, deletionTimestamp: NOW, finalizers: ['a/b'] } };
    const said = (verdict: ReturnType<typeof judgePodReport>): unknown =>
      'pod' in verdict && findCondition(verdict.pod.status?.conditions, 'DisruptionTarget')?.reason;
    const failed = (reason: string): PodReport =>
      report({ status: { ...running, phase: 'Failed', conditions: [target(reason)] } });

    it('keeps the condition, to the last report', () => {
      const next = judgePodReport(leaving, report(), 'n1', NOW);
      assert.deepEqual([next.do, said(next)], ['setStatus', 'EvictionByEvictionAPI']);
      assert.ok(next.do === 'setStatus');
      const last = judgePodReport(next.pod, report({ gone: true }), 'n1', NOW);
      assert.deepEqual([last.do, said(last)], ['setFinalStatus', 'EvictionByEvictionAPI']);
      const lost = judgePodReport(evicted, report({ gone: true }), 'n1', NOW);
      assert.deepEqual([lost.do, said(lost)], ['setStatus', 'EvictionByEvictionAPI']);
    });

    it("has the node's own reason when the node gave it up, and no other that a node tells", () => {
      const byNode = judgePodReport(evicted, failed('TerminationByKubelet'), 'n1', NOW);
      assert.equal(said(byNode), 'TerminationByKubelet');
      assert.ok(byNode.do === 'setStatus');
      assert.equal(byNode.pod.status?.conditions?.filter(({ type }) => type === 'DisruptionTarget').length, 1);
      assert.equal(said(judgePodReport(evicted, failed('PreemptionByScheduler'), 'n1', NOW)), 'EvictionByEvictionAPI');
      assert.equal(said(judgePodReport(pod, failed('PreemptionByScheduler'), 'n1', NOW)), undefined);
    });
  });

  it('shows that the pod has its node, whatever kept it from one before', () => {
    const waited = withStatus(pod, {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }],
    });
    for (const before of [waited, withStatus(pod, { phase: 'Pending' })]) {
      const verdict = judgePodReport(before, report(), 'n1', NOW);
      assert.deepEqual(verdict.do === 'setStatus' && findCondition(verdict.pod.status?.conditions, 'PodScheduled'), {
        type: 'PodScheduled',
        status: 'True',
        lastTransitionTime: NOW,
      });
    }
  });

  const ignored: readonly (readonly [string, Parameters<typeof judgePodReport>[0], PodReport, string])[] = [
    ['of an unknown pod', undefined, report(), 'n1'],
    ['of an earlier pod of that name', pod, report({ uid: 'other' }), 'n1'],
    ['of a node that the pod is not on', pod, report(), 'n2'],
    ['that says nothing', pod, { namespace: 'default', name: 'p', uid: 'uid-p', gone: false }, 'n1'],
    ['that would revive a finished pod', withStatus(pod, { phase: 'Succeeded' }), report(), 'n1'],
    ['that a finished pod is gone', withStatus(pod, { phase: 'Failed' }), report({ gone: true }), 'n1'],
  ];
  for (const [what, object, said, node] of ignored)
    it(`is ignored ${what}`, () => assert.deepEqual(judgePodReport(object, said, node, NOW), { do: 'ignore' }));

  it('changes nothing when it comes twice', () => {
    const first = judgePodReport(pod, report(), 'n1', NOW);
    assert.ok(first.do === 'setStatus');
    assert.deepEqual(judgePodReport(first.pod, report(), 'n1', 'later'), { do: 'ignore' });
  });

  it('removes a pod that was to be deleted and is gone', () => {
    const leaving = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: NOW } };
    assert.equal(judgePodReport(leaving, report({ gone: true }), 'n1', NOW).do, 'remove');
    assert.equal(judgePodReport(leaving, report(), 'n1', NOW).do, 'setStatus');
  });

  describe('that a pod is gone which a finalizer holds', () => {
    const ended = (exitCode: number) => ({
      terminated: { exitCode, reason: 'Completed', startedAt: NOW, finishedAt: NOW, containerID: 'c' },
    });
    const container = (state: ContainerStatus['state'], lastState: ContainerStatus['state'] = {}): ContainerStatus => ({
      name: 'c',
      state,
      lastState,
      ready: true,
      restartCount: 0,
      image: 'i:1',
      imageID: '',
    });
    const leaving = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: NOW, finalizers: ['example.com/x'] } };
    const isRunning = container({ running: { startedAt: NOW } });
    const waits = container({ waiting: { reason: 'ContainerCreating' } });
    const cases: readonly (readonly [string, Partial<PodStatus>, string, readonly unknown[]])[] = [
      ['all ended well', { containerStatuses: [container(ended(0)), container(ended(0))] }, 'Succeeded', [0, 0]],
      ['one ended badly', { containerStatuses: [container(ended(0)), container(ended(143))] }, 'Failed', [0, 143]],
      ["one's end nobody saw", { containerStatuses: [container(ended(0)), isRunning] }, 'Failed', [0, 137]],
      [
        'one waited to be started again',
        { containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } }, ended(0))] },
        'Failed',
        [137],
      ],
      [
        'nothing but its first init container had begun',
        { initContainerStatuses: [isRunning, waits], containerStatuses: [waits] },
        'Failed',
        [137, undefined, undefined],
      ],
      ['nothing was told of it', {}, 'Failed', []],
    ];
    for (const [what, status, phase, exitCodes] of cases)
      it(`gives it its final status when ${what}`, () => {
        const verdict = judgePodReport(
          withStatus(leaving, running),
          report({ gone: true, status: { ...running, ...status } }),
          'n1',
          NOW,
        );
        assert.ok(verdict.do === 'setFinalStatus');
        const is = verdict.pod.status;
        assert.equal(is?.phase, phase);
        const all = [...(is?.initContainerStatuses ?? []), ...(is?.containerStatuses ?? [])];
        assert.deepEqual(
          all.map(({ state }) => state.terminated?.exitCode),
          exitCodes,
        );
        assert.equal(findCondition(is?.conditions, 'Ready')?.status, 'False');
      });

    it('takes the status that was written last where the report has none, and only then lets the pod go', () => {
      const told = withStatus(leaving, { ...running, containerStatuses: [container(ended(0))] });
      const { status: _none, ...silent } = report({ gone: true });
      const first = judgePodReport(told, silent, 'n1', NOW);
      assert.ok(first.do === 'setFinalStatus');
      assert.equal(first.pod.status?.phase, 'Succeeded');
      assert.deepEqual(judgePodReport(first.pod, silent, 'n1', 'later'), { do: 'remove', pod: first.pod });
    });
  });

  it('makes a pod that is gone unasked Failed and not ready', () => {
    const verdict = judgePodReport(
      withStatus(pod, { ...running, conditions: [scheduled, ...(running.conditions ?? [])] }),
      report({ gone: true }),
      'n1',
      NOW,
    );
    assert.ok(verdict.do === 'setStatus');
    assert.equal(verdict.pod.status?.phase, 'Failed');
    assert.equal(findCondition(verdict.pod.status?.conditions, 'Ready')?.status, 'False');
    assert.deepEqual(findCondition(verdict.pod.status?.conditions, 'PodScheduled'), scheduled);
  });
});

const nodeReport: NodeReport = {
  internalIP: '198.18.0.5',
  hostname: 'box',
  capacity: { cpu: '4', memory: '8000000000', pods: '250' },
  nodeInfo: {
    machineID: 'm',
    bootID: 'b',
    kernelVersion: '6',
    osImage: 'Debian',
    architecture: 'x64',
    containerRuntimeVersion: 'containerd://1.6',
    agentVersion: '0.1.0',
  },
  ready: true,
  reason: 'KubeletReady',
  message: 'ok',
  networkVersion: 'v',
  networkError: null,
  agentRss: 1,
};

describe('a node report', () => {
  const machine = { maxPods: 20, reserved: { cpu: '500m', memory: '1Gi' }, capacity: { memory: '4Gi' } };
  const status = observedNodeStatus(undefined, { report: nodeReport, machine, heardAt: NOW });

  it('gives capacity, what is left for pods, addresses and conditions', () => {
    assert.deepEqual(status.capacity, { cpu: '4', memory: '4Gi', pods: '20' });
    assert.deepEqual(status.allocatable, { cpu: '3500m', memory: String(3 * 2 ** 30), pods: '20' });
    assert.deepEqual(status.addresses, [
      { type: 'InternalIP', address: '198.18.0.5' },
      { type: 'Hostname', address: 'box' },
    ]);
    assert.deepEqual(findCondition(status.conditions, 'Ready'), {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'ok',
      lastHeartbeatTime: NOW,
      lastTransitionTime: NOW,
    });
    assert.equal(findCondition(status.conditions, 'NetworkUnavailable')?.status, 'False');
  });

  for (const [what, capacity, reserved, allocatable] of [
    [
      'a small machine',
      { cpu: '1', memory: '1Gi', pods: '110' },
      undefined,
      { cpu: '950m', memory: String(2 ** 30 - Math.floor(2 ** 30 / 10)), pods: '20' },
    ],
    [
      'a large one',
      { cpu: '64', memory: '256Gi', pods: '110' },
      undefined,
      { cpu: '63900m', memory: String(256 * 2 ** 30 - 256 * 2 ** 20), pods: '20' },
    ],
    [
      'one whose Machine says it',
      { cpu: '2', memory: '4Gi' },
      { cpu: '0', memory: '1Gi' },
      { cpu: '2000m', memory: String(3 * 2 ** 30), pods: '20' },
    ],
  ] as const) {
    it(`holds a little back from pods on ${what}`, () => {
      const made = observedNodeStatus(undefined, {
        report: { ...nodeReport, capacity },
        machine: { maxPods: 20, ...(reserved && { reserved }) },
        heardAt: NOW,
      });
      assert.deepEqual(made.allocatable, allocatable);
    });
  }

  it('tells how far the proxy is for as long as there is one', () => {
    const proxy = { generation: 2, problems: [{ port: 443, message: 'port 443 is in use' }] };
    const told = observedNodeStatus(status, { report: { ...nodeReport, proxy }, machine, heardAt: NOW });
    assert.deepEqual(told.proxy, proxy);
    const later = observedNodeStatus(told, { report: nodeReport, machine, heardAt: NOW });
    assert.equal(later.proxy, undefined);
    assert.ok(differsBeyondHeartbeat(told, later));
  });

  it('counts what huge pages hold for no memory', () => {
    const { allocatable } = observedNodeStatus(undefined, {
      report: { ...nodeReport, capacity: { cpu: '2', memory: '8Gi', 'hugepages-2Mi': '1Gi', 'hugepages-1Gi': '2Gi' } },
      machine: { maxPods: 20, reserved: { memory: '1Gi' } },
      heardAt: NOW,
    });
    assert.equal(allocatable?.['memory'], String(4 * 2 ** 30));
    assert.equal(allocatable?.['hugepages-2Mi'], '1Gi');
  });

  it('tells what each node is short of in words of its own', () => {
    const [yes, no] = [
      { pressure: true, message: 'short' },
      { pressure: false, message: 'enough' },
    ];
    const told = (report: Partial<typeof nodeReport>): readonly string[] =>
      (observedNodeStatus(undefined, { report: { ...nodeReport, ...report }, machine, heardAt: NOW }).conditions ?? [])
        .filter(({ type }) => type.endsWith('Pressure'))
        .map(({ type, status, reason, message }) => `${type} ${status} ${reason ?? ''} ${message ?? ''}`);
    assert.deepEqual(told({}), []);
    assert.deepEqual(told({ memoryPressure: yes, diskPressure: no, pidPressure: yes }), [
      'MemoryPressure True AgentHasInsufficientMemory short',
      'DiskPressure False AgentHasNoDiskPressure enough',
      'PIDPressure True AgentHasInsufficientPID short',
    ]);
    assert.deepEqual(told({ memoryPressure: no, pidPressure: no }), [
      'MemoryPressure False AgentHasSufficientMemory enough',
      'PIDPressure False AgentHasSufficientPID enough',
    ]);
  });

  it('tells of disk pressure when the agent does; what is known stays with one that does not', () => {
    const short = observedNodeStatus(status, {
      report: { ...nodeReport, diskPressure: { pressure: true, message: 'short of disk' } },
      machine,
      heardAt: NOW,
    });
    assert.equal(findCondition(status.conditions, 'DiskPressure'), undefined);
    assert.deepEqual(findCondition(short.conditions, 'DiskPressure'), {
      type: 'DiskPressure',
      status: 'True',
      reason: 'AgentHasDiskPressure',
      message: 'short of disk',
      lastHeartbeatTime: NOW,
      lastTransitionTime: NOW,
    });
    assert.equal(
      findCondition(
        observedNodeStatus(short, { report: nodeReport, machine, heardAt: 'later' }).conditions,
        'DiskPressure',
      )?.status,
      'True',
    );
    const well = observedNodeStatus(short, {
      report: { ...nodeReport, diskPressure: { pressure: false, message: 'none' } },
      machine,
      heardAt: 'later',
    });
    assert.equal(findCondition(well.conditions, 'DiskPressure')?.status, 'False');
  });

  it('prefers the address of the Machine, never leaves less than nothing', () => {
    const odd = observedNodeStatus(undefined, {
      report: nodeReport,
      machine: { maxPods: 1, internalIP: '198.18.9.9', reserved: { cpu: '99' } },
      heardAt: NOW,
    });
    assert.equal(odd.addresses?.[0]?.address, '198.18.9.9');
    assert.equal(odd.allocatable?.['cpu'], '0m');
  });

  it('tells a beat from a change, and keeps the conditions of others', () => {
    const before = { ...status, conditions: [...(status.conditions ?? []), { type: 'Mine', status: 'True' as const }] };
    const beat = observedNodeStatus(before, { report: nodeReport, machine, heardAt: 'later' });
    assert.equal(differsBeyondHeartbeat(before, beat), false);
    assert.ok(findCondition(beat.conditions, 'Mine'));
    const broken = observedNodeStatus(before, {
      report: { ...nodeReport, networkError: 'nft failed' },
      machine,
      heardAt: 'later',
    });
    assert.equal(differsBeyondHeartbeat(before, broken), true);
    assert.equal(findCondition(broken.conditions, 'NetworkUnavailable')?.message, 'nft failed');
    assert.equal(findCondition(beat.conditions, 'Ready')?.lastTransitionTime, NOW);
  });

  it('keeps images that are not told again, and tells a change of them from a beat', () => {
    const images = [{ names: ['app:1'], sizeBytes: 7 }];
    const before = observedNodeStatus(status, { report: nodeReport, images, machine, heardAt: NOW });
    assert.deepEqual(before.images, images);
    assert.equal(differsBeyondHeartbeat(status, before), true);
    assert.equal(
      differsBeyondHeartbeat(
        before,
        observedNodeStatus(before, { report: nodeReport, images: [...images], machine, heardAt: 'later' }),
      ),
      false,
    );
    assert.deepEqual(observedNodeStatus(before, { report: nodeReport, machine, heardAt: 'later' }).images, images);
    assert.equal(
      differsBeyondHeartbeat(
        before,
        observedNodeStatus(before, { report: nodeReport, images: [], machine, heardAt: 'later' }),
      ),
      true,
    );
  });

  it('sets a condition once', () => {
    const node = nodeObject('n1', '10.0.0.0/24');
    const set = withStatusCondition(
      node,
      { type: 'Connected', status: 'False', reason: 'HostKeyChanged', message: 'm' },
      NOW,
    );
    assert.ok(set);
    assert.equal(
      withStatusCondition(set, { type: 'Connected', status: 'False', reason: 'HostKeyChanged', message: 'm' }, 'later'),
      undefined,
    );
  });
});

describe('the pause before a machine is tried again', () => {
  const cases: readonly (readonly [string, number, unknown, number, number])[] = [
    ['is short at first', 1, new RetryableError('NodeUnreachable', ''), 0, 50],
    ['grows', 4, new RetryableError('NodeUnreachable', ''), 1, 800],
    ['ends growing', 1000, new RetryableError('NodeUnreachable', ''), 1, 5000],
    ['is long where only a person can help', 1, new TerminalError('HostKeyChanged', ''), 1, 60000],
    ['is what a waiting error says', 9, new WaitingError('NodeNotPrepared', '', 30000), 1, 30000],
    ['treats a surprise as a failure', 2, new Error('?'), 1, 200],
  ];
  for (const [what, failures, error, random, wanted] of cases)
    it(what, () => assert.equal(reconnectDelayMs(failures, error, random), wanted));
});
