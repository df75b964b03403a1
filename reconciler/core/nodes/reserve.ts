/**
 * What of a machine pods do not get, so that one full of them still has room for sshd, the container runtime and the
 * agent. It is held back from what pods may ask for, as by the kubelet's `--system-reserved` and `--kube-reserved`.
 */
import { parseMilli, parseQuantity, type ResourceList } from '../../../contracts/objects/index.ts';

/** A share of a small machine; of a larger one no more than they use. */
const CPU = { part: 0.05, atMostMilli: 100 };
const MEMORY = { part: 0.1, atMostBytes: 256 * 2 ** 20 };

/** What the Machine says of a resource goes before the default, also `0`. */
export function reservedOf(capacity: ResourceList, said: ResourceList = {}): ResourceList {
  const { cpu, memory } = capacity;
  return {
    ...(cpu !== undefined && { cpu: `${Math.floor(Math.min(parseMilli(cpu) * CPU.part, CPU.atMostMilli))}m` }),
    ...(memory !== undefined && {
      memory: String(Math.floor(Math.min(parseQuantity(memory) * MEMORY.part, MEMORY.atMostBytes))),
    }),
    ...said,
  };
}
