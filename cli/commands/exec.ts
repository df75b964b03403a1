/** `plumb exec`: a command in a container, with the terminal when asked. */
import { spawnSync } from 'node:child_process';
import { asError } from '../../contracts/errors.ts';
import { EXEC_CHANNEL, EXEC_UPGRADE, ExecResult } from '../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../contracts/agent/exec-frames.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { containerOutput, progress } from '../print/terminal.ts';
import { objectPath } from './get.ts';
import { podName } from './logs.ts';

export interface ExecOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

export async function exec(word: string, command: readonly string[], options: ExecOptions): Promise<void> {
  const tty = options.tty === true;
  if (tty && !(process.stdin.isTTY && process.stdout.isTTY))
    progress('note: this is no terminal, so -t only affects the container');
  const client = controlPlane(options.home);
  const query = new URLSearchParams(command.map((argument): [string, string] => ['command', argument]));
  if (options.container !== undefined) query.set('container', options.container);
  if (tty) query.set('tty', 'true');
  if (options.stdin) query.set('stdin', 'true');
  const socket = await client.upgrade(
    `${objectPath('Pod', options.namespace, await podName(client, word, options.namespace))}/exec?${query.toString()}`,
    EXEC_UPGRADE,
  );

  let result: ExecResult | undefined;
  const output = { stdout: containerOutput(process.stdout, tty), stderr: containerOutput(process.stderr, tty) };
  const read = execFrameReader((channel, payload) => {
    if (channel === EXEC_CHANNEL.stdout) output.stdout.write(payload);
    else if (channel === EXEC_CHANNEL.stderr) output.stderr.write(payload);
    else if (channel === EXEC_CHANNEL.result) result = readExecResult(payload);
  });
  const sendSize = (): void => {
    socket.write(
      execFrame(
        EXEC_CHANNEL.resize,
        Buffer.from(JSON.stringify({ width: process.stdout.columns ?? 80, height: process.stdout.rows ?? 24 })),
      ),
    );
  };
  const sendInput = (chunk: Buffer): void => {
    if (socket.write(execFrame(EXEC_CHANNEL.stdin, chunk))) return;
    process.stdin.pause();
    socket.once('drain', resumeInput);
  };
  const resumeInput = (): void => {
    process.stdin.resume();
  };
  const endInput = (): void => {
    socket.write(execFrame(EXEC_CHANNEL.stdin, Buffer.alloc(0)));
  };

  const raw = tty && options.stdin === true && process.stdin.isTTY;
  try {
    if (tty) {
      sendSize();
      process.stdout.on('resize', sendSize);
    }
    if (raw) passKeysAndBytes();
    if (options.stdin) {
      process.stdin.on('data', sendInput);
      process.stdin.once('end', endInput);
    } else {
      endInput();
    }
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
    if (raw) process.stdin.setRawMode(false);
    process.stdin.off('data', sendInput);
    process.stdin.off('end', endInput);
    socket.off('drain', resumeInput);
    process.stdin.pause();
    process.stdout.off('resize', sendSize);
    socket.destroy();
    output.stdout.end();
    output.stderr.end();
  }
  if (!result)
    throw new CliFailure(
      1,
      'the connection to the node ended before the command did',
      'look at the node with: plumb node ls',
    );
  if (result.message !== undefined) progress(result.message);
  process.exitCode = result.exitCode;
}

/** What the node says of the command's end; CliFailure where that is no such thing. */
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

/** Undone by `setRawMode(false)`, and by Node when the process ends. */
function passKeysAndBytes(): void {
  process.stdin.setRawMode(true);
  // Node leaves a carriage return before every line feed. A program in the middle of a screen means the line feed
  // alone.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}
