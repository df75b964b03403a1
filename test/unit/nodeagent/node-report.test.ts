import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ClusterManifest } from '../../../contracts/objects/own.ts';
import { KINDS } from '../../../contracts/objects/kinds.ts';
import { isKind } from '../../../contracts/objects/identity.ts';
import { DEFAULT_NETWORK } from '../../../contracts/objects/default-network.ts';
import type { Node } from '../../../contracts/objects/index.ts';
import type { AssignmentView } from '../../../nodeagent/core/assignment.ts';
import { nodeReport, type ReportInput } from '../../../nodeagent/core/node/report.ts';
import { parseUpdate } from '../../../nodeagent/loops/api/update-body.ts';

const machine: ReportInput['machine'] = {
  hostname: 'host',
  cpus: 4,
  memoryBytes: 8 * 2 ** 30,
  diskBytes: 2 ** 30,
  hugePages: [],
  machineID: 'm',
  bootID: 'b',
  kernelVersion: '6',
  osImage: 'Debian',
  architecture: 'amd64',
  addresses: [
    { device: 'veth1', address: '198.18.9.1' },
    { device: 'eth0', address: '198.18.0.1' },
    { device: 'eth1', address: '198.18.1.1' },
  ],
  uplink: 'eth0',
};
const healthy = {
  reachable: true,
  health: {
    runtimeReady: true,
    networkReady: true,
    message: '',
    systemdCgroup: false,
    recursiveReadOnly: false,
    strictGroups: false,
    userNamespaces: [],
  },
} as const;
function viewWith(address: string | undefined): AssignmentView {
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: {},
    status: { addresses: address === undefined ? [] : [{ type: 'InternalIP', address }] },
  } as Node;
  return {
    version: 'v1',
    node: 'n',
    get: ((key: string) => (key === 'nodes//n' ? node : undefined)) as AssignmentView['get'],
    list: () => [],
  };
}
const base: ReportInput = {
  machine,
  runtime: healthy,
  runtimeVersion: 'containerd://1',
  network: { version: 'v1', error: null },
  pressures: {},
  view: viewWith(undefined),
  agentVersion: '1',
  agentRss: 1,
};

describe('nodeReport', () => {
  it('measures the machine', () => {
    const report = nodeReport(base);
    assert.deepEqual(report.capacity, { cpu: '4', memory: '8388608Ki', 'ephemeral-storage': '1048576Ki', pods: '110' });
    assert.equal(report.ready, true);
  });
  it('counts huge pages by their size, also where there are none now', () => {
    const hugePages = [
      { pageBytes: 64 * 1024, pages: 0 },
      { pageBytes: 2 ** 21, pages: 512 },
      { pageBytes: 2 ** 30, pages: 3 },
    ];
    const {
      cpu: _cpu,
      memory: _memory,
      pods: _pods,
      ...rest
    } = nodeReport({ ...base, machine: { ...machine, hugePages } }).capacity;
    assert.deepEqual(rest, {
      'ephemeral-storage': '1048576Ki',
      'hugepages-64Ki': '0',
      'hugepages-2Mi': '1Gi',
      'hugepages-1Gi': '3Gi',
    });
  });
  it('tells of what it may be short of once that was looked at', () => {
    const short = { pressure: true, message: 'm' };
    const { memoryPressure, diskPressure, pidPressure } = nodeReport({
      ...base,
      pressures: { MemoryPressure: short, PIDPressure: { pressure: false, message: 'n' } },
    });
    assert.deepEqual(
      { memoryPressure, diskPressure, pidPressure },
      { memoryPressure: short, diskPressure: undefined, pidPressure: { pressure: false, message: 'n' } },
    );
    assert.ok(!('diskPressure' in nodeReport(base)));
  });
  for (const [name, view, expected] of [
    ["the uplink's", viewWith(undefined), '198.18.0.1'],
    ['the known one while the machine has it', viewWith('198.18.1.1'), '198.18.1.1'],
    ['not one that it lost', viewWith('198.18.7.7'), '198.18.0.1'],
  ] as const) {
    it(`address: ${name}`, () => assert.equal(nodeReport({ ...base, view }).internalIP, expected));
  }
  for (const [reason, more] of [
    ['ContainerRuntimeNotReady', { runtime: { reachable: false, message: 'no socket' } }],
    ['ContainerRuntimeNotReady', { runtime: { reachable: true, health: { ...healthy.health, runtimeReady: false } } }],
    ['NetworkNotReady', { runtime: { reachable: true, health: { ...healthy.health, networkReady: false } } }],
    ['NetworkNotReady', { network: { version: null, error: 'nft is missing' } }],
  ] as const) {
    it(`${reason}: ${JSON.stringify(more)}`, () => {
      const report = nodeReport({ ...base, ...more });
      assert.deepEqual([report.ready, report.reason], [false, reason]);
    });
  }
});

describe('parseUpdate', () => {
  const good = { epoch: 1, node: 'n', from: null, to: 'v1', upsert: [], remove: ['pods/default/a'] };
  it('takes an update', () => assert.deepEqual(parseUpdate(JSON.stringify(good)), good));
  const pod = (uid: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', uid },
    spec: { containers: [] },
  });
  it('leaves out what is of a kind that it does not know, also where another group has one of the same name', () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'default' } };
    const strange = [
      { apiVersion: 'example.com/v1', kind: 'Later', metadata: { name: 'x', namespace: 'default' } },
      { ...pod('a'), apiVersion: 'example.com/v1' },
    ];
    const remove = ['pods/default/a', 'laters.example.com/default/y', 'pods.example.com/default/a', 'Pod/default/b'];
    const update = parseUpdate(JSON.stringify({ ...good, upsert: [...strange, config], remove }));
    assert.deepEqual([update.upsert, update.remove], [[config], ['pods/default/a', 'pods/default/b']]);
  });
  for (const bad of [
    '{',
    '[]',
    { ...good, epoch: 'x' },
    { ...good, from: 3 },
    { ...good, to: '' },
    { ...good, upsert: [1] },
    { ...good, remove: ['x'] },
    { ...good, upsert: [pod('../../etc')] },
    { ...good, upsert: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }] },
  ]) {
    const text = typeof bad === 'string' ? bad : JSON.stringify(bad);
    it(`refuses ${text}`, () => assert.throws(() => parseUpdate(text), /cannot be read/));
  }
});

describe('what an agent knows without schemas', () => {
  it('is what the schemas say', () => {
    const cluster = ClusterManifest.parse({
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'c' },
    });
    assert.deepEqual(DEFAULT_NETWORK, cluster.spec.network);
    assert.ok(Object.keys(KINDS).every(isKind));
  });
});
