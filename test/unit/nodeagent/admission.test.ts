import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { refusal, refusalUnder, type Machine } from '../../../nodeagent/core/pod/admission.ts';
import { pod } from './pods.ts';

const NODE: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { disk: 'ssd' } },
  spec: {},
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3', 'ephemeral-storage': '10Gi' } },
};
const asks = (requests: Record<string, string>, more: Record<string, unknown> = {}): Pod =>
  pod({ containers: [{ name: 'main', image: 'app:1', resources: { requests } }], ...more });
const port = (hostPort: number, more: Record<string, unknown> = {}): Pod =>
  pod({ containers: [{ name: 'main', image: 'app:1', ports: [{ containerPort: 80, hostPort, ...more }] }] });
const hostNetwork = pod({
  hostNetwork: true,
  containers: [{ name: 'main', image: 'app:1', ports: [{ containerPort: 80 }] }],
});
const requires = (name: string): Pod =>
  pod({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
        },
      },
    },
  });
const tainted = (effect: 'NoSchedule' | 'NoExecute'): Node => ({
  ...NODE,
  spec: { taints: [{ key: 'dedicated', value: 'db', effect }] },
});

const ABLE: Machine = { appArmor: true, strictGroups: true };
const UNABLE: Machine = { appArmor: false, strictGroups: false };
const confined = (securityContext: object): Pod => pod({ securityContext });

describe('refusal', () => {
  const rows: readonly {
    readonly name: string;
    readonly pod: Pod;
    readonly others?: readonly Pod[];
    readonly node?: Node | undefined;
    readonly machine?: Machine;
    readonly refused?: string;
  }[] = [
    { name: 'a pod that asks for nothing', pod: pod() },
    { name: 'all that there is', pod: asks({ cpu: '2', memory: '1Gi' }) },
    {
      name: 'more cpu than there is',
      pod: asks({ cpu: '64' }),
      refused: "OutOfcpu: Node didn't have enough resource: cpu, requested: 64000, used: 0, capacity: 2000",
    },
    {
      name: 'more memory than is left',
      pod: asks({ memory: '513Mi' }),
      others: [asks({ memory: '512Mi' })],
      refused:
        "OutOfmemory: Node didn't have enough resource: memory, requested: 537919488, used: 536870912, capacity: 1073741824",
    },
    { name: 'as much memory as is left', pod: asks({ memory: '512Mi' }), others: [asks({ memory: '512Mi' })] },
    { name: 'nothing of a resource that others have used up', pod: asks({ cpu: '0' }), others: [asks({ cpu: '4' })] },
    {
      name: 'one pod too many',
      pod: pod(),
      others: [pod(), pod(), pod()],
      refused: "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    },
    {
      name: 'disk',
      pod: asks({ 'ephemeral-storage': '11Gi' }),
      refused:
        "OutOfephemeral-storage: Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240",
    },
    { name: 'a resource that the node does not have', pod: asks({ 'example.com/gpu': '1' }) },
    { name: 'a node that has not said what it has', pod: asks({ cpu: '64' }), node: { ...NODE, status: {} } },
    { name: 'a node that is not known', pod: asks({ cpu: '64' }), node: undefined },
    {
      name: 'the port of another pod',
      pod: port(80),
      others: [port(80)],
      refused: "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    },
    {
      name: "the port of a pod in the host's network",
      pod: port(80),
      others: [hostNetwork],
      refused: "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    },
    {
      name: 'that port at an address of its own',
      pod: port(80, { hostIP: '198.18.0.1' }),
      others: [port(80, { hostIP: '198.18.0.2' })],
    },
    {
      name: 'that port at all addresses',
      pod: port(80, { hostIP: '0.0.0.0' }),
      others: [port(80, { hostIP: '198.18.0.2' })],
      refused: "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    },
    { name: 'another port', pod: port(81), others: [port(80)] },
    { name: 'that port of another protocol', pod: port(80, { protocol: 'UDP' }), others: [port(80)] },
    { name: 'a label that the node has', pod: pod({ nodeSelector: { disk: 'ssd' } }) },
    {
      name: 'a label that it has not',
      pod: pod({ nodeSelector: { disk: 'hdd' } }),
      refused: "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    },
    {
      name: 'a label that every object inherits',
      pod: pod({ nodeSelector: { constructor: 'x' } }),
      refused: "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    },
    { name: 'required affinity that holds', pod: requires('n1') },
    {
      name: 'required affinity that does not',
      pod: requires('n2'),
      refused: "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    },
    {
      name: 'a taint that keeps pods off',
      pod: pod(),
      node: tainted('NoExecute'),
      refused: "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    },
    {
      name: 'a taint that is tolerated',
      pod: pod({ tolerations: [{ operator: 'Exists' }] }),
      node: tainted('NoExecute'),
    },
    { name: 'a taint that only the scheduler heeds', pod: pod(), node: tainted('NoSchedule') },
    {
      name: 'a profile of AppArmor where there is none',
      pod: confined({ appArmorProfile: { type: 'Localhost', localhostProfile: 'web' } }),
      machine: UNABLE,
      refused: 'AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host',
    },
    {
      name: 'a profile of AppArmor where there is',
      pod: confined({ appArmorProfile: { type: 'Localhost', localhostProfile: 'web' } }),
    },
    { name: 'no profile at all', pod: confined({ appArmorProfile: { type: 'Unconfined' } }), machine: UNABLE },
    {
      name: 'the default profile, which needs no AppArmor here',
      pod: confined({ appArmorProfile: { type: 'RuntimeDefault' } }),
      machine: UNABLE,
    },
    {
      name: 'groups that the runtime cannot leave out',
      pod: confined({ supplementalGroupsPolicy: 'Strict' }),
      machine: UNABLE,
      refused: 'SupplementalGroupsPolicyNotSupported: SupplementalGroupsPolicy=Strict is not supported in this node',
    },
    { name: 'groups that it can', pod: confined({ supplementalGroupsPolicy: 'Strict' }) },
    { name: 'groups as they are', pod: confined({ supplementalGroupsPolicy: 'Merge' }), machine: UNABLE },
    {
      name: 'of several reasons the first',
      pod: asks({ cpu: '3', memory: '2Gi' }, { nodeSelector: { disk: 'hdd' } }),
      refused: "OutOfcpu: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000",
    },
  ];
  for (const row of rows) {
    it(`${row.name}: ${row.refused === undefined ? 'runs' : 'refused'}`, () => {
      const why = refusal(row.pod, 'node' in row ? row.node : NODE, row.others ?? [], row.machine ?? ABLE);
      assert.equal(why && `${why.reason}: ${why.message}`, row.refused);
    });
  }
});

/** Source: Kubernetes pkg/kubelet/eviction/eviction_manager_test.go (the admission part of its tests). */
describe('refusalUnder', () => {
  const bearing = (key: string): Pod => pod({ tolerations: [{ key, operator: 'Exists', effect: 'NoSchedule' }] });
  const CRITICAL = 2_000_000_000;
  for (const [name, pressures, one, priority, refused] of [
    ['nothing: any pod', [], pod(), 0, false],
    ['memory: a best-effort pod', ['MemoryPressure'], pod(), 0, true],
    ['memory: one that asks for some', ['MemoryPressure'], asks({ cpu: '1m' }), 0, false],
    ['memory: one that bears it', ['MemoryPressure'], bearing('node.kubernetes.io/memory-pressure'), 0, false],
    ['memory: one that bears something else', ['MemoryPressure'], bearing('node.kubernetes.io/disk-pressure'), 0, true],
    ['memory: one that the system needs', ['MemoryPressure'], pod(), CRITICAL, false],
    ['memory: one that is important', ['MemoryPressure'], pod(), 1_000_000_000, true],
    ['disk: one that asks for memory', ['DiskPressure'], asks({ memory: '1Mi' }), 0, true],
    ['disk: one that bears it', ['DiskPressure'], bearing('node.kubernetes.io/disk-pressure'), 0, true],
    ['disk: one that the system needs', ['DiskPressure'], pod(), CRITICAL, false],
    ['process ids', ['PIDPressure'], asks({ memory: '1Mi' }), 0, true],
    ['memory and disk', ['MemoryPressure', 'DiskPressure'], asks({ memory: '1Mi' }), 0, true],
  ] as const) {
    it(`short of ${name}: ${refused ? 'refused' : 'runs'}`, () => {
      assert.deepEqual(
        refusalUnder(pressures, one, priority),
        refused ? { reason: 'Evicted', message: `The node had condition: [${pressures.join(' ')}]. ` } : undefined,
      );
    });
  }
});
