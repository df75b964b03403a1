/**
 * What a whole machine takes, from /proc: the same words with cgroup v1 and v2, whose root groups tell either no memory
 * or all of it. What is the working set is as cAdvisor has it for the root. Sources: proc(5),
 * Documentation/filesystems/proc.rst, cAdvisor container/libcontainer/handler.go.
 */

/** Ticks in a second of the times in /proc/stat (USER_HZ), on every architecture that Node.js has. */
const TICKS_PER_SECOND = 100;
const NANOS_PER_TICK = 1e9 / TICKS_PER_SECOND;
const KIB = 1024;

/** Nanoseconds that processors worked since boot; undefined for a text that is no /proc/stat. */
export function busyNanoseconds(stat: string): number | undefined {
  const words = /^cpu +(\d.*)$/m.exec(stat)?.[1]?.trim().split(/ +/).map(Number);
  if (!words || words.length < 7 || words.some((ticks) => !Number.isFinite(ticks))) return undefined;
  // Time of guests is in `user`; stolen time somebody else had.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = words;
  return (user + nice + system + irq + softirq) * NANOS_PER_TICK;
}

/** Bytes; `workingSet`: in use, but for files that were not read lately. */
export interface MachineMemory {
  readonly total: number;
  readonly workingSet: number;
}

/** Undefined for a text that is no /proc/meminfo. */
export function memoryOf(meminfo: string): MachineMemory | undefined {
  const bytesOf = (name: string): number | undefined => {
    const kib = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1];
    return kib === undefined ? undefined : Number(kib) * KIB;
  };
  const [total, free, inactive] = [bytesOf('MemTotal'), bytesOf('MemFree'), bytesOf('Inactive\\(file\\)')];
  if (total === undefined || free === undefined) return undefined;
  return { total, workingSet: Math.max(0, total - free - (inactive ?? 0)) };
}
