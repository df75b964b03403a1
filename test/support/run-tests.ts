/**
 * `run-tests.ts CONCURRENCY FILE...`: test files, a process each, as `node --test` runs them. But that leaves without
 * its files' processes when it gets SIGINT or SIGTERM; this passes the end on to them and waits until they have taken
 * down what they made. Keeps which of Kubernetes' conformance behaviours were shown. REPORTER is spec, tap, dot or junit.
 */
import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { dot, junit, spec, tap } from 'node:test/reporters';
import { readBehaviours } from '../conformance/behaviours.ts';
import { ConformanceRecord } from '../conformance/results.ts';
import { onceParentIsGone } from './interruption.ts';

/** More than a file needs for all that it has made; then it is left to itself. */
const BOUND_MS = 300_000;

const [concurrency, ...files] = process.argv.slice(2);
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
const tests = run({ files: paths, concurrency: Number(concurrency), signal: stop.signal });
const conformance = new ConformanceRecord(readBehaviours());
tests.on('test:fail', ({ file, name }) => {
  process.exitCode ??= 1;
  conformance.ended({ file, name, outcome: 'failed' });
});
tests.on('test:pass', ({ file, name, skip, todo }) => {
  const outcome = skip === undefined && todo === undefined ? 'passed' : 'not run';
  conformance.ended({ file, name, outcome });
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
