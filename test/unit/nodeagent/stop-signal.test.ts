import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signalNumber, STOP_SIGNALS } from '../../../contracts/objects/stop-signals.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { performStep, type StepContext, type StepDeps } from '../../../nodeagent/loops/pod-steps.ts';
import { container, pod } from './pods.ts';

describe('the signal that a container is asked to end with', () => {
  it('has a number by each of its names', () => {
    for (const [name, number] of [
      ['SIGTERM', 15],
      ['SIGQUIT', 3],
      ['SIGWINCH', 28],
      ['SIGRTMIN', 34],
      ['SIGRTMIN+15', 49],
      ['SIGRTMAX-14', 50],
      ['SIGRTMAX', 64],
      ['QUIT', undefined],
      ['SIGRTMIN+16', undefined],
      ['3', undefined],
    ] as const)
      assert.equal(signalNumber(name), number, name);
    assert.equal(STOP_SIGNALS.length, 65);
  });

  it('is what was written on the container, also of a pod that nobody tells of', async () => {
    const sent: (number | undefined)[] = [];
    const deps = {
      runtime: {
        stopContainer: async (_id: string, _grace: number, _signal: AbortSignal, number?: number) =>
          void sent.push(number),
      },
      files: { graceLeft: async () => 30_000 },
      clock: systemClock,
    } as unknown as StepDeps;
    const { signal } = new AbortController();
    const plain = container();
    const special = { ...container({ attempt: 1 }), annotations: { [ANNOTATION.stopSignal]: 'SIGUSR1' } };
    for (const told of [pod(), undefined])
      for (const { id } of [plain, special]) {
        const context = {
          identity: { namespace: 'default', name: 'app', uid: 'uid-1' },
          pod: told,
          observed: { sandboxes: [], containers: [plain, special], address: '' },
          tell: () => undefined,
          ended: async () => undefined,
          hurry: signal,
          closing: signal,
        } as unknown as StepContext;
        const step = { id, container: 'main', graceSeconds: 30, reason: 'Deleted', message: '' } as const;
        const ended = await performStep(deps, context, { do: 'killContainer', ...step, preStop: undefined, after: [] });
        assert.deepEqual(ended, { ok: true });
      }
    assert.deepEqual(sent, [undefined, 10, undefined, 10]);
  });
});
