/**
 * `fetch.ts`: what programs under test fetch when they need it first is fetched now: test files that are alone in a
 * network namespace reach nothing outside. What cannot be had is named, and is missed by the tests that need it.
 */
import { join } from 'node:path';
import { errorText } from '../../contracts/errors.ts';
import { findProgram } from '../../reconciler/adapters/engines/programs.ts';
import { FilePayloads } from '../../reconciler/adapters/payload/payloads.ts';
import type { NodeArch } from '../../reconciler/ports/agent-payloads.ts';

const { signal } = new AbortController();
const engines = { dir: join(import.meta.dirname, '../../.cache/engines'), env: process.env };
const fetched = await Promise.allSettled([
  new FilePayloads({ bundlePath: import.meta.filename }).get(process.arch as NodeArch, signal),
  // Both are in one package.
  findProgram('helm', engines, signal).then(() => findProgram('kustomize', engines, signal)),
]);
for (const one of fetched)
  if (one.status === 'rejected') process.stderr.write(`not fetched: ${errorText(one.reason)}\n`);
