// nft-times.mjs TIMES FILE: how long each `nft -f FILE` takes, and the processor time of one, milliseconds, as JSON.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [times, file] = process.argv.slice(2);
/** Of children that ended (proc(5): cutime, cstime), in ticks of 10 ms. */
const ofChildren = () => {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
};
const before = ofChildren();
const all = [];
for (let i = 0; i < Number(times); i += 1) {
  const since = performance.now();
  const { status, stderr } = spawnSync('nft', ['-f', file]);
  if (status !== 0) throw new Error(String(stderr));
  all.push(performance.now() - since);
}
console.log(JSON.stringify({ ms: all, cpuMs: (ofChildren() - before) / Number(times) }));
