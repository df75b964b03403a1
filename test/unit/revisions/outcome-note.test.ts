import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PostMortem, RevisionRecord } from '../../../contracts/objects/index.ts';
import { mergedNote, newNotePath, notePaths, outcomeNote } from '../../../reconciler/core/revisions/outcome-note.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const COUNTS = { create: 3, update: 1, delete: 0 };

function record(over: Partial<RevisionRecord> = {}): RevisionRecord {
  return {
    revision: SHA,
    subject: 'Change',
    author: 'Ada <a@x>',
    committedAt: '2026-01-01T00:00:00Z',
    seenAt: '2026-01-01T00:00:01.000Z',
    finishedAt: '2026-01-01T00:00:13.400Z',
    outcome: 'Healthy',
    counts: COUNTS,
    ...over,
  };
}

const note = (over: Partial<RevisionRecord> = {}, name = 'main'): string =>
  outcomeNote(record(over), name) ?? assert.fail('no note');

function unmade(over: Partial<RevisionRecord>): RevisionRecord {
  const { counts: _counts, ...rest } = record();
  return { ...rest, ...over };
}

const END: PostMortem = {
  health: 'Degraded',
  causes: [
    'Deployment shop/web is Degraded: container web: CrashLoopBackOff',
    'Certificate shop/tls is Degraded: issuer says no',
    'Widget shop/w is Degraded: password hunter2 is wrong',
  ],
  containers: [
    {
      pod: 'shop/web-1',
      container: 'web',
      reason: 'CrashLoopBackOff',
      exitCode: 1,
      restarts: 3,
      message: 'login with hunter2',
    },
  ],
};

describe('the note of an outcome', () => {
  it('is lines for people, then trailers', () => {
    assert.equal(
      note(),
      [
        'Healthy 12.4 s after it was seen: 3 created, 1 updated, 0 deleted',
        '',
        'Outcome: Healthy',
        'Seen: 2026-01-01T00:00:01.000Z',
        'Finished: 2026-01-01T00:00:13.400Z',
        'Created: 3',
        'Updated: 1',
        'Deleted: 0',
        'Source: main',
        '',
      ].join('\n'),
    );
  });

  it('is none while there is no outcome', () => {
    assert.equal(outcomeNote(record({ outcome: 'Syncing' }), 'main'), undefined);
  });

  it('says why a commit was refused, and what had failed of one that was replaced', () => {
    const refused = note({ ...unmade({ outcome: 'Refused', message: 'a.yaml:1:1 Bad\nb.yaml:2:2 Worse' }) });
    assert.match(
      refused,
      /^Refused 12\.4 s .*: nothing of it is in force\n\n {2}a\.yaml:1:1 Bad\n {2}b\.yaml:2:2 Worse\n\nOutcome: Refused\n/,
    );
    const degraded = note({ outcome: 'Degraded', message: 'replaced by fedcba987654: x', postMortem: END });
    assert.match(
      degraded,
      /^Degraded: replaced by fedcba987654\n\n {2}Deployment shop\/web is Degraded: container web/,
    );
    assert.match(degraded, /\n {2}container web of pod shop\/web-1: CrashLoopBackOff, exit code 1, 3 restarts\n/);
    assert.match(
      note({ outcome: 'Superseded', message: 'overtaken by fedcba987654' }),
      /^Superseded: overtaken by fedc/,
    );
  });

  it('has nothing that a container wrote, nor what a custom object says', () => {
    const degraded = note({ outcome: 'Degraded', message: 'replaced by fedcba987654', postMortem: END });
    assert.doesNotMatch(degraded, /hunter2/);
    assert.match(degraded, /Widget shop\/w is Degraded\n/);
  });

  it('is short, on lines of its own, and no message makes a trailer', () => {
    const message = Array.from({ length: 500 }, (_, i) => `Outcome: Healthy ${i} \u001b[31m${'é'.repeat(2000)}`).join(
      '\n',
    );
    const long = note(unmade({ outcome: 'Failed', message }), 'a\nOutcome: Healthy');
    assert.ok(Buffer.byteLength(long) < 10_000, `${Buffer.byteLength(long)} bytes`);
    assert.doesNotMatch(long, /\u001b/);
    assert.deepEqual(long.match(/^Outcome: .*$/gm), ['Outcome: Failed']);
    assert.match(long, /\n {2}and 488 more\n/);
  });

  it('replaces an earlier one, and leaves what others added', () => {
    const failed = record({ outcome: 'Failed', message: 'x' });
    const before = `${note()}\nSeen by Grace.\n\nOutcome: a person's line\n`;
    assert.equal(
      mergedNote(before, note({ outcome: 'Failed', message: 'x' }), failed),
      `${note({ outcome: 'Failed', message: 'x' })}\nSeen by Grace.\n\nOutcome: a person's line\n`,
    );
    assert.equal(mergedNote(before, note(), record()), undefined);
    assert.equal(mergedNote('Seen by Grace.\n', note(), record()), `${note()}\nSeen by Grace.\n`);
    assert.equal(mergedNote(undefined, note(), record()), note());
  });

  it('of a state that was rebuilt replaces none that knows more', () => {
    for (const [before, now, replaced] of [
      ['Healthy', 'Applied', false],
      ['Healthy', 'Healthy', false],
      ['Applied', 'Healthy', true],
      ['Healthy', 'Superseded', true],
    ] as const) {
      const known = unmade({ outcome: now, seenAt: '2026-02-02T00:00:00Z' });
      const made = mergedNote(note({ outcome: before }), outcomeNote(known, 'main') ?? '', known);
      assert.equal(made !== undefined, replaced, `${before}, then ${now}`);
    }
  });

  it('is found at whichever depth it is', () => {
    const other = 'f'.repeat(40);
    assert.deepEqual(
      [
        ...notePaths([
          `01/23/${SHA.slice(4)}`,
          other,
          'README',
          `${SHA.slice(0, 3)}/${SHA.slice(3)}`,
          newNotePath(other),
        ]),
      ],
      [
        [SHA, `01/23/${SHA.slice(4)}`],
        [other, newNotePath(other)],
      ],
    );
  });
});
