/** What a node's agent, and every process that runs for it, costs. */
import { readdir, readFile, readlink } from 'node:fs/promises';

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

export interface Share {
  readonly agentMb: number;
  /** What the agent started, and what the control plane keeps running beside it over SSH, by program. */
  readonly helpers: ReadonlyMap<string, number>;
}

/** `first`: the host's PID 1, as this machine numbers it. */
export async function agentShare(first: number): Promise<Share> {
  const processes = await processesBeside(first);
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

export function total({ agentMb, helpers }: Share): number {
  return [...helpers.values()].reduce((sum, mb) => sum + mb, agentMb);
}
