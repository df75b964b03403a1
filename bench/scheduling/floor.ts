/**
 * The least that a scheduler which looks at every node must do for a pod: see whether cpu, memory and number of pods
 * fit, and take the node that is used least (LeastAllocated). No labels, no objects, no other rule, nothing kept for
 * the next pod.
 */
import { cpuNow } from './cpu.ts';

const HAS = { cpu: 4000, memory: 32 * 2 ** 30, pods: 110 };
const ASK = { cpu: 100, memory: 500 * 2 ** 20 };
const ROUNDS = 5;

/** Microseconds of processor time per pod: the median of five rounds. `pods` must fit. */
export function floorMicros(nodes: number, pods: number): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const started = cpuNow();
    placeAll(nodes, pods);
    return (cpuNow() - started) / pods;
  });
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

function placeAll(nodes: number, pods: number): void {
  const hasCpu = new Float64Array(nodes).fill(HAS.cpu);
  const hasMemory = new Float64Array(nodes).fill(HAS.memory);
  const hasPods = new Float64Array(nodes).fill(HAS.pods);
  const usedCpu = new Float64Array(nodes);
  const usedMemory = new Float64Array(nodes);
  const usedPods = new Float64Array(nodes);
  for (let pod = 0; pod < pods; pod++) {
    let best = -1;
    let most = -1;
    for (let node = 0; node < nodes; node++) {
      const cpu = (usedCpu[node] ?? 0) + ASK.cpu;
      const memory = (usedMemory[node] ?? 0) + ASK.memory;
      const ofCpu = hasCpu[node] ?? 0;
      const ofMemory = hasMemory[node] ?? 0;
      if (cpu > ofCpu || memory > ofMemory || (usedPods[node] ?? 0) + 1 > (hasPods[node] ?? 0)) continue;
      const score = (1 - cpu / ofCpu + (1 - memory / ofMemory)) * 50;
      if (score <= most) continue;
      most = score;
      best = node;
    }
    if (best < 0) throw new Error('the floor has no room left');
    usedCpu[best] = (usedCpu[best] ?? 0) + ASK.cpu;
    usedMemory[best] = (usedMemory[best] ?? 0) + ASK.memory;
    usedPods[best] = (usedPods[best] ?? 0) + 1;
  }
}
