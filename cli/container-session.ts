/**
 * Streams into a container as the control plane passes them on, in the agent's frames (contracts/agent). Nothing is held
 * back and nothing is collected: whoever takes bytes slowly slows down whoever sends them.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import { EXEC_CHANNEL, ExecResult } from '../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../contracts/agent/exec-frames.ts';
import { asError } from '../contracts/errors.ts';
import { CliFailure } from './failure.ts';

export interface SessionStreams {
  /** No input where it is absent: the container hears its end at once. */
  readonly stdin?: Readable;
  readonly stdout: Writable;
  /** Nowhere where it is absent. */
  readonly stderr?: Writable;
}

/** Tells the container's terminal how large it is. */
export function sendSize(socket: Duplex, size: { readonly width: number; readonly height: number }): void {
  socket.write(execFrame(EXEC_CHANNEL.resize, Buffer.from(JSON.stringify(size))));
}

/**
 * Joins an upgraded connection to the streams until the far side says how it ended; ends none of them, and destroys the
 * connection. CliFailure when the connection ends before, or is no session.
 */
export async function runSession(socket: Duplex, { stdin, stdout, stderr }: SessionStreams): Promise<ExecResult> {
  let result: ExecResult | undefined;
  /** Streams that take no more for now. One chunk may have frames for both, and many for one. */
  const full = new Set<Writable>();
  const give = (to: Writable | undefined, payload: Buffer): void => {
    if (!to || to.destroyed || to.write(payload)) return;
    full.add(to);
    socket.pause();
  };
  // Whoever takes the output may also go away, and then takes no more.
  const flowAgain = function (this: Writable): void {
    full.delete(this);
    if (full.size === 0) socket.resume();
  };
  const read = execFrameReader((channel, payload) => {
    if (channel === EXEC_CHANNEL.stdout) give(stdout, payload);
    else if (channel === EXEC_CHANNEL.stderr) give(stderr, payload);
    else if (channel === EXEC_CHANNEL.result) result = readExecResult(payload);
  });
  const sendInput = (chunk: Buffer): void => {
    if (socket.write(execFrame(EXEC_CHANNEL.stdin, chunk))) return;
    stdin?.pause();
    socket.once('drain', resumeInput);
  };
  const resumeInput = (): void => {
    stdin?.resume();
  };
  const endInput = (): void => {
    if (!socket.destroyed) socket.write(execFrame(EXEC_CHANNEL.stdin, Buffer.alloc(0)));
  };
  try {
    if (stdin) {
      stdin.on('data', sendInput);
      stdin.once('end', endInput);
    } else {
      endInput();
    }
    for (const to of [stdout, stderr]) to?.on('drain', flowAgain).on('close', flowAgain);
    await new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        try {
          read(chunk);
          if (result) resolve();
        } catch (error) {
          reject(error instanceof RangeError ? outOfStep(error.message) : asError(error));
        }
      });
      socket.once('error', reject);
      socket.once('close', resolve);
    });
  } finally {
    stdin?.off('data', sendInput);
    stdin?.off('end', endInput);
    socket.off('drain', resumeInput);
    for (const to of [stdout, stderr]) to?.off('drain', flowAgain).off('close', flowAgain);
    socket.destroy();
  }
  if (!result)
    throw new CliFailure(
      1,
      'the connection to the node ended before the command did',
      'look at the node with: plumb node ls',
    );
  return result;
}

/** What the node says of the end; CliFailure where that is no such thing. */
export function readExecResult(payload: Buffer): ExecResult {
  let told: unknown;
  try {
    told = JSON.parse(payload.toString('utf8'));
  } catch {
    throw outOfStep('the end of the command is no JSON');
  }
  const result = ExecResult.safeParse(told);
  if (!result.success) throw outOfStep('the end of the command tells no exit code');
  return result.data;
}

function outOfStep(why: string): CliFailure {
  return new CliFailure(1, `the connection to the node is out of step: ${why}`);
}
