import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PEER_GROUP_LABEL, peerGroupsOf, type KubeObject, type StoredPod } from '../../../contracts/objects/index.ts';
import { networkPolicyController } from '../../../reconciler/controllers/networkpolicy.ts';
import { made } from '../../../reconciler/core/nodes/made-anew.ts';
import { recoverPeers } from '../../../reconciler/core/nodes/recovered-peers.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { pod, running } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { policy, space } from '../network/policy-world.ts';

const FILLING = { incarnation: 'i', now: new Date('2026-01-01T00:00:00Z') };

function at(namespace: string, name: string, address: string, labels: Record<string, string>): StoredPod {
  return made(running(pod(name, { nodeName: 'n1' }, { namespace, labels }), true, undefined, address), FILLING);
}

describe('groups after the store was lost', () => {
  const policies = [
    policy('x', { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'b' } } }] }] }, 'p'),
    policy('x', { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'red' } } }] }] }, 'q'),
    policy('y', { egress: [{ to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'z' } } }] }] }),
  ];
  const pods = [
    at('x', 'b', '10.0.0.1', { app: 'b' }),
    at('x', 'c', '10.0.0.2', { app: 'c' }),
    at('y', 'b', '10.0.0.3', { app: 'b' }),
    at('z', 'd', '10.0.0.4', {}),
  ];
  const desired: readonly KubeObject[] = [...policies, space('x'), space('y', { team: 'red' })];

  it('have the pods that are found, a namespace without a manifest by its name too', () => {
    const slices = finish(recoverPeers(desired, pods, FILLING));
    const members = (index: number): readonly string[] => {
      const [group] = peerGroupsOf(policies[index] ?? assert.fail());
      return slices
        .filter(({ metadata }) => metadata.labels?.[PEER_GROUP_LABEL] === group?.name)
        .flatMap((slice) => slice.members.map(({ address }) => address));
    };
    assert.deepEqual([members(0), members(1), members(2)], [['10.0.0.1'], ['10.0.0.3'], ['10.0.0.4']]);
  });

  it('are such that the controller has nothing to change', () => {
    const world = new World([networkPolicyController]);
    for (const object of [...desired, space('z'), ...pods, ...finish(recoverPeers(desired, pods, FILLING))])
      world.put(object);
    const before = world.list('PeerSlice');
    world.settle();
    assert.deepEqual(world.list('PeerSlice'), before);
    assert.equal(before.length, 3);
  });

  it('are none where there is no policy', () => {
    assert.deepEqual(finish(recoverPeers([space('x')], pods, FILLING)), []);
  });
});
