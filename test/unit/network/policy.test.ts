import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { POLICY_CASES, type Connection } from './policy-cases.ts';
import { connector, ninePods, policy, space, type Placed, type Scene } from './policy-world.ts';

const PROBES = [
  ['TCP', 80],
  ['TCP', 81],
  ['UDP', 80],
  ['UDP', 81],
  ['SCTP', 80],
] as const;

function sceneOf(one: (typeof POLICY_CASES)[number], together: boolean): Scene {
  const pods = ninePods(together).map((placed): Placed => {
    const { pod } = placed;
    const labels = one.pods?.[`${pod.metadata.namespace}/${pod.metadata.name}`];
    return labels ? { ...placed, pod: { ...pod, metadata: { ...pod.metadata, labels } } } : placed;
  });
  return {
    pods,
    spaces: ['x', 'y', 'z'].map((name) => space(name, one.spaces?.[name] ?? { ns: name })),
    policies: one.policies.map(([namespace, spec], i) => policy(namespace, spec, `policy-${i}`)),
  };
}

describe('the truth table of policies', () => {
  for (const together of [true, false]) {
    for (const one of POLICY_CASES) {
      it(`${one.name}, ${together ? 'on one node' : 'across nodes'}`, () => {
        const scene = sceneOf(one, together);
        const connects = connector(scene);
        const wrong: string[] = [];
        for (const from of scene.pods)
          for (const to of scene.pods)
            for (const [protocol, port] of PROBES) {
              const name = ({ pod }: Placed): string => `${pod.metadata.namespace}/${pod.metadata.name}`;
              if (from === to) continue;
              const connection: Connection = { from: name(from), to: name(to), protocol, port };
              const found = connects(from, { to: to.address, port, protocol });
              if (found !== one.allows(connection)) wrong.push(`${JSON.stringify(connection)} ${String(found)}`);
            }
        assert.deepEqual(wrong, []);
      });
    }
  }
});
