/** A session with a container at this terminal: its keys, its size, its bytes. */
import { spawnSync } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { ExecResult } from '../contracts/agent/index.ts';
import { runSession, sendSize } from './container-session.ts';
import { containerOutput, progress } from './print/terminal.ts';

export interface AtTerminal {
  /** The container has a terminal. */
  readonly tty: boolean;
  /** This process' input is passed on. */
  readonly stdin: boolean;
}

/** Says that `-t` is of no use to a pipe. */
export function noteNoTerminal(): void {
  if (!(process.stdin.isTTY && process.stdout.isTTY))
    progress('note: this is no terminal, so -t only affects the container');
}

/** As `runSession`. The terminal is as it was afterwards. */
export async function sessionAtTerminal(socket: Duplex, { tty, stdin }: AtTerminal): Promise<ExecResult> {
  const output = { stdout: containerOutput(process.stdout, tty), stderr: containerOutput(process.stderr, tty) };
  const tellSize = (): void => {
    sendSize(socket, { width: process.stdout.columns ?? 80, height: process.stdout.rows ?? 24 });
  };
  const raw = tty && stdin && process.stdin.isTTY;
  try {
    if (tty) {
      tellSize();
      process.stdout.on('resize', tellSize);
    }
    if (raw) passKeysAndBytes();
    return await runSession(socket, stdin ? { stdin: process.stdin, ...output } : output);
  } finally {
    if (raw) process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stdout.off('resize', tellSize);
    output.stdout.end();
    output.stderr.end();
  }
}

/** Undone by `setRawMode(false)`, and by Node when the process ends. */
function passKeysAndBytes(): void {
  process.stdin.setRawMode(true);
  // Node leaves a carriage return before every line feed. A program in the middle of a screen means the line feed
  // alone.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}
