/** One commit of a repository behind a real server, wherever in its history: at a ref, behind one, or given by its id. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { makeFolder } from '../../support/folder.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { inPatience } from '../../support/patience.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';

describe('one commit', () => {
  let gateway: GitGateway;
  before(async () => {
    gateway = await startGateway({});
  });
  after(() => gateway?.close());
  let repository: ScratchRepository;
  let folder: string;
  let git: GitSource;
  beforeEach(() => {
    repository = scratchRepository();
    gateway.serve(repository.root);
    folder = makeFolder('plumb-commits-');
  });
  afterEach(async () => {
    await git.close();
    repository.remove();
    await removeFolder(folder);
  });
  const signal = (): AbortSignal => inPatience(30_000);
  async function open(branch = 'main'): Promise<void> {
    const url = `http://127.0.0.1:${gateway.port}/repo.git`;
    git = await openGitSource({ url, branch, anyCommit: true, cacheDir: join(folder, 'mirror') });
  }
  const paths = async (sha: string): Promise<readonly string[]> => {
    await git.resolve(sha, signal());
    return (await git.files(sha, signal())).map(({ path }) => path);
  };
  const put = (path: string, branch = 'main'): string => repository.commit([{ path, content: path }], { branch });

  for (const isGiven of [false, true])
    it(`is had behind the newest, after the newest alone, and again ahead of it (${isGiven ? 'given by its id' : 'with its branch'})`, async () => {
      repository.git(['config', 'uploadpack.allowReachableSHA1InWant', String(isGiven)]);
      const [first, second, third] = [put('1'), put('2'), put('3')];
      await open();
      assert.deepEqual(await paths(third), ['3']);
      // The newest was fetched without its history.
      assert.deepEqual(await paths(first), ['1']);
      const [fourth, fifth] = [put('4'), put('5')];
      assert.deepEqual(await paths(fourth), ['4']);
      assert.deepEqual(await paths(second), ['2']);
      assert.deepEqual(await paths(fifth), ['5']);
      assert.ok(readdirSync(join(folder, 'mirror', 'objects', 'pack')).length <= 2 * 5);
    });

  it('is had of the branch that is named, where HEAD does not lead to it', async () => {
    put('1');
    const old = put('2', 'stable');
    put('3', 'stable');
    await open('stable');
    assert.deepEqual(await paths(old), ['2']);
  });

  it('that the remote has at no ref is told to be none', async () => {
    put('1');
    const loose = repository.commit([{ path: '2', content: '2' }], { branch: null });
    await open();
    await assert.rejects(paths(loose), { code: 'RevisionNotFound' });
    repository.git(['config', 'uploadpack.allowReachableSHA1InWant', 'true']);
    await assert.rejects(paths(loose), { code: 'RevisionNotFound' });
    repository.git(['update-ref', 'refs/heads/late', loose]);
    assert.deepEqual(await paths(loose), ['2']);
  });
});
