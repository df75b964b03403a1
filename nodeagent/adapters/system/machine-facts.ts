/** Facts about a Linux machine, from /proc, /etc and the kernel. */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os';
import { pageBytesOf, type HugePagePool } from '../../core/node/huge-pages.ts';
import type { NodeFacts } from '../../ports/node-facts.ts';

/** `stateFolder`: the filesystem whose size is the node's ephemeral storage. */
export function machineFacts(stateFolder: string): NodeFacts {
  return {
    async read() {
      const disk = await statfs(stateFolder).catch(() => undefined);
      return {
        hostname: hostname(),
        cpus: availableParallelism(),
        memoryBytes: totalmem(),
        diskBytes: disk ? disk.blocks * disk.bsize : 0,
        hugePages: await hugePages(),
        machineID: await firstText(['/etc/machine-id', '/var/lib/dbus/machine-id']),
        bootID: await firstText(['/proc/sys/kernel/random/boot_id']),
        kernelVersion: release(),
        osImage: osName(await firstText(['/etc/os-release', '/usr/lib/os-release'])),
        architecture: arch() === 'x64' ? 'amd64' : arch(),
        addresses: Object.entries(networkInterfaces()).flatMap(([device, list]) =>
          (list ?? [])
            .filter((one) => one.family === 'IPv4' && !one.internal)
            .map((one) => ({ device, address: one.address })),
        ),
        addressesIPv6: Object.entries(networkInterfaces()).flatMap(([device, list]) =>
          (list ?? [])
            .filter((one) => one.family === 'IPv6' && !one.internal && !/^fe[89ab]/i.test(one.address))
            .map((one) => ({ device, address: one.address })),
        ),
        uplink: uplinkDevice(await firstText(['/proc/net/route'])),
      };
    },
    ownMemory: () => process.memoryUsage.rss(),
  };
}

const POOLS = '/sys/kernel/mm/hugepages';

/** None where the kernel has none. By size, the smallest first. */
async function hugePages(): Promise<readonly HugePagePool[]> {
  const folders = await readdir(POOLS).catch(() => []);
  const pools = await Promise.all(
    folders.map(async (folder) => {
      const pageBytes = pageBytesOf(folder);
      const pages = await readFile(`${POOLS}/${folder}/nr_hugepages`, 'utf8').catch(() => '');
      return pageBytes === undefined || !/^\d+\s*$/.test(pages) ? [] : [{ pageBytes, pages: Number(pages) }];
    }),
  );
  return pools.flat().sort((a, b) => a.pageBytes - b.pageBytes);
}

async function firstText(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.trim() !== '') return text.trim();
  }
  return '';
}

function osName(release: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? 'Linux';
}

const RTF_UP = 1;

/** /proc/net/route: hexadecimal, little-endian. The default route's device, else the first route's. */
function uplinkDevice(table: string): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter((fields) => (Number.parseInt(fields[3] ?? '0', 16) & RTF_UP) !== 0)
    .map((fields) => ({
      device: fields[0] ?? '',
      destination: fields[1] ?? '',
      mask: fields[7] ?? '',
      metric: Number(fields[6] ?? 0),
    }));
  const defaults = routes
    .filter((route) => route.destination === '00000000' && route.mask === '00000000')
    .sort((a, b) => a.metric - b.metric);
  return (defaults[0] ?? routes[0])?.device;
}
