import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { StoredDeployment } from '../../../contracts/objects/index.ts';
import { MemoryGitPublisher, MemoryRefs } from '../../../reconciler/adapters/memory/git-publisher.ts';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { inPatience, polled } from '../../support/patience.ts';
import { CLUSTER, deployment, type SyncBench, syncBench, type SyncBenchOptions } from './sync-bench.ts';

const signal = inPatience(600_000);
const ASKED = `${CLUSTER}  publish: {outcomes: true}\n`;

describe('outcomes as notes of a real repository', () => {
  let repository: ScratchRepository;
  let bench: SyncBench | undefined;
  beforeEach(() => {
    repository = scratchRepository();
  });
  afterEach(async () => {
    await bench?.close();
    bench = undefined;
    repository.remove();
  });

  async function begin(options: SyncBenchOptions = {}): Promise<SyncBench> {
    bench = await syncBench({ repository, ...options });
    return bench;
  }

  const commit = (cluster: string, image: string): string =>
    repository.commit([
      { path: 'plumbline.yaml', content: cluster },
      { path: 'web.yaml', content: deployment('web', image) },
    ]);

  function noteOf(sha: string): string {
    try {
      return repository.git(['notes', '--ref=plumbline', 'show', sha]);
    } catch {
      return '';
    }
  }

  const until = (what: () => boolean, name: string): Promise<true> =>
    polled(
      () => `${name}: ${JSON.stringify(bench?.status(), null, 1)}`,
      () => what() && true,
      { timeoutMs: 30_000 },
    );

  const told = (sha: string, outcome: string): Promise<true> =>
    until(() => noteOf(sha).includes(`\nOutcome: ${outcome}\n`), `${sha} noted as ${outcome}`);

  const published = () => bench?.status()?.conditions?.find(({ type }) => type === 'Published');

  async function makeAvailable({ cache, writer }: SyncBench): Promise<void> {
    const object = cache.get('deployments.apps/default/web') as StoredDeployment;
    const status = {
      observedGeneration: object.metadata.generation,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      unavailableReplicas: 0,
    };
    await writer.submit([{ do: 'updateStatus', object: { ...object, status } }], 'test', signal);
  }

  it('follow a revision until it is healthy, and the next takes its place', async () => {
    const one = await begin();
    const first = commit(ASKED, 'registry.lab/web:1');
    await told(first, 'Applied');
    await makeAvailable(one);
    await told(first, 'Healthy');
    assert.match(noteOf(first), /^Healthy \d+\.\d s after it was seen: 2 created, 0 updated, 0 deleted\n/);
    const trailers = repository.git(['interpret-trailers', '--parse'], noteOf(first));
    assert.match(trailers, /^Outcome: Healthy\n(.*\n)*Source: main$/);
    repository.git(['notes', '--ref=plumbline', 'append', '-m', 'Seen by Grace.', first]);
    const second = commit(`${ASKED}# two\n`, 'registry.lab/web:2');
    await told(second, 'Applied');
    await told(first, 'Superseded');
    assert.match(noteOf(first), /\n\nSeen by Grace\.$/);
    await one.until(() => published()?.status === 'True', 'Published');
    const tip = repository.git(['rev-parse', 'refs/notes/plumbline']);
    await one.close();
    const again = await begin({ store: one.store });
    await again.until(() => again.synced()?.reason === 'Applied', 'applied again');
    const bad = repository.commit([{ path: 'web.yaml', content: 'kind: Nonsense\n' }]);
    await told(bad, 'Refused');
    assert.equal(repository.git(['rev-parse', 'refs/notes/plumbline~1']), tip, 'nothing was written twice');
    assert.match(noteOf(bad), /nothing of it is in force\n\n {2}web\.yaml:1:7 UnknownKind /);
    repository.git(['fsck', '--strict']);
  });

  it('are written nowhere without being asked for', async () => {
    const one = await begin();
    const sha = commit(CLUSTER, 'registry.lab/web:1');
    await one.until(() => one.record(sha)?.outcome === 'Applied', 'Applied');
    await makeAvailable(one);
    await one.until(() => one.record(sha)?.outcome === 'Healthy', 'Healthy');
    const asked = commit(ASKED, 'registry.lab/web:1');
    await told(asked, 'Healthy');
    assert.match(noteOf(sha), /Outcome: Superseded/, 'what is known of earlier ones is told with them');
    const not = commit(CLUSTER, 'registry.lab/web:1');
    await one.until(() => one.record(not)?.outcome === 'Healthy' && published() === undefined, 'no condition');
    assert.equal(noteOf(not), '');
  });

  it('of a lost store are not made poorer', async () => {
    const one = await begin();
    const sha = commit(ASKED, 'registry.lab/web:1');
    await told(sha, 'Applied');
    await makeAvailable(one);
    await told(sha, 'Healthy');
    const before = noteOf(sha);
    await one.close();
    const again = await begin();
    await again.until(() => again.record(sha)?.outcome === 'Applied', 'Applied');
    await again.until(() => published()?.status === 'True', 'Published');
    // It made all of it anew, and says so with its numbers.
    assert.match(noteOf(sha), /2 created/);
    assert.ok(before.includes('2 created'));
  });

  it('that a remote does not take hold up nothing, and are told once', async () => {
    const refs = new MemoryRefs();
    refs.refusal = new TerminalError('GitAccessDenied', 'https://git.example.com answered 403');
    const one = await begin({ publisher: new MemoryGitPublisher(refs) });
    const first = commit(ASKED, 'registry.lab/web:1');
    await one.until(() => published()?.status === 'False', 'Published is False');
    assert.equal(published()?.reason, 'GitAccessDenied');
    assert.match(
      published()?.message ?? '',
      /answered 403; let the control plane write that, or take publish\.outcomes/,
    );
    assert.equal(one.record(first)?.outcome, 'Applied');
    const second = commit(ASKED, 'registry.lab/web:2');
    await one.until(() => one.record(second)?.outcome === 'Applied', 'the next is applied');
    refs.refusal = undefined;
    const third = commit(ASKED, 'registry.lab/web:3');
    const noted = (): number => refs.at('refs/notes/plumbline')?.contents.size ?? 0;
    await until(() => noted() === 3 && published()?.status === 'True', 'all three noted');
    assert.equal(one.status()?.appliedRevision, third);
    const events = one.cache.list('Event').filter(({ reason }) => reason === 'PublishFailed');
    assert.equal(events.length, 1);
  });
});
