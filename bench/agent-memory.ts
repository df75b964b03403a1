/**
 * `npm run bench:agent-memory`: resident memory of a node agent with ten pods (probed, behind a Service) and of every
 * process that runs for it, against its floor: the same Node.js that runs nothing. All on the same host, in the same
 * run.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Fleet } from '../test/e2e/fleet.ts';
import { helloApp } from '../test/e2e/manifests.ts';
import { commandLine } from '../test/support/command-line.ts';

const NODE = 'node-1';
const PODS = 10;
const SAMPLE_MS = 2000;
const AIM_MB = 72;
const { samples: SAMPLES } = commandLine('bench:agent-memory', {
  samples: { takes: 'number', default: 15, least: 1, says: 'looks at the memory, two seconds apart' },
});

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly program: string;
  readonly argv: readonly string[];
  readonly residentMb: number;
}

/** Processes in the PID namespace of the given one, as this machine numbers them. Pods have namespaces of their own. */
async function processesBeside(first: number): Promise<readonly Process[]> {
  const namespace = await readlink(`/proc/${first}/ns/pid`);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid): Promise<Process | undefined> => {
      try {
        if ((await readlink(`/proc/${pid}/ns/pid`)) !== namespace) return undefined;
        const [status, argv] = await Promise.all([
          readFile(`/proc/${pid}/status`, 'utf8'),
          readFile(`/proc/${pid}/cmdline`, 'utf8'),
        ]);
        const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
        return {
          pid,
          parent: Number(field('PPid')),
          program: field('Name'),
          argv: argv.split('\0'),
          residentMb: Number(field('VmRSS')) / 1024,
        };
      } catch {
        // It ended while it was looked at.
        return undefined;
      }
    }),
  );
  return found.filter((process) => process !== undefined);
}

interface Share {
  readonly agentMb: number;
  /** What the agent started, and what the control plane keeps running beside it over SSH, by program. */
  readonly helpers: ReadonlyMap<string, number>;
}

function shareOf(processes: readonly Process[]): Share {
  const agent = processes.find(({ argv }) =>
    argv.some((word) => /^\/opt\/plumbline\/agent-.*\/agent\.mjs$/.test(word)),
  );
  if (!agent) throw new Error('no agent runs on the node');
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const comesFrom = (process: Process, is: (ancestor: Process) => boolean): boolean => {
    for (let up = byPid.get(process.parent); up; up = byPid.get(up.parent)) if (is(up)) return true;
    return false;
  };
  const helpers = new Map<string, number>();
  for (const process of processes) {
    const isHelper =
      process.program !== 'sshd' && comesFrom(process, (ancestor) => ancestor === agent || ancestor.program === 'sshd');
    if (isHelper && process !== agent)
      helpers.set(process.program, (helpers.get(process.program) ?? 0) + process.residentMb);
  }
  return { agentMb: agent.residentMb, helpers };
}

function total({ agentMb, helpers }: Share): number {
  return [...helpers.values()].reduce((sum, mb) => sum + mb, agentMb);
}

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
      samples.push(shareOf(await processesBeside(first)));
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
