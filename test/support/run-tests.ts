/**
 * `run-tests.ts [--alone] [--bound SECONDS] CONCURRENCY FILE...`: test files, a process each, as `node --test` runs them. But that leaves
 * without its files' processes when it gets SIGINT or SIGTERM; this passes the end on to them and waits until they have
 * taken down what they made. `--alone`: each file in namespaces of its own, by `alone.sh`. A file that takes longer than the bound is ended, and has
 * failed. Keeps which of Kubernetes' conformance behaviours were shown. REPORTER is spec, tap, dot or junit.
 * Where FAILURES is the path of a file, a line for each test that failed is added to it.
 */
import { setMaxListeners } from 'node:events';
import { appendFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { dot, junit, spec, tap } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { readBehaviours } from '../conformance/behaviours.ts';
import { ConformanceRecord } from '../conformance/results.ts';
import { onceParentIsGone } from './interruption.ts';

/** More than a file needs for all that it has made; then it is left to itself. */
const BOUND_MS = 300_000;
/** The time that a file took is told from here on. */
const LONG_MS = 10_000;

const { values: options, positionals } = parseArgs({
  options: { alone: { type: 'boolean' }, bound: { type: 'string' } },
  allowPositionals: true,
});
const [concurrency, ...files] = positionals;
const stop = new AbortController();
setMaxListeners(0, stop.signal);

function interrupt(signal: 'SIGINT' | 'SIGTERM'): void {
  if (stop.signal.aborted) return;
  process.exitCode = 128 + constants.signals[signal];
  const reason = new Error(`interrupted by ${signal}`);
  reason.stack = reason.message;
  stop.abort(reason);
  setTimeout(() => process.exit(), BOUND_MS).unref();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt(signal));
onceParentIsGone(() => interrupt('SIGTERM'));
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt('SIGTERM'));

const reporters = { spec: new spec(), tap, dot, junit };
const paths = files.map((file) => resolve(file));
// node:test starts its files' processes by this.
if (options.alone === true) process.execPath = join(import.meta.dirname, 'alone.sh');
const timeout = options.bound === undefined ? Infinity : 1000 * Number(options.bound);
const tests = run({ files: paths, concurrency: Number(concurrency), signal: stop.signal, timeout });
const conformance = new ConformanceRecord(readBehaviours());
const failures = process.env['FAILURES'];
// Not of runs that a test starts.
delete process.env['FAILURES'];
tests.on('test:fail', ({ file, name, details: { error } }) => {
  process.exitCode ??= 1;
  // A suite fails with its tests: those are told.
  if (failures !== undefined && !('failureType' in error && error.failureType === 'subtestsFailed')) {
    const [why] = String(error.cause instanceof Error ? error.cause.message : error.message).split('\n');
    appendFileSync(failures, `${relative('', file ?? '')}: ${name}: ${why}\n`);
  }
  conformance.ended({ file, name, outcome: 'failed' });
});
tests.on('test:pass', ({ file, name, skip, todo }) => {
  const outcome = skip === undefined && todo === undefined ? 'passed' : 'not run';
  conformance.ended({ file, name, outcome });
});
// A file is a test as well. Its words wait for those of the files before it; how long it took is told at once.
const began = new Map<string, number>();
tests.on('test:dequeue', ({ file, name }) => {
  if (name === file) began.set(name, performance.now());
});
tests.on('test:complete', ({ file, name }) => {
  const ms = performance.now() - (began.get(name) ?? Infinity);
  if (name === file && ms >= LONG_MS) process.stderr.write(`${relative('', name)}: ${Math.round(ms / 1000)} s\n`);
});
tests.on('end', () => {
  // A run that was cut short says nothing of the tests that it did not come to, or ended in their midst.
  if (!stop.signal.aborted) conformance.keep(paths);
  for (const name of conformance.misnamed) {
    process.exitCode ??= 1;
    process.stderr.write(`this title names what is no behaviour of test/conformance/behaviours.tsv: ${name}\n`);
  }
});
tests
  .compose<NodeJS.ReadableStream>(reporters[(process.env['REPORTER'] ?? 'spec') as keyof typeof reporters])
  .pipe(process.stdout);
