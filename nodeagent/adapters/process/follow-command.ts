/** `FollowCommand` on child processes. */
import { spawn } from 'node:child_process';
import { hasPipes } from '../../../contracts/child-pipes.ts';
import { asError } from '../../../contracts/errors.ts';
import type { FollowCommand } from '../../ports/follow-command.ts';

export interface FollowCommandSettings {
  /** Put before every argv, such as `['nsenter', '--net=/run/netns/a']`. */
  readonly prefix?: readonly string[];
}

const LONGEST_LINE = 16 * 1024;
const STDERR_KEPT = 2048;

export function createFollowCommand({ prefix = [] }: FollowCommandSettings = {}): FollowCommand {
  return (argv, { signal, onLine }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const [program, ...args] = [...prefix, ...argv];
      if (program === undefined) throw new RangeError('an empty command');
      // The pipe ends with this process, so the program does at its next word, whatever ends us.
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
      if (!hasPipes(child)) {
        child.once('error', reject);
        return;
      }
      let stderr = '';
      const end = (): void => {
        child.kill('SIGKILL');
      };
      signal.addEventListener('abort', end, { once: true });
      child.stdout.setEncoding('utf8').on(
        'data',
        createLineReader((line) => {
          if (!child.killed && onLine(line) === 'enough') end();
        }),
      );
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr = (stderr + text).slice(-STDERR_KEPT);
      });
      child.once('error', (error) => {
        signal.removeEventListener('abort', end);
        reject(error);
      });
      child.once('close', (code) => {
        signal.removeEventListener('abort', end);
        if (signal.aborted) reject(asError(signal.reason));
        else resolve({ code, stderr });
      });
    });
}

/** Cuts chunks into lines. Holds at most one line's beginning; what is beyond {@link LONGEST_LINE} is left out. */
export function createLineReader(onLine: (line: string) => void): (chunk: string) => void {
  let open = '';
  return (chunk) => {
    const parts = chunk.split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      const line = (open + part).slice(0, LONGEST_LINE);
      open = '';
      onLine(line);
    }
    open = (open + last).slice(0, LONGEST_LINE);
  };
}
