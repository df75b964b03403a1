/**
 * Every process of a lab lives below `/plumb-lab/NAME/` in every cgroup hierarchy of the machine. That makes the cgroup
 * the record of what is the lab's: nothing can leave it, it survives a crash of whoever made it, and ids in it are
 * never stale.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { LabFailure, LabRefusal } from './errors.ts';
import { until } from './process.ts';

export interface Hierarchy {
  /** Where the machine has it, such as `/sys/fs/cgroup/memory`. */
  readonly mountPoint: string;
  readonly version: 1 | 2;
  /** Version 1: the options that mount it again (`memory`, `cpu,cpuacct`, `none,name=systemd`). */
  readonly options: string;
}

const TOP = 'plumb-lab';

/** Reads the hierarchies out of the text of /proc/self/mountinfo (proc(5)). */
export function parseHierarchies(mountInfo: string): readonly Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mountInfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountPoint = before?.split(' ')[4];
    const [type, , superOptions] = after?.split(' ') ?? [];
    if (!mountPoint || !superOptions || !mountPoint.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') found.set(mountPoint, { mountPoint, version: 2, options: '' });
    if (type === 'cgroup') {
      const wanted = superOptions
        .split(',')
        .filter(
          (option) =>
            !['rw', 'ro', 'xattr', 'noprefix', 'clone_children'].includes(option) &&
            !option.startsWith('release_agent='),
        );
      const named = wanted.some((option) => option.startsWith('name='));
      found.set(mountPoint, {
        mountPoint,
        version: 1,
        options: [...(named && wanted.length === 1 ? ['none'] : []), ...wanted].join(','),
      });
    }
  }
  return [...found.values()].sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}

/** The machine's hierarchies. Throws {@link LabRefusal} where there are none: containers cannot run there. */
export function machineHierarchies(): readonly Hierarchy[] {
  const hierarchies = parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (hierarchies.length === 0)
    throw new LabRefusal('No cgroup hierarchy is mounted below /sys/fs/cgroup, so this machine cannot run containers.');
  return hierarchies;
}

/** Makes `/plumb-lab/PATH` in every hierarchy. Safe to repeat. */
export function makeCgroup(hierarchies: readonly Hierarchy[], path: string): void {
  for (const hierarchy of hierarchies) {
    let folder = hierarchy.mountPoint;
    // All of it before the first of them is set up: another lab may take the empty TOP away just now.
    makeFolder(`${folder}/${TOP}/${path}`);
    if (hierarchy.version === 2) delegate(folder);
    for (const part of [TOP, ...path.split('/')]) {
      folder = `${folder}/${part}`;
      // A v1 cpuset takes no process until it has processors and memory nodes; its parent's are right.
      if (hierarchy.version === 1 && hierarchy.options.split(',').includes('cpuset')) inheritCpuset(folder);
      if (hierarchy.version === 2 && folder !== `${hierarchy.mountPoint}/${TOP}/${path}`) delegate(folder);
    }
    // Version 2 lets a group have processes or children with controllers, not both: a host's own processes live in a
    // leaf.
    if (hierarchy.version === 2) makeFolder(`${folder}/init`);
  }
}

/**
 * The files to write a process id to, in order, to put it into `/plumb-lab/PATH`. `leaf: false`: the group that becomes
 * a namespace's root.
 */
export function cgroupEntries(hierarchies: readonly Hierarchy[], path: string, leaf: boolean): readonly string[] {
  return hierarchies.map((h) => `${h.mountPoint}/${TOP}/${path}${h.version === 2 && leaf ? '/init' : ''}/cgroup.procs`);
}

/** Ids of all processes in `/plumb-lab/PATH` and below. */
export function cgroupProcesses(hierarchies: readonly Hierarchy[], path: string): readonly number[] {
  const pids = new Set<number>();
  for (const hierarchy of hierarchies) {
    for (const folder of foldersBelow(`${hierarchy.mountPoint}/${TOP}/${path}`)) {
      for (const word of readOrEmpty(`${folder}/cgroup.procs`).split('\n'))
        if (word && word !== '0') pids.add(Number(word));
    }
  }
  return [...pids];
}

/**
 * Ends every process in `/plumb-lab/PATH` at once (SIGKILL), frozen ones too, and removes the groups. Safe to repeat.
 */
export async function killCgroup(hierarchies: readonly Hierarchy[], path: string): Promise<void> {
  await until(
    `Processes of the lab in cgroup /${TOP}/${path} do not end.`,
    () => {
      const pids = cgroupProcesses(hierarchies, path).filter((pid) => pid !== process.pid);
      if (pids.length === 0) return true;
      thaw(hierarchies, path);
      for (const pid of pids) kill(pid);
      return undefined;
    },
    { timeoutMs: 15_000, everyMs: 10 },
  );
  await until(
    `The cgroups below /${TOP}/${path} cannot be removed.`,
    () => (removeGroups(hierarchies, path) ? true : undefined),
    { timeoutMs: 10_000 },
  );
}

/** Whether `/plumb-lab/PATH` is there in any hierarchy. */
export function cgroupExists(hierarchies: readonly Hierarchy[], path: string): boolean {
  return hierarchies.some((h) => foldersBelow(`${h.mountPoint}/${TOP}/${path}`).length > 0);
}

function removeGroups(hierarchies: readonly Hierarchy[], path: string): boolean {
  let clean = true;
  for (const hierarchy of hierarchies) {
    for (const folder of foldersBelow(`${hierarchy.mountPoint}/${TOP}/${path}`)) clean = removeFolder(folder) && clean;
    // The folder that labs share goes with the last of them.
    removeFolder(`${hierarchy.mountPoint}/${TOP}`);
  }
  return clean;
}

/** Deepest first. */
function foldersBelow(folder: string): readonly string[] {
  try {
    const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...children.flatMap((child) => foldersBelow(`${folder}/${child.name}`)), folder];
  } catch {
    return [];
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new LabFailure(`Cannot make the cgroup ${folder}; the lab needs a machine that lets root make cgroups.`, {
      cause: error,
    });
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function inheritCpuset(folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readOrEmpty(`${folder}/${file}`).trim() === '')
      tryWrite(`${folder}/${file}`, readOrEmpty(`${folder}/../${file}`));
  }
  tryWrite(`${folder}/cgroup.clone_children`, '1');
}

/** Lets the children of a v2 group use every controller that it has itself. One that refuses is left out. */
function delegate(folder: string): void {
  for (const controller of readOrEmpty(`${folder}/cgroup.controllers`).split(/\s+/).filter(Boolean))
    tryWrite(`${folder}/cgroup.subtree_control`, `+${controller}`);
}

function thaw(hierarchies: readonly Hierarchy[], path: string): void {
  for (const hierarchy of hierarchies) {
    for (const folder of foldersBelow(`${hierarchy.mountPoint}/${TOP}/${path}`)) {
      if (hierarchy.version === 2) tryWrite(`${folder}/cgroup.freeze`, '0');
      else if (hierarchy.options.split(',').includes('freezer')) tryWrite(`${folder}/freezer.state`, 'THAWED');
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself between the reading and the kill.
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function tryWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch {
    // Absent on this kernel, or not ours to change: the groups work without.
  }
}
