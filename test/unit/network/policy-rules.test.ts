import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyOf, type KubeObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import { Guards } from '../../../nodeagent/core/data-plane/policy/guards.ts';
import { compileGuards } from '../../../nodeagent/core/nftables/policy.ts';
import { renderTransaction } from '../../../nodeagent/core/nftables/render.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { applyCommands } from './nft-table.ts';
import { tracePacket, type Packet } from './packet-trace.ts';
import {
  assignmentOf,
  DNS,
  ninePods,
  place,
  POD_RANGE,
  policy,
  slicesOf,
  space,
  tableOf,
  type Placed,
  type Scene,
} from './policy-world.ts';
import { endpoint, service, slice, TestAssignment } from './world.ts';

const SPACES = ['x', 'y', 'z'].map((name) => space(name, { ns: name }));
const NODE = '198.18.0.1';
const web = place('x', 'web', '198.19.1.50', 'n1');

function end(scene: Partial<Scene>, packet: Packet): string {
  const table = tableOf({ policies: [], spaces: SPACES, pods: [web], ...scene }, 'n1');
  const outcome = tracePacket(table, { addresses: [NODE, DNS] }, packet);
  return outcome.end === 'delivered' ? outcome.to.join() : outcome.end;
}
const closed = policy('x', { policyTypes: ['Ingress', 'Egress'] });
const opens = (...egress: readonly object[]): object => policy('x', { policyTypes: ['Egress'], egress });

describe('a guarded pod', () => {
  it('takes what its own node sends, and its own node takes what it sends', () => {
    assert.equal(end({ policies: [closed] }, { from: NODE, to: web.address, port: 80 }), '198.19.1.50:80');
    assert.equal(end({ policies: [closed] }, { from: web.address, to: NODE, port: 10250 }), `${NODE}:10250`);
    assert.equal(end({ policies: [closed] }, { from: '198.18.0.2', to: web.address, port: 80 }), 'dropped');
  });

  it('is not guarded in the network of its machine', () => {
    const host = place('x', 'host', NODE, 'n1', { spec: { hostNetwork: true } });
    const table = tableOf({ policies: [closed], spaces: SPACES, pods: [host] }, 'n1');
    assert.equal(table.elements.get('guarded-ingress'), undefined);
  });

  it('is guarded behind a Service by its own address, and sees itself through it', () => {
    const svc = service('web', '198.19.128.10', [{ port: 80 }]);
    const more = [svc, slice(svc, [endpoint(web.address)])];
    const other = place('y', 'a', '198.19.1.51', 'n1');
    const scene = { policies: [closed], pods: [web, other], more };
    assert.equal(end(scene, { from: other.address, to: '198.19.128.10', port: 80 }), 'dropped');
    assert.equal(end(scene, { from: web.address, to: '198.19.128.10', port: 80 }), '198.19.1.50:8080');
    const open = policy('x', { ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 8080 }] }] });
    assert.equal(
      end({ ...scene, policies: [open] }, { from: other.address, to: '198.19.128.10', port: 80 }),
      '198.19.1.50:8080',
    );
  });

  it('takes and opens what a block has, and not what is left out of it', () => {
    const block = { ipBlock: { cidr: '198.18.0.0/16', except: ['198.18.1.0/24', '198.18.2.7/32'] } };
    const policies = [
      policy('x', { ingress: [{ from: [block] }], egress: [{ to: [block, { ipBlock: { cidr: '198.18.1.4/30' } }] }] }),
    ];
    for (const [address, takes, sends] of [
      ['198.18.0.0', true, true],
      ['198.18.0.255', true, true],
      ['198.18.1.0', false, false],
      ['198.18.1.5', false, true],
      ['198.18.1.8', false, false],
      ['198.18.2.6', true, true],
      ['198.18.2.7', false, false],
      ['198.18.255.255', true, true],
      ['198.17.255.255', false, false],
    ] as const) {
      const scene = { policies };
      assert.equal(end(scene, { from: address, to: web.address, port: 9 }) !== 'dropped', takes, `from ${address}`);
      assert.equal(end(scene, { from: web.address, to: address, port: 9 }) !== 'dropped', sends, `to ${address}`);
    }
  });

  it('opens to named ports of addresses only where pods have them', () => {
    const far = place('y', 'far', '198.19.2.9', 'n2', { ports: [{ name: 'http', containerPort: 8080 }] });
    const pods = [web, far];
    const policies = [
      opens({ to: [{ ipBlock: { cidr: '198.19.2.0/24' } }], ports: [{ port: 'http' }] }),
    ] as Scene['policies'];
    assert.equal(end({ policies, pods }, { from: web.address, to: far.address, port: 8080 }), '198.19.2.9:8080');
    assert.equal(end({ policies, pods }, { from: web.address, to: far.address, port: 80 }), 'dropped');
    assert.equal(end({ policies, pods }, { from: web.address, to: '198.19.2.10', port: 8080 }), 'dropped');
  });
});

describe('names under policy', () => {
  const asks = (...egress: readonly object[]): string =>
    end(
      { policies: [opens(...egress)] as Scene['policies'] },
      { from: web.address, to: DNS, port: 53, protocol: 'UDP' },
    );
  const at53 = [{ port: 53, protocol: 'UDP' }];
  const system = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } };
  const rows: readonly (readonly [string, boolean, readonly object[]])[] = [
    ['no rule', false, []],
    ['everybody', true, [{}]],
    ['port 53 of everybody', true, [{ ports: at53 }]],
    ['port 53 of TCP alone', false, [{ ports: [{ port: 53 }] }]],
    ['kube-system', true, [{ to: [system], ports: at53 }]],
    [
      'kube-dns of kube-system',
      true,
      [{ to: [{ ...system, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: at53 }],
    ],
    ['node-local-dns', true, [{ to: [{ ...system, podSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } } }] }]],
    ['another pod of kube-system', false, [{ to: [{ ...system, podSelector: { matchLabels: { app: 'x' } } }] }]],
    [
      'kube-dns of all namespaces',
      true,
      [{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }] }],
    ],
    ['all namespaces', true, [{ to: [{ namespaceSelector: {} }], ports: at53 }]],
    ['its own namespace', false, [{ to: [{ podSelector: {} }] }]],
    ['the address', true, [{ to: [{ ipBlock: { cidr: `${DNS}/32` } }] }]],
    ['another address', false, [{ to: [{ ipBlock: { cidr: '10.96.0.10/32' } }] }]],
    ['the port by name', true, [{ to: [system], ports: [{ port: 'dns', protocol: 'UDP' }] }]],
    ['another port by name', false, [{ to: [system], ports: [{ port: 'metrics', protocol: 'UDP' }] }]],
  ];
  for (const [what, isAnswered, egress] of rows)
    it(`${what}: ${isAnswered ? 'answered' : 'dropped'}`, () => {
      assert.equal(asks(...egress), isAnswered ? `${DNS}:53` : 'dropped');
    });

  it('needs no rule where egress is open', () => {
    const packet: Packet = { from: web.address, to: DNS, port: 53, protocol: 'UDP' };
    assert.equal(end({ policies: [policy('x', {})] }, packet), `${DNS}:53`);
  });
});

describe('groups on a node', () => {
  const from = (pod: string): Record<string, unknown> => ({
    ingress: [{ from: [{ podSelector: { matchLabels: { pod } } }] }],
  });

  it('have the addresses of its own pods as the node sees them, whatever slices tell', () => {
    const friend = place('x', 'friend', '198.19.1.60', 'n1', { labels: { pod: 'friend' } });
    const far = place('x', 'friend2', '198.19.2.60', 'n2', { labels: { pod: 'friend' } });
    const policies = [policy('x', from('friend'))];
    // The slices are behind: they have an address that another pod of this node has now.
    const stale: readonly Placed[] = [{ ...friend, address: '198.19.1.61' }, far];
    const other = place('x', 'other', '198.19.1.61', 'n1', { labels: { pod: 'other' } });
    const objects = [
      ...assignmentOf({ policies: [], spaces: SPACES, pods: [web, friend, other] }, 'n1'),
      ...policies,
      ...slicesOf(policies, SPACES, stale),
    ];
    const view = new TestAssignment('n1', objects).current();
    const addresses = new Map([web, friend, other].map((one) => [one.pod.metadata.uid, one.address]));
    const guards = new Guards();
    guards.change(
      {
        view,
        pods: { get: (uid) => ({ address: addresses.get(uid), ready: true, over: false }) },
        addresses: { podRange: POD_RANGE, dns: DNS },
        localRange: '198.19.1.0/24',
      },
      'all',
    );
    const members = [...guards.parts.values()].flatMap((part) =>
      part.is === 'group' || part.is === 'members' ? part.members.map(({ address }) => address) : [],
    );
    assert.deepEqual(members, ['198.19.1.60', '198.19.2.60']);
  });

  it('are not there for policies of which the node has no pod', () => {
    const table = tableOf({ policies: [policy('y', from('a'))], spaces: SPACES, pods: [web] }, 'n1');
    assert.equal(
      [...table.containers.keys()].some((name) => name.startsWith('pg-') || name.startsWith('guard')),
      false,
    );
  });

  it('and their rules do not grow with the policies of others', () => {
    const count = (others: number): number => {
      const more = Array.from({ length: others }, (_, i) => policy('y', from(`p${i}`), `policy-${i}`));
      const table = tableOf({ policies: [policy('x', from('a')), ...more], spaces: SPACES, pods: [web] }, 'n1');
      return [...table.chains.values()].reduce((sum, { rules }) => sum + rules.length, 0);
    };
    assert.equal(count(200), count(0));
  });
});

describe('rules for one pod', () => {
  it('do not grow with the policies that select it', () => {
    const rules = (count: number): number => {
      const policies = Array.from({ length: count }, (_, i) =>
        policy(
          'x',
          {
            podSelector: { matchLabels: { pod: 'web' } },
            ingress: [{ from: [{ podSelector: { matchLabels: { pod: `p${i}` } } }], ports: [{ port: 80 }] }],
            egress: [{ to: [{ podSelector: { matchLabels: { pod: `p${i}` } } }], ports: [{ port: 'http' }] }],
          },
          `policy-${i}`,
        ),
      );
      const friend = place('x', 'friend', '198.19.2.60', 'n2', { labels: { pod: `p${count - 1}` } });
      const scene = { policies, spaces: SPACES, pods: [web, friend] };
      assert.equal(end(scene, { from: friend.address, to: web.address, port: 80 }), '198.19.1.50:80');
      assert.equal(end(scene, { from: '198.19.2.61', to: web.address, port: 80 }), 'dropped');
      return [...tableOf(scene, 'n1').chains.values()].reduce((sum, chain) => sum + chain.rules.length, 0);
    };
    assert.equal(rules(300), rules(4));
  });
});

describe('a change of what is guarded', () => {
  const MANY_PEERS = ['a', 'c', 'd', 'e'].map((name) => ({
    namespaceSelector: {},
    podSelector: { matchLabels: { pod: name } },
  }));

  const randomScene = fc
    .record({
      together: fc.boolean(),
      there: fc.subarray([0, 1, 2, 3, 4, 5, 6, 7, 8]),
      labels: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 9, maxLength: 9 }),
      spaces: fc.subarray(['x', 'y', 'z']),
      policies: fc.uniqueArray(
        fc.record({
          name: fc.constantFrom('p', 'q'),
          namespace: fc.constantFrom('x', 'y'),
          pods: fc.constantFrom({}, { matchLabels: { pod: 'a' } }),
          from: fc.constantFrom(
            { podSelector: { matchLabels: { pod: 'b' } } },
            { namespaceSelector: { matchLabels: { ns: 'y' } } },
          ),
          port: fc.constantFrom(80, 'serve-80-tcp'),
          many: fc.boolean(),
        }),
        { maxLength: 3, selector: ({ name, namespace }) => `${namespace}/${name}` },
      ),
    })
    .map(({ together, there, labels, spaces, policies }): Scene => {
      const pods = ninePods(together).flatMap((one, i) =>
        there.includes(i)
          ? [{ ...one, pod: { ...one.pod, metadata: { ...one.pod.metadata, labels: { pod: labels[i] ?? '' } } } }]
          : [],
      );
      return {
        pods,
        spaces: spaces.map((name) => space(name, { ns: name })),
        policies: policies.map(({ name, namespace, pods: podSelector, from: peer, port, many }) => {
          const peers = [peer, ...(many ? MANY_PEERS : [])];
          const rules = { ingress: [{ from: peers, ports: [{ port }] }], egress: [{ to: peers, ports: [{ port }] }] };
          return policy(namespace, { podSelector, ...rules }, name);
        }),
      };
    });

  it('comes to the same as looking at everything, and is taken by the table as it is', () => {
    fc.assert(
      fc.property(randomScene, randomScene, (a, b) => {
        const scope = (scene: Scene, objects: readonly KubeObject[]): Parameters<Guards['change']>[0] => ({
          view: new TestAssignment('n1', objects).current(),
          pods: {
            get: (uid) => {
              const found = scene.pods.find(({ pod, host }) => pod.metadata.uid === uid && host === 'n1');
              return found && { address: found.address, ready: true, over: false };
            },
          },
          addresses: { podRange: POD_RANGE, dns: DNS },
          localRange: '198.19.1.0/24',
        });
        const [before, after] = [assignmentOf(a, 'n1'), assignmentOf(b, 'n1')];
        const keys = new Set<ObjectKey>([...before, ...after].map((object) => keyOf(object)));
        const stepped = new Guards();
        const { ruleset, commands } = wholeRuleset(withHairpin(compileGuards(stepped.change(scope(a, before), 'all'))));
        const change = stepped.change(scope(b, after), keys);
        const fresh = new Guards();
        fresh.change(scope(b, after), 'all');
        assert.deepEqual(new Map([...stepped.parts].sort()), new Map([...fresh.parts].sort()));
        const delta = ruleset.change(compileGuards(change));
        const table = applyCommands(applyCommands(undefined, commands), delta);
        const whole = applyCommands(undefined, wholeRuleset(withHairpin(compileGuards(fresh.parts))).commands);
        const plain = (one: typeof table): unknown => [
          new Map([...one.chains].sort()),
          new Map([...one.containers].sort()),
          new Map([...one.elements].map(([name, list]) => [name, new Map([...list].sort())] as const).sort()),
        ];
        assert.deepEqual(plain(table), plain(whole));
        assert.doesNotThrow(() => renderTransaction('plumbline', [...commands, ...delta], '1'));
      }),
      { numRuns: 150 },
    );
  });
});

/** The frame of Services has the set that guards look at. */
function withHairpin(fragments: ReturnType<typeof compileGuards>): ReturnType<typeof compileGuards> {
  const frame = {
    chains: [],
    containers: [{ name: 'hairpin', kind: 'set' as const, key: ['address', 'address'] as const }],
    elements: [],
  };
  return new Map([['', frame], ...fragments]);
}
