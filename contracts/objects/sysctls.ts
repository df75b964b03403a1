/**
 * Kernel settings that a pod may have of its own. Free of schemas: a node agent uses it. Source: Kubernetes
 * pkg/kubelet/sysctl/safe_sysctls.go and documentation, "Using sysctls in a Kubernetes Cluster".
 */

/** By name, whose the setting is with which namespace of the host. All others may hurt what is not the pod's. */
const SAFE: ReadonlyMap<string, 'host network' | 'host ipc'> = new Map([
  ['kernel.shm_rmid_forced', 'host ipc'],
  ['net.ipv4.ip_local_port_range', 'host network'],
  ['net.ipv4.ip_local_reserved_ports', 'host network'],
  ['net.ipv4.ip_unprivileged_port_start', 'host network'],
  ['net.ipv4.ping_group_range', 'host network'],
  ['net.ipv4.tcp_fin_timeout', 'host network'],
  ['net.ipv4.tcp_keepalive_intvl', 'host network'],
  ['net.ipv4.tcp_keepalive_probes', 'host network'],
  ['net.ipv4.tcp_keepalive_time', 'host network'],
  ['net.ipv4.tcp_rmem', 'host network'],
  ['net.ipv4.tcp_syncookies', 'host network'],
  ['net.ipv4.tcp_wmem', 'host network'],
]);
export const SAFE_SYSCTLS: readonly string[] = [...SAFE.keys()];

/** `net/ipv4/conf/eth0.1/x` as `net.ipv4.conf.eth0/1.x`. Source: sysctl.d(5): the first separator decides. */
export function dottedSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : name;
}

/** Why the pod may not set it, in the kubelet's words; undefined where it may. */
export function sysctlObjection(
  written: string,
  { hostNetwork, hostIPC }: { readonly hostNetwork: boolean; readonly hostIPC: boolean },
): string | undefined {
  const name = dottedSysctl(written);
  const home = SAFE.get(name);
  if (home === undefined) return `"${name}" not allowlisted`;
  const isHosts = home === 'host network' ? hostNetwork : hostIPC;
  return isHosts ? `"${name}" not allowed with ${home} enabled` : undefined;
}
