import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { globalAgent } from 'node:https';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { openGitPublisher } from '../../../reconciler/adapters/git/index.ts';
import { MemoryGitPublisher, MemoryRefs } from '../../../reconciler/adapters/memory/git-publisher.ts';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import type { GitPublisher } from '../../../reconciler/ports/git-publisher.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { inPatience } from '../../support/patience.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { type ScratchRepository, scratchRepository } from '../git-source/scratch-repository.ts';
import { gitPublisherSuite, type PublishedWorld } from './suite.ts';

const signal = inPatience(600_000);

gitPublisherSuite('memory', async () => {
  const refs = new MemoryRefs();
  return {
    open: async () => new MemoryGitPublisher(refs),
    refuse: () => {
      refs.refusal = new TerminalError('PushRejected', 'no');
    },
    remove: async () => undefined,
  };
});

/** `place`: the URL by which the repository is known. */
async function real(
  place: (r: ScratchRepository) => Partial<Parameters<typeof openGitPublisher>[0]>,
): Promise<PublishedWorld> {
  const repository = scratchRepository();
  let opened = 0;
  return {
    open: () =>
      openGitPublisher({
        url: repository.dir,
        cacheDir: join(repository.root, `cache-${(opened += 1)}`),
        ...place(repository),
      }),
    // Also where hooks are not run.
    refuse: () => void repository.git(['config', 'receive.hideRefs', 'refs/notes']),
    remove: async () => repository.remove(),
  };
}

gitPublisherSuite('a repository of this machine', () => real(() => ({})));
gitPublisherSuite('served by a process', () => real((r) => ({ url: `file://${r.dir}` })));

describe('over the network', () => {
  const LOGIN = 'ada:hunter2';
  let authority: TestAuthority;
  let gateway: GitGateway;
  let sshd: TestSshd;
  before(async () => {
    authority = testAuthority();
    gateway = await startGateway({ login: LOGIN, tls: authority.issue('DNS:localhost') });
    sshd = await startSshd();
    writeFileSync(join(sshd.folder, 'known_hosts'), `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
  });
  after(async () => {
    await gateway?.close();
    await sshd?.stop();
    globalAgent.destroy();
    authority?.remove();
  });
  gitPublisherSuite('HTTPS', () =>
    real((r) => {
      gateway.serve(r.root);
      return { url: `https://${LOGIN}@localhost:${gateway.port}/repo.git`, ca: authority.cert };
    }),
  );
  gitPublisherSuite('SSH', () =>
    real((r) => ({
      url: `ssh://root@127.0.0.1:${sshd.port}${r.dir}`,
      sshKey: join(sshd.folder, 'client'),
      knownHosts: join(sshd.folder, 'known_hosts'),
    })),
  );
});

describe('what a publisher leaves in a repository of this machine', () => {
  let repository: ScratchRepository;
  let publisher: GitPublisher;
  beforeEach(async () => {
    repository = scratchRepository();
    publisher = await openGitPublisher({ url: repository.dir, cacheDir: join(repository.root, 'cache') });
  });
  afterEach(async () => {
    await publisher.close();
    repository.remove();
  });

  const write = async (put: ReadonlyMap<string, Uint8Array>): Promise<void> => {
    const ref = 'refs/notes/plumbline';
    const onto = await publisher.read(ref, signal);
    const author = { name: 'plumbline', email: 'plumbline@localhost' };
    const made = await publisher.commit(
      { ref, onto, put, remove: new Set(), message: 'Notes', author, at: new Date(0) },
      signal,
    );
    assert.ok(typeof made === 'object');
  };

  it('is whole, and git reads it as notes; what a person adds stays', async () => {
    const [first, second] = [
      repository.commit([{ path: 'a', content: '1' }]),
      repository.commit([{ path: 'a', content: '2' }]),
    ];
    await write(new Map([[`${first.slice(0, 2)}/${first.slice(2)}`, Buffer.from('Outcome: Healthy\n')]]));
    repository.git(['notes', '--ref=plumbline', 'add', '-m', 'by a person', second]);
    const third = repository.commit([{ path: 'a', content: '3' }]);
    await write(new Map([[`${third.slice(0, 2)}/${third.slice(2)}`, Buffer.from('Outcome: Failed\n')]]));
    assert.deepEqual(
      [first, second, third].map((sha) => repository.git(['notes', '--ref=plumbline', 'show', sha])),
      ['Outcome: Healthy', 'by a person', 'Outcome: Failed'],
    );
    assert.match(repository.git(['log', '--notes=plumbline', '-1', 'main']), /Notes \(plumbline\):\n +Outcome: Failed/);
    repository.git(['fsck', '--strict']);
  });

  it('runs no hook', async () => {
    const ran = join(repository.root, 'ran');
    for (const hook of ['pre-receive', 'update', 'post-receive', 'post-update']) {
      const file = join(repository.dir, 'hooks', hook);
      writeFileSync(file, `#!/bin/sh\necho ${hook} >> ${ran}\nexit 1\n`);
      chmodSync(file, 0o755);
    }
    await write(new Map([['a', Buffer.from('1')]]));
    assert.equal(existsSync(ran), false, existsSync(ran) ? readFileSync(ran, 'utf8') : '');
  });

  it('refuses to write on what it could not write again as it is', async () => {
    const odd = repository.commit([{ path: Buffer.from([0x61, 0xff]), content: '1' }], { branch: null });
    repository.git(['update-ref', 'refs/notes/plumbline', odd]);
    await assert.rejects(write(new Map([['a', Buffer.from('1')]])), /holds what cannot be written again as it is/);
    assert.equal(repository.git(['rev-parse', 'refs/notes/plumbline']), odd);
  });

  it('keeps modes, links and submodules of others', async () => {
    const sha = repository.commit(
      [
        { path: 'run', content: '#!', mode: '100755' },
        { path: 'link', content: 'run', mode: '120000' },
        { path: 'd/x', content: 'x' },
      ],
      { branch: null, submodules: { sub: '1'.repeat(40) } },
    );
    const before = repository.git(['ls-tree', '-r', sha]).split('\n');
    repository.git(['update-ref', 'refs/notes/plumbline', sha]);
    await write(new Map([['new', Buffer.from('1')]]));
    const now = repository.git(['ls-tree', '-r', 'refs/notes/plumbline']).split('\n');
    assert.deepEqual(
      now.filter((line) => !line.endsWith('\tnew')),
      before,
    );
  });
});
