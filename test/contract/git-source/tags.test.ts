/** A GitSource that follows a tag, or a range of versions among the tags. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);
type Follow = { readonly tag: string } | { readonly semver: string };

let gateway: GitGateway;
before(async () => {
  gateway = await startGateway({});
});
after(() => gateway?.close());

const WAYS: readonly (readonly [name: string, open: (r: ScratchRepository, follow: Follow) => Promise<GitSource>])[] = [
  ['in place, isomorphic-git', (r, follow) => openGitSource({ url: r.dir, follow })],
  ['in place, native git', (r, follow) => openGitSource({ url: r.dir, follow, engine: 'native' })],
  [
    'through a process',
    (r, follow) => openGitSource({ url: `file://${r.dir}`, follow, cacheDir: join(r.root, 'cache') }),
  ],
  [
    'over HTTP',
    (r, follow) => {
      gateway.serve(r.root);
      return openGitSource({
        url: `http://127.0.0.1:${gateway.port}/repo.git`,
        follow,
        cacheDir: join(r.root, 'cache'),
      });
    },
  ],
];

for (const [name, open] of WAYS)
  describe(`tags: ${name}`, () => {
    let repository: ScratchRepository;
    let source: GitSource | undefined;
    beforeEach(() => {
      repository = scratchRepository();
    });
    afterEach(async () => {
      await source?.close();
      source = undefined;
      repository.remove();
    });
    /** A commit that is on no branch, as a release branch that is gone leaves it. */
    function tagged(tag: string, content: string, how: 'light' | 'annotated' = 'light'): string {
      const sha = repository.commit([{ path: 'a.yaml', content }], { branch: null });
      repository.git(how === 'light' ? ['tag', '--force', tag, sha] : ['tag', '--force', '-a', '-m', tag, tag, sha]);
      return sha;
    }
    async function now(): Promise<readonly [state: string, sha?: string, tag?: string | undefined]> {
      const head = await source!.head(signal);
      return head.state === 'at' ? ['at', head.revision.sha, head.tag] : [head.state];
    }

    it('goes to the highest version of the range, light or annotated, and to no other tag', async () => {
      source = await open(repository, { semver: '^1.2' });
      assert.deepEqual(await now(), ['unborn']);
      tagged('v2.0.0', '2');
      tagged('v1.1.0', '1.1');
      assert.deepEqual(await now(), ['missing']);
      const first = tagged('v1.2.0', '1.2');
      assert.deepEqual(await now(), ['at', first, 'v1.2.0']);
      const second = tagged('v1.10.0', '1.10', 'annotated');
      tagged('v1.9.0', '1.9');
      tagged('v1.11.0-rc.1', 'rc');
      assert.deepEqual(await now(), ['at', second, 'v1.10.0']);
      const files = await source.files(second, signal);
      assert.equal(Buffer.from(await source.blob(files[0]!.oid, 100, signal)).toString(), '1.10');
      repository.git(['tag', '-d', 'v1.10.0']);
      assert.equal((await now())[2], 'v1.9.0');
      assert.equal((await source.resolve('HEAD', signal)).message.length > 0, true);
    });

    it('follows one tag where it goes, and not a branch of its name', async () => {
      source = await open(repository, { tag: 'production' });
      repository.commit([{ path: 'a.yaml', content: 'branch' }], { branch: 'production' });
      assert.deepEqual(await now(), ['missing']);
      const first = tagged('production', '1');
      assert.deepEqual(await now(), ['at', first, 'production']);
      const moved = tagged('production', '2', 'annotated');
      assert.deepEqual(await now(), ['at', moved, 'production']);
    });

    it('makes no commit: there is no branch that it could go to', async () => {
      const sha = tagged('v1.0.0', '1');
      source = await open(repository, { semver: '*' });
      const order = { restore: sha, message: 'x', author: { name: 'Ada', email: 'ada@example.test' } };
      await assert.rejects(
        source.commitTree(order, signal),
        (error: unknown) => error instanceof PlumbError && error.code === 'PushRejected',
      );
    });
  });

describe('a branch and a tag of one name', () => {
  it('are told apart by who follows the branch', async () => {
    const repository = scratchRepository();
    try {
      const sha = repository.commit([{ path: 'a.yaml', content: 'branch' }]);
      repository.git(['tag', 'main', repository.commit([{ path: 'a.yaml', content: 'tag' }], { branch: null })]);
      const source = await openGitSource({
        url: `file://${repository.dir}`,
        branch: 'main',
        cacheDir: join(repository.root, 'cache'),
      });
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, sha);
      await source.close();
    } finally {
      repository.remove();
    }
  });
});
