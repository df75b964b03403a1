/**
 * `npm run conformance [-- --missing]`: how many of the behaviours that Kubernetes' conformance suite
 * demands were shown by the last run of the tests that name them, and how far those of Gateway API's. Runs no test. The last line is JSON.
 */
import { commandLine } from '../support/command-line.ts';
import { readBehaviours } from './behaviours.ts';
import { gatewayTally, readGatewayBehaviours } from './gateway-api.ts';
import { readResults } from './results.ts';
import { tally, type Count } from './tally.ts';

const { missing } = commandLine('conformance', {
  missing: { takes: 'nothing', says: 'also name those that are not shown yet' },
});

// `| head`
process.stdout.on('error', () => process.exit());

const behaviours = readBehaviours();
const results = readResults();
const { total, byClass, notYet, never } = tally(behaviours, results);

const row = (name: string, { shown, notYet: left, never: nevers }: Count): string =>
  `${name.padEnd(8)} ${String(shown).padStart(6)} ${String(left).padStart(8)} ${String(nevers).padStart(6)}\n`;
process.stdout.write(
  `${'class'.padEnd(8)} ${'shown'.padStart(6)} ${'not yet'.padStart(8)} ${'never'.padStart(6)}\n${[...byClass].map(([name, count]) => row(name, count)).join('')}${row('all', total)}`,
);
const broken = results.flatMap(({ file, failed }) => failed.map((id) => `  ${id} (${file})\n`));
if (broken.length > 0) process.stdout.write(`\nfailed in the last run:\n${broken.join('')}`);
if (results.length === 0) process.stdout.write('\nno test that names a behaviour was run here yet: npm test\n');
if (missing) {
  const lines = notYet.map(({ id, class: word, summary }) => `  ${word} ${id}: ${summary}\n`);
  process.stdout.write(`\nnot yet:\n${lines.join('')}`);
}
process.stdout.write(`\nnever:\n${never.map(({ id, summary }) => `  ${id}: ${summary}\n`).join('')}`);
const gateway = readGatewayBehaviours();
const gatewayApi = gatewayTally(gateway);
process.stdout.write(
  `\nGateway API: ${Object.entries(gatewayApi)
    .map(([word, count]) => `${word} ${count}`)
    .join(', ')}\n`,
);
if (missing)
  for (const { name, shown, where } of gateway) if (shown === 'not yet') process.stdout.write(`  ${name}: ${where}\n`);
process.stdout.write(`${JSON.stringify({ ...total, byClass: Object.fromEntries(byClass), gatewayApi })}\n`);
