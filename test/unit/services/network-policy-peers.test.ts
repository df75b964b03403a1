import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  NamespaceManifest,
  NetworkPolicyManifest,
  peerGroupsOf,
  type Namespace,
  type NetworkPolicy,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { networkPolicyController } from '../../../reconciler/controllers/networkpolicy.ts';
import { pod, running } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function policy(name: string, spec: Record<string, unknown>, namespace = 'x'): NetworkPolicy {
  return NetworkPolicyManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec,
  });
}

function space(name: string, labels: Record<string, string> = {}): Namespace {
  return NamespaceManifest.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
}

function at(name: string, address: string, labels: Record<string, string>, namespace = 'x', more = {}): Pod {
  return running(pod(name, { nodeName: 'n1', ...more }, { namespace, labels }), true, undefined, address);
}

const addressesOf = (world: World): Record<string, readonly string[]> =>
  Object.fromEntries(
    world.list('PeerSlice').map(({ metadata, members }) => [metadata.name, members.map(({ address }) => address)]),
  );
const allAddresses = (world: World): readonly string[] => Object.values(addressesOf(world)).flat().sort();

describe('groups of peers', () => {
  it('are the same for selectors that say the same', () => {
    const [a] = peerGroupsOf(
      policy('a', { ingress: [{ from: [{ podSelector: { matchLabels: { a: '1', b: '2' } } }] }] }),
    );
    const [b] = peerGroupsOf(
      policy('b', {
        ingress: [
          {
            from: [
              {
                podSelector: {
                  matchExpressions: [
                    { key: 'b', operator: 'In', values: ['2'] },
                    { key: 'a', operator: 'In', values: ['1', '1'] },
                  ],
                },
              },
            ],
          },
        ],
      }),
    );
    assert.equal(a?.name, b?.name);
  });

  it('are not needed for addresses, nor for all pods that there are', () => {
    assert.deepEqual(
      peerGroupsOf(
        policy('a', {
          ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }, { namespaceSelector: {} }] }],
          egress: [{ to: [{ namespaceSelector: {}, podSelector: {} }], ports: [{ port: 80 }] }],
        }),
      ),
      [],
    );
  });

  it('have a port where an egress rule names one', () => {
    const groups = peerGroupsOf(
      policy('a', {
        policyTypes: ['Egress'],
        egress: [
          { to: [{ podSelector: {} }], ports: [{ port: 'http' }, { port: 53, protocol: 'UDP' }] },
          { ports: [{ port: 'dns', protocol: 'UDP' }] },
        ],
      }),
    );
    assert.deepEqual(
      groups.map(({ of, port }) => [of, port]),
      [
        [{ namespace: 'x' }, { protocol: 'TCP', name: 'http' }],
        [{ namespace: 'x' }, undefined],
        [{ namespaces: {} }, { protocol: 'UDP', name: 'dns' }],
      ],
    );
  });
});

describe('slices of peers', () => {
  const world = (): World => {
    const w = new World([networkPolicyController]);
    w.put(space('x', { ns: 'x' }));
    w.put(space('y', { ns: 'y' }));
    return w;
  };

  it('follow pods, labels, namespaces and policies, and change nothing without need', () => {
    const w = world();
    w.put(at('a', '10.0.0.1', { app: 'a' }));
    w.put(at('b', '10.0.0.2', { app: 'b' }));
    w.put(at('a', '10.0.0.3', { app: 'a' }, 'y'));
    w.put(policy('p', { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }] }));
    w.settle();
    assert.deepEqual(allAddresses(w), ['10.0.0.1']);
    const [before] = w.list('PeerSlice');
    w.put(policy('q', { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }] }));
    w.settle();
    assert.deepEqual(w.list('PeerSlice'), [before]);
    w.put(
      policy('all', {
        ingress: [
          { from: [{ namespaceSelector: { matchLabels: { ns: 'y' } }, podSelector: { matchLabels: { app: 'a' } } }] },
        ],
      }),
    );
    w.settle();
    assert.deepEqual(allAddresses(w), ['10.0.0.1', '10.0.0.3']);
    w.put(at('b', '10.0.0.2', { app: 'a' }));
    w.put(space('y', { ns: 'other' }));
    w.settle();
    assert.deepEqual(allAddresses(w), ['10.0.0.1', '10.0.0.2']);
    w.put(at('b', '10.0.0.9', { app: 'a' }));
    w.settle();
    assert.deepEqual(allAddresses(w), ['10.0.0.1', '10.0.0.9']);
    w.remove('networkpolicies.networking.k8s.io/x/p');
    w.settle();
    assert.deepEqual(allAddresses(w), ['10.0.0.1', '10.0.0.9']);
    w.remove('networkpolicies.networking.k8s.io/x/q');
    w.settle();
    assert.deepEqual(allAddresses(w), []);
  });

  it('leave out pods in the network of their machine, ended ones, and those without an address', () => {
    const w = world();
    w.put(at('a', '198.18.0.1', { app: 'a' }, 'x', { hostNetwork: true }));
    const ended = at('b', '10.0.0.2', { app: 'a' });
    w.put({ ...ended, status: { ...ended.status, phase: 'Succeeded' } });
    w.put(policy('p', { ingress: [{ from: [{ podSelector: {} }] }] }));
    w.settle();
    assert.deepEqual(allAddresses(w), []);
  });

  it('have a hundred members at most, and one change is one slice', () => {
    const w = world();
    for (let i = 0; i < 250; i += 1) w.put(at(`p${i}`, `10.0.${Math.floor(i / 200)}.${(i % 200) + 1}`, { app: 'a' }));
    w.put(policy('p', { ingress: [{ from: [{ podSelector: {} }] }] }));
    w.settle();
    assert.deepEqual(
      w.list('PeerSlice').map(({ members }) => members.length),
      [100, 100, 50],
    );
    const before = new Map(w.list('PeerSlice').map((slice) => [slice.metadata.name, slice]));
    w.remove('pods/x/p3');
    w.put(at('new', '10.0.9.9', { app: 'a' }));
    w.settle();
    const changed = w.list('PeerSlice').filter((slice) => before.get(slice.metadata.name) !== slice);
    assert.equal(changed.length, 1);
    assert.equal(w.list('PeerSlice').flatMap(({ members }) => members).length, 250);
  });
});
