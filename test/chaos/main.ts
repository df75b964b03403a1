/**
 * `npm run chaos -- --seed N --minutes M [--only TEXT] [--long]`: random faults on a lab of its own, in an order and with
 * numbers that follow from the seed. Prints a line for each, a table, and last one line of JSON. Exits 1 when a promise
 * did not hold.
 */
import { commandLine } from '../support/command-line.ts';
import { inflict, startScene, summary, type Outcome } from './chaos.ts';
import { FAULTS } from './faults.ts';
import { seeded } from './random.ts';

const NAME_WIDTH = 2 + Math.max(...FAULTS.map(({ name }) => name.length));
const { seed, minutes, only, long } = commandLine(
  'chaos',
  {
    seed: { takes: 'number', default: 1, least: 0, says: 'what follows from it: which faults, in which order' },
    minutes: { takes: 'number', default: 10, least: 0.1, fraction: true, says: 'how long' },
    only: { takes: 'pattern', of: FAULTS.map(({ name }) => name), says: 'faults with this in their name' },
    long: { takes: 'nothing', says: 'Redis without writes 60 s, a node silent 30 s, the runtime stopped five minutes' },
  },
  `\nfaults:\n${FAULTS.map(({ name, holds }) => `  ${name.padEnd(NAME_WIDTH)}${holds}`).join('\n')}\n`,
);
const chosen = FAULTS.filter(({ name }) => name.includes(only));

const random = seeded(seed);
const scene = await startScene(random, long);
const outcomes: Outcome[] = [];
try {
  const until = performance.now() + minutes * 60_000;
  for (let left = random.shuffled(chosen); performance.now() < until;) {
    const [fault] = left;
    if (!fault) {
      left = random.shuffled(chosen);
      continue;
    }
    left = left.slice(1);
    const outcome = await inflict(fault, scene);
    outcomes.push(outcome);
    const { recoveredMs, failedRequests, requests, restarts, broken } = outcome;
    process.stdout.write(
      `${fault.name.padEnd(NAME_WIDTH)} recovered in ${(recoveredMs / 1000).toFixed(1).padStart(5)} s, ${failedRequests} of ${requests} requests failed, ${restarts} restarts${broken === undefined ? '' : `\n  BROKEN: ${fault.holds}\n  ${broken}`}\n`,
    );
    // What broke one promise would break the next ones too.
    if (broken !== undefined) break;
  }
} finally {
  await scene.fleet.close();
}
const rows = summary(outcomes);
process.stdout.write(`\n${'fault'.padEnd(NAME_WIDTH)}  runs  median s  worst s  failed requests  restarts\n`);
for (const { fault, runs, medianMs, worstMs, failedRequests, restarts } of rows) {
  process.stdout.write(
    `${fault.padEnd(NAME_WIDTH)}${String(runs).padStart(6)}${(medianMs / 1000).toFixed(1).padStart(10)}${(worstMs / 1000).toFixed(1).padStart(9)}${String(failedRequests).padStart(17)}${String(restarts).padStart(10)}\n`,
  );
}
process.stdout.write(
  `${JSON.stringify({ seed, minutes, faults: outcomes.length, broken: outcomes.filter(({ broken }) => broken !== undefined).length, byFault: rows })}\n`,
);
process.exitCode = outcomes.some(({ broken }) => broken !== undefined) ? 1 : 0;
