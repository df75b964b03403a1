/** What `npm pack` makes, installed as npm does, away from this folder and from everything that it has installed. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { controlPlane } from '../../../cli/control-plane.ts';
import { makeFolder } from '../../support/folder.ts';
import { tied } from '../../support/tied.ts';
import { git, run, type Ran } from './cli-bench.ts';
import { polled } from '../../support/patience.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PATIENCE_MS = 60_000;

describe('the package', () => {
  let dir: string;
  let installed: string;
  let work: string;
  const plumb = (...args: readonly string[]): Promise<Ran> =>
    run(join(installed, 'node_modules', '.bin', 'plumb'), args, work);

  before(async () => {
    dir = makeFolder('plumb package-');
    installed = join(dir, 'installed');
    work = join(dir, 'work');
    mkdirSync(installed);
    mkdirSync(work);
    const npm = async (args: readonly string[], cwd: string): Promise<void> => {
      const ran = await run('npm', [...args, '--offline', '--no-audit', '--no-fund'], cwd, { HOME: dir });
      assert.equal(ran.code, 0, ran.stderr);
    };
    await npm(['pack', '--pack-destination', dir], ROOT);
    const [tarball] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
    await npm(['install', '--prefix', installed, join(dir, tarball ?? '')], installed);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('needs no other package, and says under which licences the bundled ones are', () => {
    assert.deepEqual(
      readdirSync(join(installed, 'node_modules')).filter((name) => !name.startsWith('.')),
      ['plumbline'],
    );
    const licences = readFileSync(join(installed, 'node_modules/plumbline/dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of ['bullmq', 'isomorphic-git', 'ssh2', 'zod'])
      assert.match(licences, new RegExp(`^${name} `, 'm'));
  });

  it('makes, checks and plans a repository in an empty folder', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    assert.equal((await plumb('--version')).stdout.trim(), version);
    for (const args of [['init'], ['check'], ['plan'], ['init', '--bare', '../fleet.git']]) {
      const ran = await plumb(...args);
      assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}`);
    }
    const pushed = await run('git', ['push', '-q', '../fleet.git', 'main'], work);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /Plan: 4 to create/);
  });

  it('runs a control plane that has the agent to install', async () => {
    assert.ok(existsSync(join(installed, 'node_modules/plumbline/dist/agent.mjs')));
    const home = join(dir, 'home');
    const repo = join(dir, 'fleet.git');
    const [program, ...args] = tied(
      join(installed, 'node_modules', '.bin', 'plumb'),
      ...['up', '--home', home, '--repo', repo],
    );
    const up: ChildProcess = spawn(program, args, { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    up.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    try {
      const { stdout } = await git(['--git-dir', repo, 'rev-parse', 'main'], work);
      await polled(
        'the revision is not applied',
        async () => {
          assert.equal(up.exitCode, null, said);
          const status = await controlPlane(home)
            .get<{ source?: { appliedRevision?: string } }>('/plumbline/v1/status')
            .catch(() => undefined);
          return JSON.stringify(status ?? '').includes(stdout.trim()) || undefined;
        },
        { timeoutMs: PATIENCE_MS },
      );
    } finally {
      up.kill('SIGTERM');
      if (up.exitCode === null) await once(up, 'exit');
    }
    assert.equal(up.exitCode, 0, said);
  });
});
