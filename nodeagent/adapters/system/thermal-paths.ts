/** What of this machine's processors tells of their heat. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const CPUS = '/sys/devices/system/cpu';

/** `thermal_throttle` of each processor that has it. Source: Kubernetes pkg/securitycontext/util_linux.go. */
export async function thermalPaths(): Promise<readonly string[]> {
  const names = (await readdir(CPUS).catch(() => [])).filter((name) => /^cpu\d+$/.test(name)).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(CPUS, name, 'thermal_throttle');
      return (await stat(path).catch(() => undefined)) && path;
    }),
  );
  return found.filter((path) => path !== undefined);
}
