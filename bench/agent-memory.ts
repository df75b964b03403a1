/**
 * `npm run bench:agent-memory`: resident memory of a node agent with ten pods (probed, behind a Service) and of every
 * process that runs for it, against its floor: the same Node.js that runs nothing. All on the same host, in the same
 * run.
 */
import { cpus } from 'node:os';
import { Fleet } from '../test/e2e/fleet.ts';
import { helloApp } from '../test/e2e/manifests.ts';
import { commandLine } from '../test/support/command-line.ts';
import { agentShare, total, type Share } from './agent-processes.ts';

const NODE = 'node-1';
const PODS = 10;
const SAMPLE_MS = 2000;
const AIM_MB = 72;
const { samples: SAMPLES } = commandLine('bench:agent-memory', {
  samples: { takes: 'number', default: 15, least: 1, says: 'looks at the memory, two seconds apart' },
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function main(): Promise<void> {
  const fleet = await Fleet.start({
    name: 'bmem',
    subnet: '198.18.19.0/24',
    podCIDR: '198.18.128.0/19',
    serviceCIDR: '198.19.0.0/18',
    nodes: 1,
  });
  try {
    await fleet.write('apps/web.yaml', helloApp({ name: 'web', replicas: PODS }));
    await fleet.commitAndPush('Ten pods');
    await fleet.podsReady('web', PODS, { seconds: 120 });
    const first = await fleet.initPid(NODE);
    const samples: Share[] = [];
    for (let i = 0; i < SAMPLES; i += 1) {
      samples.push(await agentShare(first));
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
    const idle = await fleet.on(NODE, [
      'sh',
      '-c',
      "/opt/plumbline/current/node -e \"process.stdout.write(require('fs').readFileSync('/proc/self/status', 'utf8'))\"",
    ]);
    const floor = Number(/^VmRSS:\s+(\d+) kB/m.exec(idle.stdout)?.[1] ?? Number.NaN) / 1024;
    const agent = median(samples.map(({ agentMb }) => agentMb));
    const all = median(samples.map(total));
    const highest = Math.max(...samples.map(total));
    const helpers = [...new Set(samples.flatMap((sample) => [...sample.helpers.keys()]))].map((program) => ({
      program,
      mb: median(samples.map((sample) => sample.helpers.get(program) ?? 0)),
      highest: Math.max(...samples.map((sample) => sample.helpers.get(program) ?? 0)),
    }));
    process.stdout.write(
      `node agent with ${PODS} pods, ${cpus().length} cores, ${SAMPLES} samples in ${(SAMPLES * SAMPLE_MS) / 1000} s\n` +
        `  agent         median ${agent.toFixed(1)} MB resident\n` +
        helpers
          .map(
            ({ program, mb, highest: most }) =>
              `  ${program.padEnd(14)}median ${mb.toFixed(1)} MB, highest ${most.toFixed(1)} MB\n`,
          )
          .join('') +
        `  in all        median ${all.toFixed(1)} MB, highest ${highest.toFixed(1)} MB (aim: at most ${AIM_MB} MB)\n` +
        `  floor         ${floor.toFixed(1)} MB: the same Node.js, running nothing\n  ratio         ${(all / floor).toFixed(2)} x\n`,
    );
    process.stdout.write(
      `${JSON.stringify({ bench: 'agent-memory', pods: PODS, agentMb: Math.round(agent), medianMb: Math.round(all), highestMb: Math.round(highest), floorMb: Math.round(floor), ratio: Number((all / floor).toFixed(2)), aimMb: AIM_MB })}\n`,
    );
  } finally {
    await fleet.close();
  }
}

await main();
