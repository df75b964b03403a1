/**
 * `npm run bench:agent-memory`: resident memory of a node agent with ten pods (probed, behind a Service), against its floor: the same
 * Node.js that runs nothing. Both on the same host, in the same run.
 */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Fleet, run } from '../test/e2e/fleet.ts';
import { helloApp } from '../test/e2e/manifests.ts';

const PODS = 10;
const SAMPLES = 15;
const SAMPLE_MS = 2000;
const AIM_MB = 72;

async function residentMb(pid: number): Promise<number> {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} is gone`);
  return Number(kilobytes) / 1024;
}

/** Process id, as this machine sees it, of the process inside the host whose command line holds `word`. */
async function pidOf(word: string): Promise<number> {
  const { stdout } = await run(['pgrep', '-f', word]);
  const pid = Number(stdout.trim().split('\n')[0]);
  if (!pid) throw new Error(`no process runs ${word}`);
  return pid;
}

async function main(): Promise<void> {
  const fleet = await Fleet.start({ name: 'bmem', subnet: '198.18.19.0/24', podCIDR: '198.18.128.0/19', serviceCIDR: '198.19.0.0/18', nodes: 1 });
  try {
    await fleet.write('apps/web.yaml', helloApp({ name: 'web', replicas: PODS }));
    await fleet.commitAndPush('Ten pods');
    await fleet.podsReady('web', PODS, { seconds: 120 });
    const agent = await pidOf('/opt/plumbline/agent-.*/agent.mjs');
    const samples: number[] = [];
    for (let i = 0; i < SAMPLES; i += 1) {
      samples.push(await residentMb(agent));
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
    const idle = await fleet.on('node-1', ['sh', '-c', '/opt/plumbline/current/node -e "process.stdout.write(require(\'fs\').readFileSync(\'/proc/self/status\', \'utf8\'))"']);
    const floor = Number(/^VmRSS:\s+(\d+) kB/m.exec(idle.stdout)?.[1] ?? Number.NaN) / 1024;
    const median = [...samples].sort((a, b) => a - b)[Math.floor(SAMPLES / 2)] ?? Number.NaN;
    const highest = Math.max(...samples);
    process.stdout.write(`node agent with ${PODS} pods, ${cpus().length} cores, ${SAMPLES} samples in ${(SAMPLES * SAMPLE_MS) / 1000} s\n`
      + `  resident      median ${median.toFixed(1)} MB, highest ${highest.toFixed(1)} MB (aim: at most ${AIM_MB} MB)\n`
      + `  floor         ${floor.toFixed(1)} MB: the same Node.js, running nothing\n  ratio         ${(median / floor).toFixed(2)} x\n`);
    process.stdout.write(`${JSON.stringify({ bench: 'agent-memory', pods: PODS, medianMb: Math.round(median), highestMb: Math.round(highest), floorMb: Math.round(floor), ratio: Number((median / floor).toFixed(2)), aimMb: AIM_MB })}\n`);
  } finally {
    await fleet.close();
  }
}

await main();
