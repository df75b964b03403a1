/**
 * A command in a container, run to its end: a probe, a hook. Through containerd's task service, not CRI's ExecSync:
 * that answers up to 32 MiB, ends the command alone when its time is over, and then waits for whoever still holds its
 * output, for as long as these like. Here the process is known, so that all it started ends with it, and of its output
 * no more is kept than is shown.
 */
import { randomUUID } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import { parseStat, startedBy, type Process } from '../../core/probe/processes.ts';
import { decode } from '../../core/wire/protobuf.ts';
import type { Clock } from '../../ports/clock.ts';
import { RuntimeError, type ExecOutcome } from '../../ports/container-runtime.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { capture, type Capture } from './capture.ts';
import type { GrpcClient } from './grpc.ts';
import { PROCESS_TYPE, ProcessDetails, TASKS } from './task-messages.ts';

const QUICK_MS = 30_000;
const SIGKILL = 9;
const OURS = 'plumbline-';
/** Containers that are remembered to have been looked through; after that many, each is looked through again. */
const LOOKED_THROUGH = 1000;
/**
 * A command that starts processes while it is ended loses after a few rounds, or has hit the pod's limit of processes.
 */
const ROUNDS = 20;

export interface Commands {
  /**
   * Throws {@link RuntimeError}: Timeout `timeoutMs` after the command began, or when its output is still held open
   * then.
   */
  run(containerId: string, argv: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<ExecOutcome>;
  /** Waits for what is being ended. */
  close(): Promise<void>;
}

interface Pipes {
  readonly paths: readonly [string, string];
  readonly stdout: Capture;
  readonly stderr: Capture;
}

export interface CommandDeps {
  readonly client: GrpcClient;
  /** For the pipes: at the same path for us and for containerd. */
  readonly folder: string;
  readonly run: RunCommand;
  readonly clock: Clock;
}

export function taskCommands({ client, folder, run, clock }: CommandDeps): Commands {
  const endings = new Set<Promise<void>>();
  const live = new Set<string>();
  const lookedThrough = new Set<string>();
  let prepared: Promise<unknown> | undefined;
  /**
   * Pipes of a process before us, which was killed, have no reader any more. One whose command was just being started has
   * containerd's shim wait for a reader, and with it all that is asked of the container, for 30 s: it is shown one, which
   * is enough for its open to come back (fifo(7)).
   */
  const release = async (): Promise<void> => {
    for (const name of await readdir(folder).catch(() => []))
      await open(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK).then(
        (pipe) => pipe.close(),
        () => undefined,
      );
  };
  const prepare = async (): Promise<void> => {
    await release();
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
  };

  const isPrepared = (): Promise<unknown> =>
    (prepared ??= prepare().catch((cause: unknown) => {
      prepared = undefined;
      throw cause;
    }));
  // Not only before the first command: containers are also stopped without one.
  const released = release();

  async function processSpec(containerId: string, argv: readonly string[], signal: AbortSignal): Promise<Buffer> {
    const { container } = await client.unary(TASKS.container, { id: containerId }, { signal, timeoutMs: QUICK_MS });
    const { process } = JSON.parse(container?.spec?.value.toString('utf8') ?? '{}') as { process?: object };
    if (!process) throw new RuntimeError('NotFound', `container "${containerId}" has no process`);
    return Buffer.from(JSON.stringify({ ...process, args: argv, terminal: false }));
  }

  /** What fails here is no word of the container's. */
  async function openPipes(execId: string, signal: AbortSignal): Promise<Pipes> {
    const paths = ['stdout', 'stderr'].map((stream) => join(folder, `${execId}-${stream}`)) as [string, string];
    try {
      await isPrepared();
      const made = await run(['mkfifo', '-m', '0600', ...paths], { signal });
      if (made.code !== 0) throw new Error(made.stderr.trim());
      const stdout = capture(paths[0]);
      try {
        return { paths, stdout, stderr: capture(paths[1]) };
      } catch (cause) {
        stdout.close();
        throw cause;
      }
    } catch (cause) {
      await removePipes(paths);
      throw new RuntimeError('Unavailable', `no pipes for a command's output: ${errorText(cause)}`, { cause });
    }
  }

  /** Ends what the command has started; what else runs in the container is left alone. */
  async function endAll(containerId: string, leader: number, signal: AbortSignal): Promise<void> {
    const known = new Set<number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const { processes } = await client.unary(TASKS.processes, { containerId }, { signal, timeoutMs: QUICK_MS });
      const seen = await Promise.all(
        processes.map(({ pid }) => readFile(`/proc/${pid}/stat`, 'utf8').then(parseStat, () => undefined)),
      );
      const victims = startedBy(
        leader,
        seen.filter((one) => one !== undefined),
        known,
      );
      if (victims.length === 0) return;
      for (const victim of victims) {
        known.add(victim.pid);
        killInside(containerId, victim);
      }
    }
  }

  async function end(containerId: string, execId: string, leader: number | undefined): Promise<void> {
    using limit = clock.deadline(QUICK_MS);
    const { signal } = limit;
    if (leader !== undefined) await endAll(containerId, leader, signal).catch(() => undefined);
    // Also where the process is not seen from here, or had not begun.
    await client.unary(TASKS.kill, { containerId, execId, signal: SIGKILL }, { signal }).catch(() => undefined);
  }

  const remove = async (containerId: string, execId: string): Promise<void> => {
    using limit = clock.deadline(QUICK_MS);
    await client.unary(TASKS.remove, { containerId, execId }, { signal: limit.signal }).catch(() => undefined);
  };

  /** Ends commands of a process before us that was killed in the midst of them. */
  async function endLeftovers(containerId: string, signal: AbortSignal): Promise<void> {
    if (lookedThrough.has(containerId)) return;
    if (lookedThrough.size >= LOOKED_THROUGH) lookedThrough.clear();
    lookedThrough.add(containerId);
    const { processes } = await client
      .unary(TASKS.processes, { containerId }, { signal, timeoutMs: QUICK_MS })
      .catch((cause: unknown) => {
        lookedThrough.delete(containerId);
        throw cause;
      });
    for (const { pid, info } of processes) {
      const execId = info ? decode(ProcessDetails, info.value).execId : '';
      if (!execId.startsWith(OURS) || live.has(execId)) continue;
      await end(containerId, execId, pid);
      await remove(containerId, execId);
    }
  }

  return {
    async run(containerId, argv, timeoutMs, signal) {
      const execId = `${OURS}${randomUUID()}`;
      await released;
      await isPrepared().catch(() => undefined);
      await endLeftovers(containerId, signal);
      const spec = await processSpec(containerId, argv, signal);
      const pipes = await openPipes(execId, signal);
      const { stdout, stderr } = pipes;
      let leader: number | undefined;
      let over = false;
      live.add(execId);
      try {
        await client.unary(
          TASKS.exec,
          {
            containerId,
            execId,
            stdout: pipes.paths[0],
            stderr: pipes.paths[1],
            spec: { typeUrl: PROCESS_TYPE, value: spec },
          },
          { signal, timeoutMs: QUICK_MS },
        );
        leader = (await client.unary(TASKS.start, { containerId, execId }, { signal, timeoutMs: QUICK_MS })).pid;
        using deadline = clock.deadline(timeoutMs, signal);
        const { exitStatus } = await client
          .unary(TASKS.wait, { containerId, execId }, { signal: deadline.signal })
          .catch(orTimeout(timeoutMs, deadline.signal, signal));
        await Promise.all([stdout.ended(deadline.signal), stderr.ended(deadline.signal)]).catch(
          orTimeout(timeoutMs, deadline.signal, signal),
        );
        over = true;
        return { exitCode: exitStatus, stdout: stdout.kept(), stderr: stderr.kept() };
      } finally {
        const ending = (async () => {
          if (!over) await end(containerId, execId, leader);
          await remove(containerId, execId);
          live.delete(execId);
          stdout.close();
          stderr.close();
          await removePipes(pipes.paths);
        })().finally(() => endings.delete(ending));
        endings.add(ending);
      }
    },
    async close() {
      await Promise.all(endings);
    },
  };
}

async function removePipes(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { force: true }).catch(() => undefined)));
}

/** What a failed wait means: the command's time was over, its caller gave up, or the runtime failed. */
function orTimeout(timeoutMs: number, deadline: AbortSignal, caller: AbortSignal): (cause: unknown) => never {
  return (cause) => {
    if (caller.aborted) throw new RuntimeError('Cancelled', 'the command was given up', { cause });
    if (deadline.aborted)
      throw new RuntimeError('Timeout', `the command did not end within ${timeoutMs / 1000} s`, { cause });
    throw cause;
  };
}

/**
 * Between the look and the signal nothing else of this process runs: for another to get the number, the kernel would
 * have to give all of them out in those microseconds. It must still be of the container, whatever the list said.
 */
function killInside(containerId: string, victim: Process): void {
  try {
    if (!readFileSync(`/proc/${victim.pid}/cgroup`, 'utf8').includes(containerId)) return;
    if (parseStat(readFileSync(`/proc/${victim.pid}/stat`, 'utf8'))?.startTime !== victim.startTime) return;
    process.kill(victim.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
