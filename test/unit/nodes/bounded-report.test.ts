import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ContainerStatus, EphemeralContainer, PodStatus } from '../../../contracts/objects/index.ts';
import { NodeReport } from '../../../contracts/agent/index.ts';
import {
  boundedEvent,
  boundedImages,
  boundedNodeReport,
  boundedPodStatus,
  boundedTime,
} from '../../../reconciler/core/nodes/bounded-report.ts';
import { Rate } from '../../../reconciler/core/rate.ts';
import { pod } from '../controllers/objects.ts';
import { NODE_REPORT } from './fake-agent.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const AT = '2026-03-01T11:00:00Z';
const NODE = { podCIDR: '10.244.1.0/24', internalIP: '198.18.0.2' };
const long = 'x'.repeat(8 * 1024 * 1024);
const container = {
  name: 'app',
  state: { running: { startedAt: AT } },
  lastState: {},
  ready: true,
  started: true,
  restartCount: 2,
  image: 'app:v1',
  imageID: 'sha256:1',
  containerID: 'containerd://1',
  stopSignal: 'SIGUSR1',
  allocatedResources: { cpu: '1' },
  resources: { limits: { cpu: '2' }, requests: { cpu: '1' } },
};
const LOOK = EphemeralContainer.parse({ name: 'look', image: 'app:v1' });
const honest: PodStatus = {
  phase: 'Running',
  reason: 'r',
  message: 'm',
  hostIP: '198.18.0.2',
  hostIPs: [{ ip: '198.18.0.2' }],
  qosClass: 'BestEffort',
  observedGeneration: 3,
  podIP: '10.244.1.9',
  podIPs: [{ ip: '10.244.1.9' }],
  startTime: AT,
  conditions: [
    { type: 'Ready', status: 'True', lastTransitionTime: AT },
    { type: 'ContainersReady', status: 'False', reason: 'ContainersNotReady', message: 'no', lastTransitionTime: AT },
  ],
  containerStatuses: [
    {
      ...container,
      lastState: {
        terminated: { exitCode: 1, reason: 'Error', message: 'm', startedAt: AT, finishedAt: AT, containerID: 'c' },
      },
    },
  ],
  initContainerStatuses: [
    { ...container, name: 'setup', ready: false, state: { waiting: { reason: 'PodInitializing', message: 'm' } } },
  ],
  ephemeralContainerStatuses: [{ ...container, name: 'look' }],
};
const bounded = (
  status: PodStatus,
  spec: object = {},
  node: Parameters<typeof boundedPodStatus>[2] = NODE,
): PodStatus => {
  const made = pod('p', { initContainers: [{ name: 'setup', image: 'app:v1' }], ...spec }).spec;
  return boundedPodStatus(status, { ...made, ephemeralContainers: [LOOK] }, node, NOW);
};

describe("a node's word on a pod", () => {
  it('of an honest node passes unchanged', () => assert.deepEqual(bounded(honest), honest));

  it('of an honest node has here all that a status can have but what the scheduler alone says', () => {
    assert.deepEqual(new Set([...Object.keys(honest), 'nominatedNodeName']), new Set(Object.keys(PodStatus.shape)));
    const all = (honest.containerStatuses ?? []).concat(honest.initContainerStatuses ?? []);
    assert.deepEqual(new Set(all.flatMap((one) => Object.keys(one))), new Set(Object.keys(ContainerStatus.shape)));
    assert.deepEqual(
      new Set(all.flatMap(({ state, lastState }) => [...Object.keys(state), ...Object.keys(lastState)])),
      new Set(['waiting', 'running', 'terminated']),
    );
  });

  const addresses: readonly (readonly [
    string,
    PodStatus,
    object,
    { podCIDR: string | undefined; internalIP: string | undefined },
    string | undefined,
  ])[] = [
    ["of the node's range", honest, {}, NODE, '10.244.1.9'],
    ["of another node's range", { ...honest, podIP: '10.244.2.9' }, {}, NODE, undefined],
    ['of a Service', { ...honest, podIP: '10.96.0.10' }, {}, NODE, undefined],
    ['that is none', { ...honest, podIP: '10.244.1.9\n' }, {}, NODE, undefined],
    ['in another writing', { ...honest, podIP: '10.244.1.009' }, {}, NODE, undefined],
    ['while the node has no range', honest, {}, { ...NODE, podCIDR: undefined }, undefined],
    ["of the host network: the node's", { ...honest, podIP: '1.2.3.4' }, { hostNetwork: true }, NODE, '198.18.0.2'],
  ];
  for (const [what, status, spec, node, wanted] of addresses) {
    it(`holds an address ${what}`, () => {
      const { podIP, podIPs } = bounded(status, spec, node);
      assert.equal(podIP, wanted);
      assert.deepEqual(podIPs, wanted === undefined ? undefined : [{ ip: wanted }]);
    });
  }

  it('names the containers of the spec, each once', () => {
    const { containerStatuses } = bounded({
      ...honest,
      containerStatuses: [
        container,
        { ...container, ready: false },
        ...Array.from({ length: 1000 }, (_, i) => ({ ...container, name: `c${i}` })),
      ],
    });
    assert.deepEqual(
      containerStatuses?.map(({ name, ready }) => [name, ready]),
      [['app', true]],
    );
  });

  it('is short, whatever was sent', () => {
    const terminated = {
      exitCode: 1,
      reason: long,
      message: long,
      startedAt: long,
      finishedAt: long,
      containerID: long,
    };
    const status = bounded({
      phase: 'Failed',
      reason: long,
      message: long,
      startTime: long,
      conditions: Array.from({ length: 10_000 }, (_, i) => ({
        type: `${i}${long.slice(0, 1000)}`,
        status: 'True' as const,
        reason: long.slice(0, 2000),
      })),
      containerStatuses: [
        {
          ...container,
          image: long,
          imageID: long,
          stopSignal: long,
          state: { terminated },
          lastState: { waiting: { reason: long, message: long } },
        },
      ],
    });
    assert.ok(JSON.stringify(status).length < 20_000, String(JSON.stringify(status).length));
  });
});

describe("a node's word on itself", () => {
  const said = (over: Partial<NodeReport>): NodeReport => boundedNodeReport({ ...NODE_REPORT, ...over });

  it('of an honest node passes unchanged, with all that a report can have', () => {
    assert.deepEqual(said({}), NODE_REPORT);
    assert.deepEqual(new Set(Object.keys(NODE_REPORT)), new Set(Object.keys(NodeReport.shape)));
  });

  it('has a WireGuard key that is one', () => {
    for (const wireguardKey of ['', 'x', `${'a'.repeat(43)}=`, `${'a'.repeat(42)}A`, `${'a'.repeat(42)} =`])
      assert.equal(said({ wireguardKey }).wireguardKey, undefined);
  });

  it('is on an address that is one', () => {
    for (const internalIP of ['', 'localhost', 'n1.example.com', '256.1.1.1', long])
      assert.equal(said({ internalIP }).internalIP, '');
  });

  it('is short, and gives no label that is none', () => {
    const report = said({
      message: long,
      hostname: long,
      networkError: long,
      diskPressure: { pressure: true, message: long },
      capacity: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`example.com/r${i}`, '1'])),
      nodeInfo: { ...NODE_REPORT.nodeInfo, architecture: 'not a label', osImage: long },
    });
    assert.ok(JSON.stringify(report).length < 10_000);
    assert.equal(report.nodeInfo.architecture, 'unknown');
  });

  it('has no resource with a name or an amount that is none', () => {
    assert.deepEqual(
      said({ capacity: { cpu: '2', [`example.com/${long}`]: '1', 'example.com/gpu': '0'.repeat(100_000) } }).capacity,
      { cpu: '2' },
    );
  });

  it('is of 50 images at most', () => {
    const images = boundedImages(
      Array.from({ length: 1000 }, () => ({ names: Array.from({ length: 100 }, () => long), sizeBytes: -1 })),
    );
    assert.equal(images.length, 50);
    assert.ok(JSON.stringify(images).length < 1_000_000);
    assert.equal(images[0]?.sizeBytes, 0);
  });
});

describe("a node's events", () => {
  it('are short', () => {
    const event = boundedEvent(
      {
        namespace: 'default',
        name: 'p',
        uid: 'u',
        type: 'Warning',
        reason: long,
        message: long,
        at: 'never',
        count: 1e9,
      },
      NOW,
    );
    assert.ok(JSON.stringify(event).length < 2000);
    assert.deepEqual([event.at, event.count], [NOW.toISOString(), 1_000_000]);
  });

  it('come at a rate', () => {
    const rate = new Rate(3, 2, 0);
    assert.deepEqual(
      [0, 0, 0, 0, 499, 500, 500].map((at) => rate.take(at)),
      [true, true, true, false, false, true, false],
    );
    assert.deepEqual(
      [1_000_000, 1_000_000, 1_000_000, 1_000_000].map((at) => rate.take(at)),
      [true, true, true, false],
    );
  });

  const times: readonly (readonly [string, string])[] = [
    [AT, AT],
    ['2026-03-01T12:04:59Z', '2026-03-01T12:04:59Z'],
    ['2026-03-01T12:05:01Z', NOW.toISOString()],
    ['', NOW.toISOString()],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
  ];
  for (const [told, wanted] of times)
    it(`are at ${told === '' ? 'no time' : told}`, () => assert.equal(boundedTime(told, NOW), wanted));
});
