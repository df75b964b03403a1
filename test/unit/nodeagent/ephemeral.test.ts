/** Containers that were put into a pod: when they start, that they do not again, and what is told of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EphemeralContainer, type Pod } from '../../../contracts/objects/index.ts';
import { planPod, type PodInput } from '../../../nodeagent/core/pod/plan.ts';
import { podStatus } from '../../../nodeagent/core/pod/status.ts';
import { brief, container, input, pod, remembered, sandbox, seen } from './pods.ts';

const withLook = (spec: object = {}): Pod => {
  const of = pod({ ...spec });
  return {
    ...of,
    spec: { ...of.spec, ephemeralContainers: [EphemeralContainer.parse({ name: 'look', image: 'app:1' })] },
  };
};
const images = remembered({}, ['main', 'look', 'first']);
const look = (more: Parameters<typeof container>[0] = {}) => container({ name: 'look', ...more });

describe('a container that was put into a pod', () => {
  const rows: readonly {
    readonly name: string;
    readonly given: Partial<PodInput>;
    readonly steps: readonly string[];
  }[] = [
    {
      name: 'starts in the pod that runs',
      given: { observed: seen({ containers: [container()] }) },
      steps: ['start look #0 restarts=0 next-pause=0'],
    },
    {
      name: 'does not wait for an init container that never ends',
      given: {
        pod: withLook({ initContainers: [{ name: 'first', image: 'app:1' }] }),
        observed: seen({ containers: [container({ name: 'first' })] }),
      },
      steps: ['start look #0 restarts=0 next-pause=0'],
    },
    { name: 'runs: nothing', given: { observed: seen({ containers: [container(), look()] }) }, steps: [] },
    {
      name: 'ended: it is not started again',
      given: { observed: seen({ containers: [container(), look({ state: 'exited', exitCode: 1 })] }) },
      steps: [],
    },
    {
      name: 'ended in a sandbox before this one: not started again either',
      given: {
        observed: seen({
          sandboxes: [sandbox({ id: 'sandbox-1', attempt: 1 })],
          containers: [container({ sandboxId: 'sandbox-1' }), look({ state: 'exited', sandboxId: 'sandbox-0' })],
        }),
      },
      steps: [],
    },
    {
      name: 'ends with the pod that is over, which does not wait for it',
      given: {
        pod: withLook({ restartPolicy: 'Never' }),
        observed: seen({ containers: [container({ state: 'exited' }), look()] }),
      },
      steps: ['kill look-0 30s PodOver'],
    },
    {
      name: 'is not known any more, as after a loss of the store: it runs on',
      given: { pod: pod(), observed: seen({ containers: [container(), look()] }) },
      steps: [],
    },
  ];
  for (const { name, given, steps } of rows)
    it(name, () =>
      assert.deepEqual(planPod(input({ pod: withLook(), memory: images, ...given })).steps.map(brief), steps),
    );

  it('has a status of its own and counts in nothing else', () => {
    const observed = seen({ containers: [container(), look({ state: 'exited', exitCode: 3 })] });
    const status = podStatus({ ...input({ pod: withLook(), observed }), over: undefined, hostIP: '' });
    assert.equal(status.ephemeralContainerStatuses?.[0]?.state.terminated?.exitCode, 3);
    assert.deepEqual([status.phase, status.containerStatuses?.length], ['Running', 1]);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    assert.equal(status.initContainerStatuses, undefined);
  });
});
