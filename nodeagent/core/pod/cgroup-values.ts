/**
 * A pod's limits in the words of the kernel's cgroups, version 1 and 2. Sources: the kernel's sched-bwc.rst,
 * cgroup-v1/memory.rst and cgroup-v2.rst; Kubernetes, KEP-2254, "Convert cgroup v1 settings to v2".
 */
import { CFS_PERIOD_MICROS } from './linux-resources.ts';
import type { PodLimits } from './pod-limits.ts';

/** Amounts are infinite where there is no bound. */
export interface CgroupFile {
  /** Folder of the hierarchy; empty for version 2, which has one. */
  readonly controller: string;
  readonly file: string;
  readonly read: (text: string) => number;
  readonly write: (amount: number) => string;
}

export interface CgroupKnob {
  readonly amount: (limits: PodLimits) => number;
  readonly v1: CgroupFile;
  readonly v2: CgroupFile;
  /** Of memory: what is in use, which a limit may not be below. */
  readonly use?: { readonly v1: string; readonly v2: string };
}

const bounded = (amount: number, unbounded: string): string => (Number.isFinite(amount) ? String(amount) : unbounded);
const number = (text: string): number => (/^\d+$/.test(text.trim()) ? Number(text) : Number.POSITIVE_INFINITY);

/** Bandwidth goes before memory, and shares last: what fails first is what a machine may not have. */
export const CGROUP_KNOBS: readonly CgroupKnob[] = [
  {
    amount: ({ cpuQuota = Number.POSITIVE_INFINITY }) => cpuQuota,
    // The period is the kernel's default, which is ours.
    v1: { controller: 'cpu', file: 'cpu.cfs_quota_us', read: number, write: (amount) => bounded(amount, '-1') },
    v2: {
      controller: '',
      file: 'cpu.max',
      read: (text) => number(text.split(' ')[0] ?? ''),
      write: (amount) => `${bounded(amount, 'max')} ${CFS_PERIOD_MICROS}`,
    },
  },
  {
    amount: ({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes,
    v1: {
      controller: 'memory',
      file: 'memory.limit_in_bytes',
      read: number,
      write: (amount) => bounded(amount, '-1'),
    },
    v2: { controller: '', file: 'memory.max', read: number, write: (amount) => bounded(amount, 'max') },
    use: { v1: 'memory.usage_in_bytes', v2: 'memory.current' },
  },
  {
    amount: ({ cpuShares }) => cpuShares,
    v1: { controller: 'cpu', file: 'cpu.shares', read: number, write: String },
    v2: {
      controller: '',
      file: 'cpu.weight',
      // Compared as what was written is.
      read: (weight) => sharesOf(number(weight)),
      write: (shares) => String(weightOf(shares)),
    },
  },
];

/** From 2..262144 to 1..10000. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** The least that have the weight. */
function sharesOf(weight: number): number {
  return 2 + Math.ceil(((weight - 1) * 262_142) / 9999);
}
