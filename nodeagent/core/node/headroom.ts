/**
 * What a machine has left of memory and processes, and when that is too little. Sources: proc(5); Kubernetes
 * documentation, "Node-pressure Eviction" (signals memory.available and pid.available);
 * pkg/kubelet/eviction/defaults_linux.go.
 */
import { quantityOfBytes } from '../../../contracts/objects/quantity-value.ts';
import { memoryOf } from './machine-use.ts';

/** Bytes, or processes and threads. */
export interface Room {
  readonly capacity: number;
  readonly available: number;
}

/** Undefined: the machine does not tell, and is short of nothing that anybody knows. */
export interface Headroom {
  readonly memory: Room | undefined;
  readonly pids: Room | undefined;
}

/** What the kernel shows of itself, as it is read. */
export interface KernelTexts {
  readonly meminfo: string;
  readonly loadavg: string;
  readonly pidMax: string;
  readonly threadsMax: string;
}

export function headroomOf({ meminfo, loadavg, pidMax, threadsMax }: KernelTexts): Headroom {
  const memory = memoryOf(meminfo);
  return {
    memory: memory && { capacity: memory.total, available: memory.total - memory.workingSet },
    pids: pidsOf(loadavg, Math.min(count(pidMax), count(threadsMax))),
  };
}

/** The fourth field of /proc/loadavg: how many of all threads can run, and how many there are. */
function pidsOf(loadavg: string, capacity: number): Room | undefined {
  const used = Number(/^\S+ \S+ \S+ \d+\/(\d+) /.exec(loadavg)?.[1] ?? Number.NaN);
  // More than there can be: those of a larger machine, around the one that the limit is of.
  return used <= capacity ? { capacity, available: capacity - used } : undefined;
}

const count = (text: string): number => (/^\d+\s*$/.test(text) ? Number(text) : Number.NaN);

/** Kubelet's memory.available. */
const MIN_MEMORY_BYTES = 100 * 2 ** 20;
/** Of pid.available a kubelet has none, and takes what it is told. Pods together have three quarters at most. */
const MIN_PIDS_PART = 0.05;

export interface Shortage {
  readonly resource: 'memory' | 'pids';
  readonly threshold: number;
  readonly available: number;
}

export function shortageOfMemory({ memory }: Headroom): Shortage | undefined {
  if (!memory || memory.available >= MIN_MEMORY_BYTES) return undefined;
  return { resource: 'memory', threshold: MIN_MEMORY_BYTES, available: memory.available };
}

export function shortageOfPids({ pids }: Headroom): Shortage | undefined {
  const threshold = Math.floor((pids?.capacity ?? 0) * MIN_PIDS_PART);
  if (!pids || pids.available >= threshold) return undefined;
  return { resource: 'pids', threshold, available: pids.available };
}

/** What one container held of memory, and what it asked for; bytes. */
export interface ContainerMemory {
  readonly name: string;
  readonly used: number;
  readonly requested: number;
}

/** Why a pod went, with those of its containers that took more than they asked for. Source: evictionMessage there. */
export function evictionMessage(shortage: Shortage, containers: readonly ContainerMemory[]): string {
  const amount = shortage.resource === 'memory' ? quantityOfBytes : String;
  const blamed = containers
    .filter(({ used, requested }) => used > requested)
    .map(
      ({ name, used, requested }) =>
        `Container ${name} was using ${amount(used)}, request is ${amount(requested)}, has larger consumption of ${shortage.resource}. `,
    );
  return `The node was low on resource: ${shortage.resource}. Threshold quantity: ${amount(shortage.threshold)}, available: ${amount(shortage.available)}. ${blamed.join('')}`;
}
