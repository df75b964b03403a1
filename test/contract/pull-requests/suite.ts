/** What every PullRequests keeps to, whichever forge it asks. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { listingText, type FoundPullRequest } from '../../../reconciler/core/apps/pull-requests.ts';
import type { AskedForge, PullRequests } from '../../../reconciler/ports/pull-requests.ts';

export interface Forge {
  readonly forges: PullRequests;
  readonly asked: AskedForge;
  /** Replaces those that are open. */
  put(pulls: readonly FoundPullRequest[]): void;
  close(): Promise<void>;
}

export const pull = (number: number, more: Partial<FoundPullRequest> = {}): FoundPullRequest => ({
  number,
  title: `change ${number}`,
  branch: `feature/${number}`,
  targetBranch: 'main',
  headSha: number.toString(16).padStart(40, '0'),
  labels: ['preview', 'a: b'],
  author: 'ada',
  isForeign: false,
  ...more,
});

export function pullRequestsSuite(name: string, open: () => Promise<Forge>): void {
  describe(`open pull requests of ${name}`, () => {
    let forge: Forge;
    const { signal } = new AbortController();
    const listed = (): Promise<readonly FoundPullRequest[]> => forge.forges.open(forge.asked, signal);
    before(async () => {
      forge = await open();
    });
    after(() => forge?.close());
    beforeEach(() => {
      forge.put([]);
    });

    it('are none, or all of them with what is said of each, strangers’ among them', async () => {
      assert.deepEqual(await listed(), []);
      const all = [pull(7), pull(9, { isForeign: true, labels: [], title: 'a "title"\n: {x}' })];
      forge.put(all);
      assert.deepEqual(await listed(), all);
      assert.deepEqual(await listed(), all);
    });
    it('are those of now, not those of the last time', async () => {
      forge.put([pull(7)]);
      await listed();
      const pushed = [pull(7, { headSha: 'f'.repeat(40) })];
      forge.put(pushed);
      assert.deepEqual(await listed(), pushed);
    });
    it('are all, on however many pages they are', async () => {
      const all = Array.from({ length: 120 }, (_, i) => pull(i + 1));
      forge.put(all);
      assert.deepEqual(
        (await listed()).map(({ number }) => number),
        all.map(({ number }) => number),
      );
      assert.ok(listingText(await listed()));
    });
    it('of a repository that is not there are refused', async () => {
      await assert.rejects(forge.forges.open({ ...forge.asked, repository: 'shop/other' }, signal), {
        code: 'ForgeRefused',
      });
    });
    it('are not asked for once nobody waits for them', async () => {
      const over = AbortSignal.abort(new Error('over'));
      await assert.rejects(forge.forges.open(forge.asked, over), /over/);
    });
  });
}
