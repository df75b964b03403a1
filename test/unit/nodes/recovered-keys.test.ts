/** Keys of nodes after the store was lost. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Claim } from '../../../contracts/agent/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { machine } from '../controllers/objects.ts';

it('takes the WireGuard key that most nodes tell of a node, and no key twice', () => {
  const [one, two, bad] = ['a', 'b', 'c'].map((letter) => `${letter.repeat(42)}A=`);
  const keyed = (name: string, publicKey: string | undefined): Claim =>
    Claim.parse({
      kind: 'Node',
      metadata: { name },
      spec: { podCIDR: `10.244.${name.charCodeAt(0)}.0/24` },
      status: { addresses: [], wireguard: { publicKey } },
    });
  const honest = [keyed('a', one), keyed('b', two)];
  const words = [honest, honest, [keyed('a', bad), keyed('b', two), keyed('c', one)]];
  const { objects } = recoverState({
    words: words.map((claims, i) => ({ node: 'abc'[i] ?? '', claims, pods: [] })),
    silent: [],
    machines: ['a', 'b', 'c'].map((name) => machine(name)),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied: new Map(),
    templates: new Map(),
    incarnation: 'i',
    now: new Date('2026-03-01T12:00:00Z'),
  });
  assert.deepEqual(
    objects.flatMap((object) =>
      object.kind === 'Node' ? [[object.metadata.name, object.status?.wireguard?.publicKey]] : [],
    ),
    [
      ['a', one],
      ['b', two],
      ['c', undefined],
    ],
  );
});
