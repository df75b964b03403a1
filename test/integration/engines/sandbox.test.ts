/** The real sandbox, with real programs that want out. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { Engines } from '../../../reconciler/adapters/engines/engines.ts';
import { findProgram } from '../../../reconciler/adapters/engines/programs.ts';
import { fetchSandboxed, LIMITS, runSandboxed } from '../../../reconciler/adapters/engines/sandbox.ts';
import { makeFolder } from '../../support/folder.ts';
import { inPatience, polled } from '../../support/patience.ts';
import { tied } from '../../support/tied.ts';

const signal = inPatience(600_000);
const programs = { dir: join(import.meta.dirname, '../../../.cache/engines'), env: process.env };

describe('the network of a call', () => {
  const folder = makeFolder('plumbline-sandbox-');
  let server: Server;
  let asked = 0;
  before(async () => {
    server = createServer((_, response) => response.end('{"reached":true}'))
      .on('connection', () => asked++)
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await removeFolder(folder);
  });

  it('is cut: a program that asks a listener on loopback does not reach it, and one that may fetch does', async () => {
    const { path } = await findProgram('kustomize', programs, signal);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const call = { program: path, args: ['get', '--raw', '/x', `--server=${url}`] };
    const cut = await runSandboxed(folder, { ...call, files: [], env: { HOME: '/' } }, LIMITS, signal);
    assert.equal(asked, 0);
    assert.match(cut.ok ? 'it reached the machine' : cut.message, /network is unreachable/);
    const { answer } = await fetchSandboxed(
      folder,
      { program: path, steps: [call.args], settings: {} },
      LIMITS,
      signal,
    );
    assert.deepEqual([answer.ok, asked], [true, 1]);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('roots of calls', () => {
  const folder = makeFolder('plumbline-roots-');
  after(() => removeFolder(folder));

  it('that a killed process left are gone after the first call of a later one, and none that may be in use', async () => {
    const calls = join(folder, 'calls');
    const ended = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(ended, 'exit');
    const long = new Date(Date.now() - 2 * 60 * 60 * 1000);
    const root = (name: string, isOld: boolean): string => {
      const path = join(calls, name);
      mkdirSync(join(path, 'tree', 'repository'), { recursive: true });
      writeFileSync(join(path, 'tree', 'repository', 'values.yaml'), 'a: b\n', { mode: 0o444 });
      if (isOld) utimesSync(path, long, long);
      return path;
    };
    // The last one is of an earlier process that had the number of this one.
    const left = [`${ended.pid}-a`, 'of-an-older-version', `${process.pid}-a`].map((name) => root(name, true));
    const used = [root(`${process.ppid}-a`, true), root(`${process.pid}-b`, false), root(`${ended.pid}-b`, false)];
    const { path: kubectl } = await findProgram('kustomize', programs, signal);
    const engines = new Engines({
      programs: { dir: folder, env: { PLUMB_KUBECTL: kubectl } },
      renderings: join(folder, 'renderings'),
      charts: join(folder, 'charts'),
    });
    const files = [{ path: 'kustomization.yaml', bytes: new TextEncoder().encode('resources: []\n') }];
    await engines.tools(signal).run({ engine: 'kustomize', args: ['/tree'], files });
    assert.deepEqual(left.filter(existsSync), []);
    assert.deepEqual(used.filter(existsSync), used);
    assert.equal(readdirSync(calls).length, used.length);
  });
});

describe('a call whose control plane is killed', () => {
  const folder = makeFolder('plumbline-orphan-');
  after(() => removeFolder(folder));

  it('ends, also where it only waits', async () => {
    const { path } = await findProgram('kustomize', programs, signal);
    const mark = `/${randomUUID()}/`;
    const sandbox = join(import.meta.dirname, '../../../reconciler/adapters/engines/sandbox.ts');
    // It listens where nobody comes.
    const call = {
      program: path,
      args: ['proxy', '--unix-socket=/socket', `--www-prefix=${mark}`],
      files: [],
      env: { HOME: '/' },
    };
    const script = `import { runSandboxed, LIMITS } from ${JSON.stringify(sandbox)};
      await runSandboxed(${JSON.stringify(folder)}, ${JSON.stringify(call)}, LIMITS, new AbortController().signal);`;
    const [runtime, ...args] = tied(process.execPath, '--import', 'tsx', '--input-type=module', '-e', script);
    const owner = spawn(runtime, args, { stdio: 'ignore' });
    try {
      const listens = () => readdirSync(folder).some((root) => existsSync(join(folder, root, 'socket')));
      await polled('the program waits', () => listens() || undefined, { timeoutMs: 60_000 });
      owner.kill('SIGKILL');
      await polled('nothing of the call is left', () => running(mark).length === 0 || undefined, { timeoutMs: 20_000 });
    } finally {
      owner.kill('SIGKILL');
      for (const pid of running('/program', mark)) process.kill(pid, 'SIGKILL');
    }
  });
});

/** Processes with all of these texts in their arguments, the first one at the beginning where there are several. */
function running(...texts: readonly string[]): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return texts.every((text) => line.includes(text)) && (texts.length < 2 || line.startsWith(texts[0] ?? ''));
      } catch {
        return false;
      }
    })
    .map(Number);
}
