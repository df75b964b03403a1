import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { objectKey } from '../../../contracts/objects/index.ts';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { blameManifest } from '../../../reconciler/api/blame.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import {
  type NewFile,
  type ScratchRepository,
  scratchRepository,
} from '../../contract/git-source/scratch-repository.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

describe('whom an object is blamed on, in a real repository', () => {
  let repository: ScratchRepository;
  let git: GitSource;
  beforeEach(async () => {
    repository = scratchRepository();
    git = await openGitSource({ url: repository.dir });
  });
  afterEach(async () => {
    await git.close();
    repository.remove();
  });

  const map = (name: string, value: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: "${value}"}\n`;
  const two = (a: string, b: string, path = 'maps.yaml'): NewFile => ({
    path,
    content: `# two\n${map('a', a)}---\n${map('b', b)}`,
  });
  async function blamed(name: string, sha: string, file = 'maps.yaml'): Promise<unknown[]> {
    const found = await blameManifest(git, { key: objectKey('ConfigMap', 'default', name), file, sha }, signal);
    return [found?.commit.revision, found?.change, found && `${found.origin.file}:${found.origin.line}`];
  }

  it('is the commit that changed that object, not its file, through a move of the file', async () => {
    const first = repository.commit([two('1', '1')]);
    const second = repository.commit([two('2', '1')]);
    const third = repository.commit([two('2', '3')]);
    repository.commit([two('2', '3', 'moved/maps.yaml')]);
    const last = repository.commit([two('2', '3', 'moved/maps.yaml'), { path: 'README.md', content: 'x' }]);
    assert.deepEqual(await blamed('a', third), [second, 'changed', 'maps.yaml:2']);
    assert.deepEqual(await blamed('a', last, 'moved/maps.yaml'), [second, 'changed', 'moved/maps.yaml:2']);
    assert.deepEqual(await blamed('b', last, 'moved/maps.yaml'), [third, 'changed', 'moved/maps.yaml:7']);
    assert.deepEqual(await blamed('a', first), [first, 'added', 'maps.yaml:2']);
  });

  it('is the merge that brought it', async () => {
    const base = repository.commit([two('1', '1')]);
    const topic = repository.commit([two('2', '1')], { branch: 'topic', parent: base });
    const tree = repository.git(['rev-parse', `${topic}^{tree}`]);
    const merge = repository.git(['commit-tree', tree, '-p', base, '-p', topic, '-m', 'Merge topic']);
    assert.deepEqual(await blamed('a', merge), [merge, 'changed', 'maps.yaml:2']);
  });

  it('is that of the file where that is no manifest, and of nobody where there is no file', async () => {
    repository.commit([{ path: 'app/values.txt', content: '1' }]);
    const sha = repository.commit([{ path: 'app/values.txt', content: '2' }]);
    assert.deepEqual(await blamed('a', sha, 'app/values.txt'), [sha, 'changed', 'app/values.txt:1']);
    assert.deepEqual(await blamed('a', sha, 'gone.yaml'), [undefined, undefined, undefined]);
  });
});
