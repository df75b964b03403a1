/** What a node tells of what it holds, after the store was lost. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  ALIKE_PARTS,
  alikeParts,
  Claim,
  CLAIMED_KINDS,
  partOf,
  type AgentInfo,
} from '../../../contracts/agent/index.ts';
import { keyOf, type Kind, type KubeObject } from '../../../contracts/objects/index.ts';
import { alikeLines, inventoryLines, type InventoryAsked } from '../../../nodeagent/loops/api/inventory.ts';
import { openAssignment } from '../../../nodeagent/loops/assignment-store.ts';
import { nodeForRoutes } from '../../../reconciler/core/nodes/node-form.ts';
import { projectOwnNode } from '../../../reconciler/core/nodes/projection.ts';
import { EXAMPLES } from '../kinds/examples.ts';
import { stored } from '../nodes/stored.ts';

const INFO: AgentInfo = {
  agentVersion: '1',
  bundleHash: '',
  runtimeHash: '',
  pid: 1,
  startedAt: '',
  epoch: 1,
  assignmentVersion: 'v1',
};
const OBJECTS = Object.values(EXAMPLES);
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Told {
  readonly whole: readonly Kind[];
  readonly named: readonly string[];
  readonly digests: ReadonlyMap<number, string>;
}

async function told(asked?: InventoryAsked): Promise<Told> {
  const stored = { epoch: 1, version: 'v1', node: 'n1', objects: OBJECTS };
  const assignment = await openAssignment(
    { load: async () => stored, append: async () => undefined, close: async () => undefined },
    silent,
  );
  assert.equal(assignment.size, OBJECTS.length);
  const whole: Kind[] = [];
  const named: string[] = [];
  const digests = new Map<number, string>();
  for (const line of inventoryLines(INFO, assignment, { pods: () => [] }, [], asked)) {
    if ('alike' in line) for (const [part, digest] of line.alike) digests.set(part, digest);
    if ('object' in line) whole.push(line.object.kind);
    if ('held' in line) named.push(...line.held);
  }
  return { whole, named, digests };
}

const keysBut = (whole: readonly Kind[]): string[] =>
  OBJECTS.filter(({ kind }) => !whole.includes(kind))
    .map(keyOf)
    .sort();

it('tells of everything that it was given, whatever its kind: some whole, of the rest the keys', async () => {
  const { whole, named } = await told();
  assert.deepEqual(named, keysBut(whole));
  assert.deepEqual(whole, CLAIMED_KINDS);
});

it('tells whole what it is asked for, and of all else the keys', async () => {
  const digests = new Map();
  assert.deepEqual(await told({ claims: 'Pod' }), { whole: ['Pod'], named: keysBut(['Pod']), digests });
  assert.deepEqual(await told({ claims: 'Nothing' }), { whole: [], named: keysBut([]), digests });
});

it('tells what all nodes hold alike as digests, and what is behind each that it is asked for', async () => {
  const { whole, named, digests } = await told({ alike: 'digests' });
  assert.deepEqual(whole, ['PersistentVolume', 'Pod']);
  assert.deepEqual(named, [], 'who asks so wants no keys');
  const held = alikeParts(OBJECTS);
  assert.deepEqual(digests, new Map([...held].map(([part, { digest }]) => [part, digest])));
  const [[part, { lines }] = assert.fail()] = held;
  const other = [...Array(ALIKE_PARTS).keys()].find((one) => !held.has(one));
  assert.deepEqual(
    [...alikeLines(held, [part, Number(other), Number.NaN, part])],
    [JSON.stringify({ part }), ...lines, '{"end":true}'],
  );
});

it('tells of what all nodes hold alike all that a claim looks at', () => {
  const { Source, Node, Service } = EXAMPLES;
  const objects: readonly KubeObject[] = [
    { ...Source, status: { appliedRevision: 'a'.repeat(40), history: [] } },
    {
      ...Node,
      spec: { podCIDR: '10.0.0.0/24' },
      status: {
        addresses: [
          { type: 'Hostname', address: 'n1' },
          { type: 'InternalIP', address: '198.18.0.1' },
        ],
      },
    },
    Service,
    {
      ...Service,
      spec: {
        ...Service.spec,
        clusterIP: '10.1.0.9',
        ports: [{ name: 'a', port: 80, protocol: 'UDP', targetPort: 8080, nodePort: 30080 }],
        healthCheckNodePort: 30900,
      },
      status: { loadBalancer: { ingress: [{ ip: '198.18.0.9', ipMode: 'VIP' }] } },
    },
  ];
  for (const object of objects) {
    const [text] = alikeParts([object]).values();
    assert.deepEqual(Claim.parse(JSON.parse(text?.lines[0] ?? '')), Claim.parse(JSON.parse(JSON.stringify(object))));
  }
});

it('tells of its own Node, of which it holds more, what the others tell of it', () => {
  const node = stored({
    ...EXAMPLES.Node,
    spec: { podCIDR: '10.0.0.0/24', taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: {
      addresses: [{ type: 'InternalIP', address: '198.18.0.1' }],
      wireguard: { publicKey: `${'a'.repeat(42)}A=` },
      allocatable: { cpu: '2' },
    },
  });
  assert.match(alikeParts([node]).values().next().value?.lines[0] ?? '', /"wireguard":\{"publicKey":"a{42}A="\}/);
  assert.notDeepEqual(projectOwnNode(node), nodeForRoutes(node));
  assert.deepEqual(alikeParts([projectOwnNode(node)]), alikeParts([nodeForRoutes(node)]));
});

it('tells equal content as equal digests, whatever its order, and other content as others', () => {
  const nodes = ['n1', 'n2', 'n3'].map((name) => ({ ...EXAMPLES.Node, metadata: { name } }));
  assert.deepEqual(alikeParts(nodes), alikeParts(nodes.toReversed()));
  const moved = nodes.map((node) =>
    node.metadata.name === 'n2' ? { ...node, spec: { podCIDR: '10.9.0.0/24' } } : node,
  );
  const [before, after] = [alikeParts(nodes), alikeParts(moved)];
  const differing = [...before].filter(([part, { digest }]) => after.get(part)?.digest !== digest);
  assert.deepEqual(
    differing.map(([part]) => part),
    [partOf('Node', { name: 'n2' })],
  );
});
