import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { freePort } from '../../support/free-port.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';
import { gitSourceSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

let sshd: TestSshd;
let knownHosts: string;
before(async () => {
  sshd = await startSshd();
  knownHosts = join(sshd.folder, 'known_hosts');
  writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
});
after(async () => {
  await sshd?.stop();
});

function open(
  repository: ScratchRepository,
  over: { readonly url?: string; readonly sshKey?: string; readonly branch?: null } = {},
): Promise<GitSource> {
  return openGitSource({
    url: over.url ?? `ssh://root@127.0.0.1:${sshd.port}${repository.dir}`,
    ...(over.branch === undefined && { branch: 'main' }),
    cacheDir: join(repository.root, 'cache'),
    knownHosts,
    sshKey: over.sshKey ?? join(sshd.folder, 'client'),
  });
}

gitSourceSuite({
  name: 'over SSH',
  local: false,
  open: (repository, branch) => open(repository, branch === null ? { branch } : {}),
});

describe('GitSource over SSH, when it does not work', { timeout: 600_000 }, () => {
  let repository: ScratchRepository;
  let source: GitSource | undefined;
  beforeEach(() => {
    repository = scratchRepository();
    repository.commit([{ path: 'a', content: '1' }]);
  });
  afterEach(async () => {
    await source?.close();
    source = undefined;
    repository.remove();
  });

  async function failure(over: { readonly url?: string; readonly sshKey?: string } = {}): Promise<PlumbError> {
    source = await open(repository, over);
    const error: unknown = await source.head(signal).then(
      (head) => assert.fail(`it answered ${head.state}`),
      (e: unknown) => e,
    );
    assert.ok(error instanceof PlumbError, String(error));
    assert.equal(error.message.includes('\n'), false, error.message);
    return error;
  }

  /** Runs the commands that an error names. */
  function advised(error: PlumbError): void {
    for (const [, command] of error.message.matchAll(/`([^`]+)`/g))
      execFileSync('sh', ['-c', command ?? ''], { stdio: 'ignore' });
  }

  it('refuses a host whose key it does not know, and adds none by itself', async () => {
    writeFileSync(knownHosts, '');
    const error = await failure();
    assert.deepEqual([error.code, error.retry], ['GitHostKeyUnknown', 'never']);
    assert.equal(
      error.message,
      `the host key of 127.0.0.1 is not in ${knownHosts}: add it with \`ssh-keyscan -p ${sshd.port} 127.0.0.1 >> ${knownHosts}\`, and compare it with what the host's owner tells`,
    );
    assert.equal(readFileSync(knownHosts, 'utf8'), '');
    advised(error);
    assert.equal(readFileSync(knownHosts, 'utf8').trim().split(' ').slice(1).join(' '), sshd.hostKey);
    assert.equal((await source?.head(signal))?.state, 'at');
  });

  it('says that the host refuses the key', async () => {
    const error = await failure({ sshKey: join(sshd.folder, 'stranger') });
    assert.deepEqual(
      [error.code, error.message],
      [
        'GitAccessDenied',
        'root@127.0.0.1 accepts none of our SSH keys: add the public key there, or name another private key with --ssh-key',
      ],
    );
  });

  it("says that there is no such repository in git's words, and that nobody listens in ssh's", async () => {
    const missing = await failure({ url: `ssh://root@127.0.0.1:${sshd.port}/nowhere.git` });
    assert.equal(missing.code, 'GitUnreachable');
    assert.match(missing.message, /: fatal: '\/nowhere\.git' does not appear to be a git repository$/);
    const closed = await failure({ url: `ssh://root@127.0.0.1:${await freePort()}/repo.git` });
    assert.deepEqual([closed.code, /Connection refused$/.test(closed.message)], ['GitUnreachable', true]);
  });

  it('reaches a repository with blanks and quotes in its path', async () => {
    const odd = join(repository.root, "it's a $(fleet);.git");
    renameSync(repository.dir, odd);
    source = await open(repository, { url: `ssh://root@127.0.0.1:${sshd.port}${odd}` });
    assert.equal((await source.head(signal)).state, 'at');
  });

  it('stops waiting for a host that says nothing when it is told to', async () => {
    const stop = new AbortController();
    const server = createServer((socket) => {
      socket.resume();
      stop.abort(new Error('enough'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    source = await open(repository, { url: `ssh://root@127.0.0.1:${(server.address() as AddressInfo).port}/repo.git` });
    await assert.rejects(source.head(stop.signal), /enough/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a host whose key changed, at once and for as long as the new one is not pinned', async () => {
    source = await open(repository);
    assert.equal((await source.head(signal)).state, 'at');
    const known = readFileSync(knownHosts);
    const key = await sshd.changeHostKey();
    const error = await failure();
    assert.deepEqual([error.code, error.retry], ['GitHostKeyChanged', 'never']);
    assert.equal(
      error.message,
      `the host key of 127.0.0.1 is not the one in ${knownHosts}: it was made anew, or another machine answers; compare it with what the host's owner tells, then \`ssh-keygen -f ${knownHosts} -R '[127.0.0.1]:${sshd.port}'\` and \`ssh-keyscan -p ${sshd.port} 127.0.0.1 >> ${knownHosts}\``,
    );
    assert.deepEqual(readFileSync(knownHosts), known);
    advised(error);
    assert.equal(readFileSync(knownHosts, 'utf8').trim().split(' ').slice(1).join(' '), key);
    assert.equal((await source?.head(signal))?.state, 'at');
  });
});
