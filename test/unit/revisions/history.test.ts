import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PostMortem, SourceStatus } from '../../../contracts/objects/index.ts';
import {
  MAX_HISTORY,
  previousApplied,
  recordOf,
  subjectOf,
  withOutcome,
  withRemoved,
  wasHealthy,
  withReplaced,
  withSeen,
} from '../../../reconciler/core/revisions/history.ts';

const revision = (sha: string) => ({
  sha,
  message: `Commit ${sha}\n\nbody`,
  author: { name: 'Ada', email: 'a@x' },
  committedAt: '2026-01-01T00:00:00Z',
});
const NOW = '2026-01-02T00:00:00Z';

describe('revision history', () => {
  it('puts a new revision first, as Syncing, with its subject', () => {
    const status = withSeen(undefined, revision('a'), NOW);
    assert.equal(status.observedRevision, 'a');
    assert.deepEqual(status.history[0], {
      revision: 'a',
      subject: 'Commit a',
      author: 'Ada <a@x>',
      committedAt: '2026-01-01T00:00:00Z',
      seenAt: NOW,
      outcome: 'Syncing',
    });
  });

  it('marks what was still syncing as superseded, and nothing else', () => {
    let status = withOutcome(withSeen(undefined, revision('a'), NOW), 'a', { outcome: 'Applied' }, NOW);
    status = withSeen(withSeen(status, revision('b'), NOW), revision('c'), NOW);
    assert.deepEqual(
      status.history.map((r) => [r.revision, r.outcome]),
      [
        ['c', 'Syncing'],
        ['b', 'Superseded'],
        ['a', 'Applied'],
      ],
    );
    assert.equal(status.appliedRevision, 'a');
  });

  it('keeps the applied revision when a newer one is refused', () => {
    let status = withOutcome(
      withSeen(undefined, revision('a'), NOW),
      'a',
      { outcome: 'Healthy', counts: { create: 1, update: 0, delete: 0 } },
      NOW,
    );
    status = withOutcome(withSeen(status, revision('b'), NOW), 'b', { outcome: 'Refused', message: 'x:1:1 Bad' }, NOW);
    assert.equal(status.appliedRevision, 'a');
    assert.equal(recordOf(status, 'b')?.message, 'x:1:1 Bad');
    assert.equal(recordOf(status, 'b')?.finishedAt, NOW);
  });

  it('drops an old message when the outcome changes', () => {
    const failed = withOutcome(
      withSeen(undefined, revision('a'), NOW),
      'a',
      { outcome: 'Failed', message: 'store away' },
      NOW,
    );
    assert.equal(recordOf(withOutcome(failed, 'a', { outcome: 'Applied' }, NOW), 'a')?.message, undefined);
  });

  it('starts a revision anew when the branch comes back to it', () => {
    let status = withOutcome(withSeen(undefined, revision('a'), NOW), 'a', { outcome: 'Healthy' }, NOW);
    status = withSeen(
      withOutcome(withSeen(status, revision('b'), NOW), 'b', { outcome: 'Healthy' }, NOW),
      revision('a'),
      NOW,
    );
    assert.deepEqual(
      status.history.map((r) => [r.revision, r.outcome]),
      [
        ['a', 'Syncing'],
        ['b', 'Healthy'],
      ],
    );
  });

  it('keeps no more than the limit', () => {
    let status: SourceStatus | undefined;
    for (let i = 0; i < MAX_HISTORY + 10; i++) status = withSeen(status, revision(String(i)), NOW);
    assert.equal(status?.history.length, MAX_HISTORY);
    assert.equal(status.history[0]?.revision, String(MAX_HISTORY + 9));
  });

  it('finds what was in force before', () => {
    let status = withOutcome(withSeen(undefined, revision('a'), NOW), 'a', { outcome: 'Healthy' }, NOW);
    assert.equal(previousApplied(status), undefined);
    status = withOutcome(withSeen(status, revision('bad'), NOW), 'bad', { outcome: 'Refused' }, NOW);
    status = withOutcome(withSeen(status, revision('b'), NOW), 'b', { outcome: 'Applied' }, NOW);
    assert.equal(previousApplied(status)?.revision, 'a');
    assert.equal(previousApplied(undefined), undefined);
  });

  it('ends a replaced revision as superseded, or as degraded with its cause, and goes back past that', () => {
    const end = (health: PostMortem['health'], ...causes: string[]): PostMortem => ({ health, causes, containers: [] });
    let status = withOutcome(withSeen(undefined, revision('good'), NOW), 'good', { outcome: 'Healthy' }, NOW);
    status = withOutcome(
      withReplaced(withSeen(status, revision('bad'), NOW), 'bad', end('Healthy')),
      'bad',
      { outcome: 'Applied' },
      NOW,
    );
    assert.deepEqual(
      status.history.map((r) => [r.outcome, r.message]),
      [
        ['Applied', undefined],
        ['Superseded', 'replaced by bad'],
      ],
    );
    assert.equal(previousApplied(status)?.revision, 'good');
    status = withOutcome(
      withReplaced(withSeen(status, revision('revert'), NOW), 'revert', end('Degraded', 'web exits with 3')),
      'revert',
      { outcome: 'Applied' },
      NOW,
    );
    assert.deepEqual(
      status.history.map((r) => [r.revision, r.outcome, r.message]),
      [
        ['revert', 'Applied', undefined],
        ['bad', 'Degraded', 'replaced by revert: web exits with 3'],
        ['good', 'Superseded', 'replaced by bad'],
      ],
    );
    assert.equal(recordOf(status, 'bad')?.postMortem?.health, 'Degraded');
    assert.equal(previousApplied(status)?.revision, 'good');
    assert.equal(withReplaced(status, 'revert', end('Healthy')), status);
  });

  it('marks what the branch lost, and takes the mark back when it is there again', () => {
    let status = withOutcome(withSeen(undefined, revision('a'), NOW), 'a', { outcome: 'Healthy' }, NOW);
    status = withRemoved(withSeen(status, revision('b'), NOW), new Set(['b']));
    assert.deepEqual(
      status.history.map((r) => [r.revision, r.removed]),
      [
        ['b', undefined],
        ['a', true],
      ],
    );
    assert.deepEqual(
      withRemoved(status, new Set(['a', 'b'])).history.map((r) => r.removed),
      [undefined, undefined],
    );
  });

  it('keeps no terminal codes of a commit', () => {
    assert.equal(subjectOf('\u001b[2Jgone\u0007'), '\ufffd[2Jgone\ufffd');
  });

  it('cuts long subjects', () => {
    assert.equal(subjectOf(`${'x'.repeat(300)}\nbody`).length, 100);
    assert.equal(subjectOf('\n\n one\ntwo'), 'one');
  });
});

describe('whether a revision was well', () => {
  const end = (health: 'Healthy' | 'Progressing' | 'Degraded') => ({ health, causes: [], containers: [] });
  for (const [what, record, well] of [
    ['is', { outcome: 'Healthy' }, true],
    ['is not yet', { outcome: 'Applied' }, false],
    ['was refused', { outcome: 'Refused' }, false],
    ['was until the next one', { outcome: 'Superseded', postMortem: end('Healthy') }, true],
    ['was still rolled out', { outcome: 'Superseded', postMortem: end('Progressing') }, false],
    ['was never applied', { outcome: 'Superseded' }, false],
    ['had failed', { outcome: 'Degraded', postMortem: end('Degraded') }, false],
  ] as const)
    it(`is ${well} of one that ${what}`, () => {
      assert.equal(wasHealthy(record), well);
    });
});
