import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { followRollout } from '../../../cli/follow-rollout.ts';
import type { StatusReport } from '../../../reconciler/api/types.ts';

const REV = 'a'.repeat(40);

interface State {
  readonly head?: string;
  readonly outcome?: string;
  readonly message?: string;
  readonly missing?: readonly string[];
  readonly gaveUp?: true;
}

function report({ head = REV, outcome = 'Applied', message, missing = [], gaveUp }: State): StatusReport {
  const health = missing.length > 0 ? 'Progressing' : 'Healthy';
  return {
    source: { head, observedRevision: REV, newest: { revision: REV, outcome, ...(message && { message }) } },
    synced: outcome === 'Applied' || outcome === 'Healthy',
    healthy: missing.length === 0,
    objects: [{ kind: 'Deployment', namespace: 'default', name: 'web', health, ...(gaveUp && { gaveUp }) }],
    missing,
  } as unknown as StatusReport;
}

/** The lines for what the control plane answers one after the other, the last for ever. */
async function told(...states: readonly State[]): Promise<string[]> {
  const lines: string[] = [];
  let at = 0;
  let now = 0;
  await followRollout(
    { get: <T>() => Promise.resolve(report(states[Math.min(at++, states.length - 1)] ?? {}) as T) },
    {
      revision: REV,
      limitMs: 60_000,
      say: (line) => lines.push(line),
      monotonic: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
  );
  return lines;
}

describe('what a pusher sees of the rollout', () => {
  it('is a line for each change, until all is healthy', async () => {
    const starts = { missing: ['Deployment default/web is Progressing: 0 of 1'] };
    assert.deepEqual(await told({ outcome: 'Syncing', missing: ['x'] }, starts, starts, {}), [
      'waiting: aaaaaaaaaaaa Syncing, 0/1 healthy: x',
      'waiting: aaaaaaaaaaaa Applied, 0/1 healthy: Deployment default/web is Progressing: 0 of 1',
      'aaaaaaaaaaaa is healthy: 1 of 1 objects',
    ]);
  });

  for (const [what, state, wanted] of [
    ['is refused', { outcome: 'Refused', message: 'a.yaml:1 no', missing: ['x'] }, /is refused: a\.yaml:1 no$/],
    ['failed', { outcome: 'Failed', message: 'hook Job/x has failed', missing: ['x'] }, /is failed: hook/],
    ['is overtaken', { head: 'b'.repeat(40), missing: ['x'] }, /is overtaken by bbbbbbbbbbbb$/],
    ['gave up', { missing: ['x'], gaveUp: true }, /exceeded its progress deadline/],
  ] as const)
    it(`ends where the revision ${what}`, async () => {
      const lines = await told(state);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', wanted);
    });

  it('ends at its limit', async () => {
    const lines = await told({ missing: ['x'] });
    assert.deepEqual([lines.length, lines.at(-1)], [2, 'it goes on; follow it with: plumb status --wait']);
  });

  it('is bounded, however much happens', async () => {
    const many = Array.from({ length: 1000 }, (_, i): State => ({ missing: [`step ${i}`] }));
    assert.ok((await told(...many)).length <= 201);
  });
});
