/** `RunCommand` on child processes. */
import { spawn } from 'node:child_process';
import { hasPipes } from '../../../contracts/child-pipes.ts';
import { asError } from '../../../contracts/errors.ts';
import type { RunCommand } from '../../ports/run-command.ts';

export interface RunCommandSettings {
  /** Milliseconds after which a program is killed; 60,000 when absent. */
  readonly timeoutMs?: number;
  /** Put before every argv, such as `['nsenter', '--net=/run/netns/a']`. */
  readonly prefix?: readonly string[];
}

/** Output beyond this is an error: nothing we run says so much unless something is wrong. */
const OUTPUT_LIMIT = 256 * 1024 * 1024;

export function createRunCommand(settings: RunCommandSettings = {}): RunCommand {
  const { timeoutMs = 60_000, prefix = [] } = settings;
  return (argv, { signal, input = '' }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const [program, ...args] = [...prefix, ...argv];
      if (program === undefined) throw new RangeError('an empty command');
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
      if (!hasPipes(child)) {
        child.once('error', reject);
        return;
      }
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let size = 0;
      let failure: Error | undefined;
      const stop = (reason: Error): void => {
        failure ??= reason;
        child.kill('SIGKILL');
      };
      const collect =
        (into: Buffer[]) =>
        (chunk: Buffer): void => {
          size += chunk.length;
          if (size > OUTPUT_LIMIT) stop(new Error(`${program} wrote more than ${OUTPUT_LIMIT} bytes`));
          else into.push(chunk);
        };
      const timer = setTimeout(() => {
        stop(new Error(`${program} ran for more than ${timeoutMs} ms`));
      }, timeoutMs);
      const onAbort = (): void => {
        stop(asError(signal.reason));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      child.stdout.on('data', collect(stdout));
      child.stderr.on('data', collect(stderr));
      // A program that ends without reading its input closes the pipe: its exit code tells what happened.
      child.stdin.on('error', () => undefined);
      child.once('error', (error) => {
        settle();
        reject(error);
      });
      child.once('close', (code) => {
        settle();
        if (failure) reject(failure);
        else
          resolve({
            code,
            stdout: Buffer.concat(stdout).toString('utf8'),
            stderr: Buffer.concat(stderr).toString('utf8'),
          });
      });
      child.stdin.end(input);
    });
}
