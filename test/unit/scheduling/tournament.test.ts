import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Tournament } from '../../../reconciler/core/scheduling/tournament.ts';

describe('a tournament', () => {
  it('has the same winner as looking at all, after any changes', () => {
    const score = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.array(score, { maxLength: 20 }),
        fc.array(fc.tuple(fc.nat(19), score), { maxLength: 30 }),
        (first, changes) => {
          const scores = [...first];
          const beats = (a: number, b: number): boolean =>
            (scores[a] ?? 0) > (scores[b] ?? 0) || (scores[a] === scores[b] && a < b);
          const tournament = new Tournament(scores.length, (entry) => scores[entry] !== undefined, beats);
          const best = (): number =>
            scores.reduce<number>(
              (winner, s, entry) => (s !== undefined && (winner < 0 || beats(entry, winner)) ? entry : winner),
              -1,
            );
          assert.equal(tournament.winner, best());
          for (const [entry, s] of changes) {
            if (entry >= scores.length) continue;
            scores[entry] = s;
            tournament.changed(entry);
            assert.equal(tournament.winner, best());
          }
        },
      ),
    );
  });
});
