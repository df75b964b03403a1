/** One control plane as a child process, in a home of its own, as `plumb up` starts it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PLUMB } from '../support/built-cli.ts';
import { interrupted } from '../support/interruption.ts';
import { tied } from '../support/tied.ts';
import { eventually, getJson } from './ask.ts';

export interface PlaneOptions {
  readonly home: string;
  readonly log: string;
  readonly repo: string;
  readonly sshKey: () => string;
  /** URL of a Redis that others use as well; its own private one when absent. */
  readonly redis?: string;
}

export class Plane {
  readonly home: string;
  readonly #options: PlaneOptions;
  #child: ChildProcess | undefined;

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.home = options.home;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when its API answers. `env`: what else its process, and those that it starts, have in their environment. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    interrupted.throwIfAborted();
    const { home, repo, sshKey, redis } = this.#options;
    const log = createWriteStream(this.#options.log, { flags: 'a' });
    const argv = [process.execPath, PLUMB, 'up', '--repo', repo, '--branch', 'main', '--home', home];
    const [program, ...args] = tied(...argv, '--ssh-key', sshKey(), ...(redis === undefined ? [] : ['--redis', redis]));
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#child = child;
    await eventually('the control plane answers', 60, async () => {
      if (child.exitCode !== null)
        throw new Error(`plumb up ended with ${child.exitCode}:\n${(await this.log()).slice(-2000)}`);
      return (await this.get('/plumbline/v1/status')) !== undefined;
    });
  }

  /** Resolves when the process is gone. No error when none runs. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    const isRunning = this.isRunning;
    this.#child = undefined;
    if (!child || !isRunning) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(force);
  }

  get(apiPath: string): Promise<unknown> {
    return getJson(path.join(this.home, 'control.sock'), apiPath);
  }

  /** What it printed so far. */
  async log(): Promise<string> {
    return readFile(this.#options.log, 'utf8').catch(() => '');
  }
}
