import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { polled } from '../../support/patience.ts';
import { CLUSTER, deployment, type SyncBench, syncBench } from './sync-bench.ts';

const asked = (branch = 'rendered'): string => `${CLUSTER}  publish: {rendered: {branch: ${branch}}}\n`;
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: hunter2}\n';

describe('rendered objects on a branch of a real repository', () => {
  let repository: ScratchRepository;
  let bench: SyncBench;
  beforeEach(async () => {
    repository = scratchRepository();
    bench = await syncBench({ repository });
  });
  afterEach(async () => {
    await bench.close();
    repository.remove();
  });

  const commit = (image: string, cluster = asked(), message = `Image ${image}`, more = ''): string =>
    repository.commit(
      [
        { path: 'plumbline.yaml', content: cluster },
        { path: `deep/${image}.yaml`, content: `${deployment('web', image)}---\n${SECRET}${more}` },
      ],
      { message },
    );

  function git(...args: readonly string[]): string {
    try {
      return repository.git(args);
    } catch {
      return '';
    }
  }

  const until = (what: () => boolean, name: string): Promise<true> =>
    polled(
      () => `${name}: ${JSON.stringify(bench.status(), null, 1)}\n${git('log', 'rendered')}`,
      () => what() && true,
      { timeoutMs: 30_000 },
    );

  const published = () => bench.status()?.conditions?.find(({ type }) => type === 'Published');
  const at = (sha: string): Promise<true> =>
    until(() => git('log', '-1', '--format=%B', 'rendered').includes(`Rendered-From: ${sha}`), `${sha} rendered`);

  it('make a diff of what runs a plain git diff, and follow it back', async () => {
    const first = commit('a:1');
    await at(first);
    const before = git('rev-parse', 'rendered');
    assert.deepEqual(git('ls-tree', '-r', '--name-only', 'rendered').split('\n'), [
      '_cluster/Cluster.plumbline.dev/cluster.yaml',
      'default/Deployment.apps/web.yaml',
      'default/Secret/db.yaml',
    ]);
    // Another file, another commit, one field that changed.
    const second = commit('a:2', asked(), 'Take a:2');
    await at(second);
    const diff = git('diff', '--unified=0', before, 'rendered').split('\n');
    assert.deepEqual(
      diff.filter((line) => /^[+-]/.test(line)),
      [
        '--- a/default/Deployment.apps/web.yaml',
        '+++ b/default/Deployment.apps/web.yaml',
        '-        - image: a:1',
        '+        - image: a:2',
      ],
    );
    assert.equal(git('rev-parse', 'rendered~1'), before);
    assert.equal(git('log', '-1', '--format=%s|%an', 'rendered'), 'Take a:2|plumbline');
    assert.match(git('log', '-1', '--format=%b', 'rendered'), /by Ada <ada@example\.test>\./);
    assert.doesNotMatch(git('log', '-p', 'rendered'), /hunter2|aHVudGVyMg/);
    // The source's history is rewritten: that of the branch goes on.
    git('update-ref', 'refs/heads/main', first);
    await at(first);
    assert.equal(git('diff', before, 'rendered'), '');
    assert.equal(git('rev-list', '--count', 'rendered'), '3');
    git('fsck', '--strict');
  });

  it('are written where they changed, and nowhere else', async () => {
    await at(commit('a:1'));
    const tip = git('rev-parse', 'rendered');
    const same = repository.commit([
      { path: 'all.yaml', content: `${asked()}---\n${deployment('web', 'a:1')}---\n${SECRET}` },
      { path: 'README.md', content: 'more' },
    ]);
    await bench.until(() => bench.status()?.appliedRevision === same, 'applied');
    await until(() => published()?.status === 'True', 'Published');
    await bench.close();
    bench = await syncBench({ repository });
    await until(() => published()?.status === 'True', 'Published again');
    assert.equal(git('rev-parse', 'rendered'), tip);
  });

  it('overwrite nothing of somebody else', async () => {
    const theirs = repository.commit([{ path: 'mine', content: '1' }], { branch: 'rendered' });
    const sha = commit('a:1');
    await until(() => published()?.reason === 'RenderedBranchTaken', 'RenderedBranchTaken');
    assert.match(
      published()?.message ?? '',
      /branch rendered of .* is at [0-9a-f]{12} by Ada, which is no commit of ours/,
    );
    assert.equal(git('rev-parse', 'rendered'), theirs);
    assert.equal(bench.status()?.appliedRevision, sha);
    const other = commit('a:1', asked('what/runs'));
    await until(() => git('log', '-1', '--format=%B', 'what/runs').includes(other), 'on the other one');
    await until(() => published()?.status === 'True', 'Published');
  });

  it('are refused the branch that is followed', async () => {
    const sha = commit('a:1', asked('main'));
    await bench.until(() => bench.record(sha)?.outcome === 'Refused', 'Refused');
    assert.match(bench.record(sha)?.message ?? '', /plumbline\.yaml:1:1 RenderedBranchFollowed/);
    assert.equal(git('rev-parse', 'main'), sha);
  });
});
