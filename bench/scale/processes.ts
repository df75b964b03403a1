/** Processes of the benchmark, and what the kernel says they cost. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Source: proc_pid_stat(5); the kernel's USER_HZ is 100 on all Linux machines that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time so far, seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** A child that runs a file of this folder and answers each message with one; ends with this process. */
export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(process: ChildProcess, pid: number) {
    this.#process = process;
    this.pid = pid;
  }

  /** Resolves when it says that it is ready. */
  static async start(file: string, args: readonly string[], flags: readonly string[] = []): Promise<Child> {
    const child = fork(join(import.meta.dirname, file), args, {
      execArgv: ['--import', 'tsx', ...flags],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${file} ended`)));
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => undefined);
    return new Child(child, child.pid ?? 0);
  }

  async ask(message: object): Promise<unknown> {
    const asked = this.#turn.then(async () => {
      const answer = once(this.#process, 'message');
      this.#process.send(message);
      return (await answer)[0] as unknown;
    });
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async end(graceMs: number): Promise<void> {
    if (!this.running) return;
    const gone = once(this.#process, 'exit');
    this.#process.disconnect();
    const late = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    await gone;
    clearTimeout(late);
  }
}
