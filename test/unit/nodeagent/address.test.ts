import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { addressToKeep, namesAddress, strayAddress } from '../../../nodeagent/core/pod/address.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { remember, NO_MEMORY, type PodMemory } from '../../../nodeagent/core/pod/memory.ts';
import type { ObservedContainer } from '../../../nodeagent/core/pod/observed.ts';
import { planPod } from '../../../nodeagent/core/pod/plan.ts';
import { container, input, NOW, pod, remembered, sandbox, seen } from './pods.ts';

function at(
  address: string | undefined,
  more: Parameters<typeof container>[0] = {},
  createdAt = NOW,
): ObservedContainer {
  const made = container({ state: 'exited', ...more });
  return {
    ...made,
    createdAt,
    annotations: { ...made.annotations, ...(address !== undefined && { [ANNOTATION.address]: address }) },
  };
}
const failed = (times: number): PodMemory => {
  let memory = NO_MEMORY;
  for (let n = 0; n < times; n += 1)
    memory = remember(
      memory,
      { do: 'runSandbox', attempt: 1, address: undefined },
      { ok: false, reason: 'FailedCreatePodSandBox', message: '' },
      NOW,
    );
  return memory;
};

describe('addressToKeep', () => {
  const rows: readonly (readonly [
    name: string,
    containers: readonly ObservedContainer[],
    memory: PodMemory,
    kept: string | undefined,
  ])[] = [
    ['a new pod takes any', [], NO_MEMORY, undefined],
    ['the one that its container knew', [at('198.18.0.9')], NO_MEMORY, '198.18.0.9'],
    [
      'the newest of them, of whatever name and attempt',
      [at('198.18.0.7', { attempt: 5 }, NOW - 10), at('198.18.0.9', { name: 'side' }, NOW)],
      NO_MEMORY,
      '198.18.0.9',
    ],
    ['a container of an agent that wrote none', [at(undefined)], NO_MEMORY, undefined],
    ['what is no address', [at('198.18.0.9;IgnoreUnknown=0')], NO_MEMORY, undefined],
    ['after a failure still', [at('198.18.0.9')], failed(2), '198.18.0.9'],
    ['after several failures any', [at('198.18.0.9')], failed(3), undefined],
  ];
  for (const [name, containers, memory, kept] of rows)
    it(name, () => assert.equal(addressToKeep(pod(), seen({ containers }), memory), kept));

  it("is nothing in the host's network", () => {
    assert.equal(
      addressToKeep(pod({ hostNetwork: true }), seen({ containers: [at('198.18.0.9')] }), NO_MEMORY),
      undefined,
    );
  });

  it('is what the plan asks for once the old sandbox gave it back', () => {
    const observed = seen({ sandboxes: [sandbox({ ready: false })], address: '', containers: [at('198.18.0.9')] });
    assert.deepEqual(planPod(input({ observed })).steps, [{ do: 'stopSandbox', id: 'sandbox-0' }]);
    const { steps } = planPod(input({ observed, memory: remembered({ stopped: new Set(['sandbox-0']) }) }));
    assert.deepEqual(steps, [{ do: 'runSandbox', attempt: 1, address: '198.18.0.9' }]);
  });
});

describe('namesAddress', () => {
  for (const [failure, named] of [
    [
      'failed to allocate for range 0: requested IP address 198.18.0.9 is not available in range set 198.18.0.2-198.18.0.254',
      true,
    ],
    ['failed to allocate all requested IPs: 198.18.0.9', true],
    ["requested ip 198.18.0.9 is subnet's gateway", true],
    ['requested IP address 198.18.0.90 is not available', false],
    ['cni plugin not initialized', false],
  ] as const)
    it(`${failure}: ${named}`, () => assert.equal(namesAddress(failure, '198.18.0.9'), named));
});

describe('strayAddress', () => {
  const RANGES = ['198.19.1.0/24', 'fd00:1::/64'];
  const rows: readonly (readonly [name: string, addresses: string[], ranges: string[], RegExp | undefined])[] = [
    ['of the range', ['198.19.1.7'], RANGES, undefined],
    ['of both ranges', ['198.19.1.7', 'fd00:1::7'], RANGES, undefined],
    ['none yet', [], RANGES, undefined],
    ['of another node', ['198.19.2.7'], RANGES, /gave the pod 198\.19\.2\.7, .* \(198\.19\.1\.0\/24, fd00:1::\/64\)/],
    ['the second of no range', ['198.19.1.7', 'fd00:2::7'], RANGES, /fd00:2::7/],
    ['before the node has a range', ['198.19.1.7'], [], /no range of pods yet/],
  ];
  for (const [name, addresses, ranges, wanted] of rows)
    it(name, () => {
      const told = strayAddress(addresses, ranges);
      if (wanted === undefined) assert.equal(told, undefined);
      else assert.match(told ?? '', wanted);
    });
});
