/** The sync of a repository whose tags are followed. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { CLUSTER, deployment, syncBench } from './sync-bench.ts';

it('applies the newest tag of a range, tells a tag that moved, and keeps what runs where none is left', async () => {
  const repository = scratchRepository();
  const bench = await syncBench({
    repository,
    git: await openGitSource({ url: repository.dir, follow: { semver: '^1' } }),
  });
  const release = (tag: string, image: string): string => {
    const sha = repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: deployment('web', image) },
      ],
      { branch: null },
    );
    repository.git(['tag', '--force', tag, sha]);
    return sha;
  };
  const inForce = (sha: string): Promise<void> =>
    bench.until(() => bench.status()?.appliedRevision === sha, `applying ${sha}`);
  const image = (): string | undefined =>
    bench.cache.get('deployments.apps/default/web')?.spec.template.spec.containers[0]?.image;
  try {
    await inForce(release('v1.0.0', 'registry.lab/web:1'));
    release('v2.0.0', 'registry.lab/web:2');
    const second = release('v1.1.0', 'registry.lab/web:1.1');
    await inForce(second);
    assert.equal(image(), 'registry.lab/web:1.1');
    assert.equal(bench.record(second)?.tag, 'v1.1.0');
    assert.deepEqual(bench.cache.get('sources.plumbline.dev//main')?.spec, { url: repository.dir, semver: '^1' });
    const moved = release('v1.1.0', 'registry.lab/web:other');
    await inForce(moved);
    await bench.until(
      () =>
        bench.cache.list('Event').some(({ reason, message }) => reason === 'TagMoved' && message?.includes('v1.1.0')),
      'telling that the tag moved',
    );
    repository.git(['tag', '-d', 'v1.1.0']);
    await bench.until(() => image() === 'registry.lab/web:1', 'going back to the tag that is left');
    repository.git(['tag', '-d', 'v1.0.0']);
    await bench.until(() => bench.synced()?.reason === 'BranchMissing', 'telling that no tag fits');
    assert.match(bench.synced()?.message ?? '', /tags in "\^1" .* does not exist/);
    assert.equal(image(), 'registry.lab/web:1');
  } finally {
    await bench.close();
    repository.remove();
  }
});
