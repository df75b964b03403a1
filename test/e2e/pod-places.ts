/** Where pods are on this machine. */
import type { Fleet } from './fleet.ts';

/** Paths of the network namespaces of all running pods, as this machine sees them, by the pods' addresses. */
export async function podPlaces(fleet: Fleet): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  for (const { name } of fleet.lab.nodes) {
    const script = 'for n in /run/netns/cni-*; do echo "$n $(nsenter --net=$n ip -4 -o address show dev eth0)"; done';
    const { stdout } = await fleet.on(name, ['sh', '-c', script]);
    for (const [, path = '', address = ''] of stdout.matchAll(/^(\S+) .*inet ([\d.]+)\//gm))
      places.set(address, `/proc/${await fleet.initPid(name)}/root${path}`);
  }
  return places;
}
