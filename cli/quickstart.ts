/**
 * `plumb quickstart`: a whole Plumbline on this machine, from the lab to an app that answers, left running. Everything
 * it makes is recorded in a state file in the control plane's home, so that `--down` finds it again, also after a
 * crash.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliFailure } from './failure.ts';
import { ownHome, SOCKET_NAME } from './home.ts';
import { print, progress, tell } from './print/terminal.ts';
import { packageRoot, programPath } from './program-path.ts';
import { labDown, labUp, machineManifests, type LabInfo } from '../lab/index.ts';
import { processStart, run, runOrFail, until } from '../lab/process.ts';

const STATE_FILE = 'quickstart.json';
const APP_TIMEOUT_SECONDS = 150;

export interface QuickstartOptions {
  readonly home?: string;
  readonly dir: string;
  readonly down?: boolean;
}

interface Started {
  readonly dir: string;
  readonly pid?: number;
  readonly pidStart?: string;
}

interface Step {
  readonly what: string;
  readonly seconds: number;
}

const PLUMB = programPath();

export async function quickstart(options: QuickstartOptions): Promise<void> {
  const home = ownHome(options.home);
  if (options.down) {
    await takeDown(home);
    return;
  }
  await bringUp(home, resolve(options.dir));
}

async function bringUp(home: string, dir: string): Promise<void> {
  const before = await started(home);
  if (before)
    throw new CliFailure(
      2,
      `a quickstart is already there (${before.dir})`,
      'Use it (plumb status), or remove it first: npm run quickstart -- --down',
    );
  if (existsSync(join(home, SOCKET_NAME)))
    throw new CliFailure(
      2,
      `a control plane already lives in ${home}`,
      'Stop it, or give the quickstart another home: PLUMB_HOME=DIR npm run quickstart',
    );
  if (existsSync(dir))
    throw new CliFailure(
      2,
      `${dir} is already there`,
      `Move it away, or choose another folder: npm run quickstart -- --dir DIR`,
    );

  await mkdir(home, { recursive: true, mode: 0o700 });
  await record(home, { dir });
  const steps: Step[] = [];
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    progress(`${what} ...`);
    const result = await work();
    steps.push({ what, seconds: (performance.now() - from) / 1000 });
    return result;
  };
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new CliFailure(1, 'interrupted', 'Everything was taken down again.'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const lab = await step('lab: three hosts with their own sshd, containerd and network', () =>
      labUp({ nodes: 3, signal: interrupted.signal, progress }),
    );
    await step('repository: a bare Git repository with hooks, filled from examples-repo', () =>
      makeRepository(dir, lab),
    );
    await step('control plane: with its own private redis-server', () => startControlPlane(home, dir, lab));
    await step('machines: pushed, agents installed over SSH, nodes Ready', async () => {
      await commit(dir, 'Three machines', ['plumbline.yaml', 'machines']);
      await push(dir);
      await waitHealthy(home, interrupted.signal);
    });
    await step('app: pushed, images pulled, pods ready', async () => {
      await commit(dir, 'A first app', ['.']);
      await push(dir);
      await waitHealthy(home, interrupted.signal);
    });
    await report(home, dir, lab, steps);
  } catch (error) {
    progress('that did not work: taking everything down again');
    await keepLog(dir);
    await takeDown(home);
    throw error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function git(cwd: string, ...args: readonly string[]): Promise<string> {
  return runOrFail(['git', '-C', cwd, '-c', 'user.name=Quickstart', '-c', 'user.email=quickstart@localhost', ...args]);
}

async function makeRepository(dir: string, lab: LabInfo): Promise<void> {
  await mkdir(dir, { recursive: true });
  await runOrFail([process.execPath, PLUMB, 'init', '--bare', join(dir, 'fleet.git')]);
  const fleet = join(dir, 'fleet');
  await runOrFail(['git', 'clone', '--quiet', join(dir, 'fleet.git'), fleet]);
  await git(fleet, 'checkout', '--quiet', '-B', 'main');
  await git(fleet, 'config', 'user.name', 'Quickstart');
  await git(fleet, 'config', 'user.email', 'quickstart@localhost');
  await cp(join(packageRoot(), 'examples-repo'), fleet, { recursive: true });
  for (const { path, text } of machineManifests(lab)) {
    await mkdir(join(fleet, 'machines'), { recursive: true });
    await writeFile(join(fleet, path), text);
  }
}

async function commit(dir: string, message: string, paths: readonly string[]): Promise<void> {
  const fleet = join(dir, 'fleet');
  await git(fleet, 'add', '--', ...paths);
  await git(fleet, 'commit', '--quiet', '-m', message);
}

async function startControlPlane(home: string, dir: string, lab: LabInfo): Promise<void> {
  const log = await open(join(dir, 'control-plane.log'), 'a');
  const child = spawn(
    process.execPath,
    [PLUMB, '--home', home, 'up', '--repo', join(dir, 'fleet.git'), '--branch', 'main', '--ssh-key', lab.sshKeyPath],
    {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    },
  );
  child.unref();
  await log.close();
  if (child.pid === undefined) throw new CliFailure(1, 'the control plane could not be started');
  const pidStart = processStart(child.pid);
  await record(home, { dir, pid: child.pid, ...(pidStart === undefined ? {} : { pidStart }) });
  await until(
    `the control plane did not come up; its log: ${join(dir, 'control-plane.log')}`,
    () => {
      if (child.exitCode !== null)
        throw new CliFailure(
          1,
          `the control plane ended with ${child.exitCode}`,
          `Its log: ${join(dir, 'control-plane.log')}`,
        );
      return existsSync(join(home, SOCKET_NAME)) ? true : undefined;
    },
    { timeoutMs: 30_000 },
  );
}

async function push(dir: string): Promise<void> {
  const pushed = await run(['git', '-C', join(dir, 'fleet'), 'push', '--quiet', '--set-upstream', 'origin', 'main']);
  tell(pushed.stderr);
  if (pushed.code !== 0) throw new CliFailure(1, 'the push was refused; the lines above say why');
}

/** `plumb status --wait`, whose progress lines go to the terminal. */
async function waitHealthy(home: string, signal: AbortSignal): Promise<void> {
  const code = await new Promise<number>((done, fail) => {
    const child = spawn(
      process.execPath,
      [PLUMB, '--home', home, 'status', '--wait', '--timeout', String(APP_TIMEOUT_SECONDS)],
      { stdio: ['ignore', 'ignore', 'inherit'], signal },
    );
    child.on('error', () =>
      fail(signal.aborted ? (signal.reason as Error) : new CliFailure(1, 'plumb status could not be run')),
    );
    child.on('close', (exit) => done(exit ?? 1));
  });
  if (code !== 0) throw new CliFailure(1, `not healthy after ${APP_TIMEOUT_SECONDS} s`);
}

async function report(home: string, dir: string, lab: LabInfo, steps: readonly Step[]): Promise<void> {
  const status = await run([process.execPath, PLUMB, '--home', home, 'status']);
  const total = steps.reduce((sum, s) => sum + s.seconds, 0);
  const address = lab.nodes[0]?.address ?? '';
  const named = process.env['PLUMB_HOME'] === undefined ? '' : `export PLUMB_HOME=${home}; `;
  await print(
    [
      '',
      status.stdout.trimEnd(),
      '',
      `Where the ${total.toFixed(0)} s went:`,
      ...steps.map((s) => `  ${s.seconds.toFixed(1).padStart(6)} s  ${s.what}`),
      '',
      'Three things to try:',
      `  1. ask the app:       curl http://${address}:30080/`,
      `  2. change it, push:   cd ${join(dir, 'fleet')} && sed -i s/hello:1/hello:2/ apps/hello.yaml && git commit -qam 'hello: version 2' && git push`,
      `  3. take it back:      cd ${join(dir, 'fleet')} && git revert --no-edit HEAD && git push`,
      '',
      `Look around with ${named}npx plumb status | get pods -A | explain deployment/hello | history | logs POD`,
      'Remove every trace with: npm run quickstart -- --down',
      '',
    ].join('\n'),
  );
}

async function takeDown(home: string): Promise<void> {
  const state = await started(home);
  if (state?.pid !== undefined && state.pidStart !== undefined && processStart(state.pid) === state.pidStart) {
    progress('stopping the control plane');
    process.kill(state.pid, 'SIGTERM');
    const gone = (): true | undefined =>
      state.pid === undefined || processStart(state.pid) !== state.pidStart ? true : undefined;
    await until('still there', gone, { timeoutMs: 15_000 }).catch(() => process.kill(state.pid ?? 0, 'SIGKILL'));
  }
  progress('removing the lab');
  await labDown({ progress });
  if (state) {
    await rm(state.dir, { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  }
  progress(state ? 'everything is removed' : 'no quickstart was there');
}

/** The control plane's log outlives a failed start, so that it can be read. */
async function keepLog(dir: string): Promise<void> {
  const kept = `/tmp/plumbline-quickstart-failed-${process.pid}.log`;
  const copied = await cp(join(dir, 'control-plane.log'), kept).then(
    () => true,
    () => false,
  );
  if (copied) progress(`the control plane's log is kept: ${kept}`);
}

async function started(home: string): Promise<Started | undefined> {
  const text = await readFile(join(home, STATE_FILE), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Started);
}

async function record(home: string, state: Started): Promise<void> {
  await writeFile(join(home, STATE_FILE), `${JSON.stringify(state)}\n`, { mode: 0o600 });
}
