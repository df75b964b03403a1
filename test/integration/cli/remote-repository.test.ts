/** `plumb up` as a user runs it for a repository behind HTTPS with a private authority, and behind SSH. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { SourceStatus } from '../../../contracts/objects/index.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { makeFolder } from '../../support/folder.ts';
import { freePort } from '../../support/free-port.ts';
import { type GitGateway, startGateway } from '../../support/git/gateway.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { polled, whenOver } from '../../support/patience.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { tied } from '../../support/tied.ts';
import { configMap } from '../engines/apps.ts';
import { CLUSTER, deployment } from '../git/sync-bench.ts';
import { plumb, type Ran } from './cli-bench.ts';
import { filesBelow } from '../../support/files-below.ts';

/** Nothing tells a control plane of a push to another machine but its own looking. */
const OFTEN = CLUSTER.replace('pollSeconds: 3600', 'pollSeconds: 1');
const PASSWORD = 'hunter2/%40';
const SECRETS = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`ada:${PASSWORD}`).toString('base64')];
const START_MS = 30_000;
const STOP_MS = 20_000;

interface ControlPlane {
  readonly pid: number;
  readonly said: () => string;
  stop(): Promise<number | null>;
}

describe('a repository on another machine', { timeout: 600_000 }, () => {
  let repository: ScratchRepository;
  /** Beside it, as `../lib.git`. */
  let lib: ScratchRepository;
  let home: string;
  let plane: ControlPlane | undefined;
  before(buildCli);
  beforeEach(() => {
    [repository, lib] = [scratchRepository(), scratchRepository()];
    symlinkSync(lib.dir, join(repository.root, 'lib.git'));
    home = makeFolder('plumb-home-');
  });
  afterEach(async () => {
    await plane?.stop();
    plane = undefined;
    rmSync(home, { recursive: true, force: true });
    repository.remove();
    lib.remove();
  });
  const run = (...args: string[]): Promise<Ran> => plumb(args, home, { PLUMB_HOME: home });

  /** `plumb up`, once it is ready; rejects with its words when it ends before. */
  async function start(
    repo: string,
    env: NodeJS.ProcessEnv,
    through: readonly string[] = [],
    more: readonly string[] = [],
  ): Promise<ControlPlane> {
    const [program, ...args] = tied(
      ...through,
      process.execPath,
      PLUMB,
      'up',
      '--repo',
      repo,
      '--branch',
      'main',
      '--home',
      home,
      ...more,
    );
    const child: ChildProcess = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const ended = once(child, 'close') as Promise<[number | null]>;
    const stop = async (): Promise<number | null> => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const [code] = await ended;
      clearTimeout(force);
      return code;
    };
    child.once('exit', whenInterrupted('plumb up', stop));
    plane = { pid: child.pid ?? 0, said: () => said, stop };
    await new Promise<void>((resolve, reject) => {
      const forget = whenOver(START_MS, () => reject(new Error(`not ready within ${START_MS} ms: ${said}`)));
      const look = (): void => {
        if (!said.includes('ready: ')) return;
        forget();
        resolve();
      };
      child.stderr?.on('data', look);
      void ended.then(([code]) => {
        forget();
        reject(new Error(`ended with ${code}:\n${said}`));
      });
    });
    return plane;
  }

  /** Resolves when the repository has the note of a healthy commit, and its objects on their branch. */
  async function writtenBack(sha: string): Promise<void> {
    const git = (...args: readonly string[]): string => {
      try {
        return repository.git(args);
      } catch {
        return '';
      }
    };
    const isThere = (): boolean =>
      /^Outcome: Healthy$/m.test(git('notes', '--ref=plumbline', 'show', sha)) &&
      git('log', '-1', '--format=%B', 'rendered').includes(sha) &&
      git('ls-tree', '-r', '--name-only', 'rendered').includes('default/Deployment.apps/web.yaml');
    await polled(
      () => git('log', '-2', '--all'),
      () => isThere() && true,
      { timeoutMs: 30_000 },
    );
  }

  /**
   * Follows a commit, and makes one: everything that is asked of a repository. From the second on it is hardly polled:
   * its own commit is seen without that.
   */
  async function followAndRollBack(): Promise<void> {
    const first = repository.git(['rev-parse', 'refs/heads/main']);
    assert.match((await run('status', '--wait', '--timeout', '120')).stdout, new RegExp(first.slice(0, 12)));
    const second = repository.commit(
      [
        { path: 'plumbline.yaml', content: `${CLUSTER}  publish: {outcomes: true, rendered: {branch: rendered}}\n` },
        { path: 'web.yaml', content: deployment('web', 'registry.lab/web:1', 0) },
        { path: '.gitmodules', content: '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n' },
      ],
      { message: 'Add web', submodules: { lib: lib.commit([{ path: 'a.yaml', content: configMap('of-lib') }]) } },
    );
    assert.match((await run('status', '--wait', '--timeout', '120')).stdout, new RegExp(second.slice(0, 12)));
    assert.equal((await run('get', 'configmap', 'of-lib')).code, 0);
    await writtenBack(second);
    const back = await run('rollback', first.slice(0, 12));
    assert.equal(back.code, 0, back.stderr);
    const sha = back.stdout.slice(0, 40);
    assert.equal(repository.git(['rev-parse', 'refs/heads/main']), sha);
    assert.equal(repository.git(['rev-parse', `${sha}^{tree}`]), repository.git(['rev-parse', `${first}^{tree}`]));
    const status = await run('status', '--wait', '--timeout', '120');
    assert.equal(status.code, 0, status.stdout + status.stderr);
    assert.match(status.stdout, new RegExp(sha.slice(0, 12)));
  }

  describe('behind HTTPS', () => {
    let authority: TestAuthority;
    let gateway: GitGateway;
    before(async () => {
      authority = testAuthority();
      gateway = await startGateway({ login: `ada:${PASSWORD}`, tls: authority.issue('DNS:localhost') });
    });
    after(async () => {
      await gateway?.close();
      authority?.remove();
    });
    beforeEach(() => gateway.serve(repository.root));

    /** Where secrets would stay: what was printed, the home folder, and what anybody sees of the processes. */
    async function shown(): Promise<string> {
      const files = (await filesBelow(home)).values();
      const processes =
        plane === undefined
          ? []
          : withDescendants(plane.pid).map(
              (pid) => readProc(pid, 'cmdline') + (pid === plane?.pid ? '' : readProc(pid, 'environ')),
            );
      return [plane?.said() ?? '', ...files, ...processes].join('\n');
    }
    function assertNoSecret(text: string): void {
      for (const secret of SECRETS)
        assert.ok(
          !text.includes(secret),
          `${secret} is in: ...${text.slice(Math.max(0, text.indexOf(secret) - 200), text.indexOf(secret) + 50)}`,
        );
    }

    it('is followed and pushed to, with the authority and the password from the environment, which nobody gets to see', async () => {
      repository.commit([{ path: 'plumbline.yaml', content: OFTEN }]);
      await start(`https://ada@localhost:${gateway.port}/repo.git`, {
        NODE_EXTRA_CA_CERTS: authority.file,
        PLUMB_GIT_PASSWORD: PASSWORD,
      });
      await followAndRollBack();
      const told = await Promise.all([
        run('status', '-o', 'json'),
        run('get', 'sources', '-o', 'json'),
        run('get', 'events', '-A', '-o', 'json'),
      ]);
      assertNoSecret((await shown()) + told.map((ran) => ran.stdout + ran.stderr).join('\n'));
      assert.ok(withDescendants(plane?.pid ?? 0).length > 1, 'redis-server is looked at too');
      assert.equal(await plane?.stop(), 0);
      assertNoSecret(await shown());
    });

    it('is looked at when its forge calls, and is acted on within a second', async () => {
      const [port, secret] = [await freePort(), randomBytes(16).toString('hex')];
      writeFileSync(join(home, 'webhook.secret'), secret, { mode: 0o600 });
      const web = (i: number) => ({ path: 'web.yaml', content: deployment('web', `registry.lab/web:${i}`, 0) });
      repository.commit([{ path: 'plumbline.yaml', content: CLUSTER }, web(0)]);
      await start(
        `https://ada@localhost:${gateway.port}/repo.git`,
        { NODE_EXTRA_CA_CERTS: authority.file, PLUMB_GIT_PASSWORD: PASSWORD },
        [],
        ['--webhook', `127.0.0.1:${port}`, '--webhook-secret', join(home, 'webhook.secret')],
      );
      assert.equal((await run('status', '--wait', '--timeout', '120')).code, 0);
      const acted: number[] = [];
      for (let i = 1; i <= 5; i++) {
        const sha = repository.commit([{ path: 'plumbline.yaml', content: CLUSTER }, web(i)]);
        const body = JSON.stringify({ after: sha });
        const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
        const headers = { 'x-hub-signature-256': signature, 'x-github-delivery': String(i), 'x-github-event': 'push' };
        const answer = await fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST', body, headers });
        assert.equal(answer.status, 202);
        const seen = await polled(
          `${sha} is applied`,
          async () => {
            const { stdout } = await run('get', 'source', 'main', '-o', 'json');
            const { status } = JSON.parse(stdout) as { status: SourceStatus };
            return status.history.find(({ revision, counts }) => revision === sha && counts !== undefined);
          },
          { timeoutMs: 30_000 },
        );
        assert.equal(seen.noticed?.by, 'webhook');
        acted.push(seen.noticed.actedAfterMs ?? Infinity);
      }
      acted.sort((a, b) => a - b);
      console.log(`from a webhook to the first action: ${acted.join(', ')} ms`);
      assert.ok((acted[0] ?? Infinity) < 1000);
    });

    it('is refused with one sentence while its authority is unknown', async () => {
      const refused: unknown = await start(
        `https://ada:${encodeURIComponent(PASSWORD)}@localhost:${gateway.port}/repo.git`,
        {},
      ).catch((error: unknown) => error);
      assert.match(String(refused), /ended with 1:$/m);
      assert.match(
        String(refused),
        /^note: everybody on this machine can read the password in --repo: give it in PLUMB_GIT_PASSWORD instead$/m,
      );
      assert.match(
        String(refused),
        /^error: the certificate of localhost:\d+ is from an authority that is not known \(unable to verify the first certificate\): write that authority's certificate to a PEM file and start again with NODE_EXTRA_CA_CERTS=FILE \(GitCertificateRefused\)$/m,
      );
      plane = undefined;
      assertNoSecret(String(refused) + (await shown()));
    });
  });

  describe('behind SSH', () => {
    let sshd: TestSshd;
    before(async () => {
      sshd = await startSshd();
    });
    after(async () => {
      await sshd?.stop();
    });

    /** ssh finds its user's folder in /etc/passwd, not in HOME: a copy of it that only this process sees. */
    function withOwnHome(): readonly string[] {
      mkdirSync(join(home, '.ssh'), { mode: 0o700 });
      const passwd = join(home, 'passwd');
      writeFileSync(
        passwd,
        readFileSync('/etc/passwd', 'utf8').replace(/^root:.*$/m, `root:x:0:0:root:${home}:/bin/sh`),
      );
      return ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/passwd && exec "$@"', passwd];
    }

    it("is followed and pushed to with the user's own key and known_hosts", async () => {
      repository.commit([{ path: 'plumbline.yaml', content: OFTEN }]);
      const through = withOwnHome();
      writeFileSync(join(home, '.ssh', 'known_hosts'), `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
      writeFileSync(join(home, '.ssh', 'id_ed25519'), sshd.privateKey, { mode: 0o600 });
      await start(`ssh://root@127.0.0.1:${sshd.port}${repository.dir}`, {}, through);
      await followAndRollBack();
      assert.equal(await plane?.stop(), 0);
    });

    it('is refused with one sentence while its host key is unknown', async () => {
      const refused: unknown = await start(
        `ssh://root@127.0.0.1:${sshd.port}${repository.dir}`,
        {},
        withOwnHome(),
      ).catch((error: unknown) => error);
      plane = undefined;
      assert.match(String(refused), /ended with 1:$/m);
      assert.match(
        String(refused),
        new RegExp(
          `^error: the host key of 127\\.0\\.0\\.1 is not in ~/\\.ssh/known_hosts: add it with \`ssh-keyscan -p ${sshd.port} 127\\.0\\.0\\.1 >> ~/\\.ssh/known_hosts\`, and compare it with what the host's owner tells \\(GitHostKeyUnknown\\)$`,
          'm',
        ),
      );
    });
  });
});

/** A process and all below it that live. */
function withDescendants(pid: number): readonly number[] {
  return [
    pid,
    ...readProc(pid, `task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number).flatMap(withDescendants),
  ];
}

/** Empty for a process that has ended. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
