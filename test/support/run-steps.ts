/**
 * `run-steps.ts [--all] AT-ONCE STEP...`: commands of plain words, so many at once. What a step says comes whole and in the order of
 * the steps, the first that still runs as it speaks. The first that fails gives its exit code, and ends the others unless `--all` is given.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';

interface Step {
  readonly command: string;
  readonly said: Buffer[];
  child?: ChildProcess;
  /** Its exit code, once it ended. */
  code?: number;
}

const { values: options, positionals } = parseArgs({ options: { all: { type: 'boolean' } }, allowPositionals: true });
const [atOnce, ...commands] = positionals;
const steps: readonly Step[] = commands.map((command) => ({ command, said: [] }));
const started = performance.now();
/** The exit code of the first that failed, or of the signal that ended us. */
let failed: number | undefined;
/** No step begins any more. */
let ending = false;
/** The step whose words are shown as they come. */
let shown = 0;

function startMore(): void {
  const running = steps.filter(({ child, code }) => child !== undefined && code === undefined).length;
  const waiting = steps.filter(({ child }) => child === undefined);
  if (!ending) for (const step of waiting.slice(0, Number(atOnce) - running)) start(step);
}

function start(step: Step): void {
  const begun = performance.now();
  const [program = '', ...args] = step.command.split(' ');
  // In a process group of its own, so that its end reaches all that it runs.
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  step.child = child;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      if (steps[shown] === step) process.stdout.write(chunk);
      else step.said.push(chunk);
    });
  child.on('error', (error) => step.said.push(Buffer.from(`${error.message}\n`)));
  child.on('close', (code, signal) => {
    step.code = code ?? 128 + constants.signals[signal ?? 'SIGKILL'];
    step.said.push(Buffer.from(`${step.command}: ${Math.round((performance.now() - begun) / 1000)} s\n`));
    if (step.code !== 0 && failed === undefined) {
      failed = step.code;
      if (options.all !== true) end('SIGTERM');
    }
    show();
    startMore();
  });
}

/** All that may be shown by now. Of a check that failed, only what failed and what was whole before. */
function show(): void {
  for (let step = steps[shown]; step; step = steps[(shown += 1)]) {
    for (const chunk of step.said.splice(0)) process.stdout.write(chunk);
    if (step.code === undefined && step.child !== undefined) return;
    if (step.child === undefined && !ending) return;
  }
  process.stdout.write(
    `${failed === undefined ? 'done' : 'failed'} after ${Math.round((performance.now() - started) / 1000)} s\n`,
  );
  process.exitCode = failed ?? 0;
}

function end(signal: NodeJS.Signals): void {
  ending = true;
  for (const { child, code } of steps)
    if (code === undefined && child?.pid !== undefined)
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It ended meanwhile.
      }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    failed ??= 128 + constants.signals[signal];
    end(signal);
  });
startMore();
