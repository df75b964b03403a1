/** Fixed shell scripts for a machine. Values go in as positional arguments, never into the text. */
import { basename } from 'node:path';
import { NODE_NAMES, NODE_PATHS } from '../../../contracts/agent/index.ts';
import { readKey } from '../../../contracts/objects/index.ts';
import type { NodeArch } from '../../ports/agent-payloads.ts';
import { SERVICE } from './service-files.ts';

const PREAMBLE = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; export LC_ALL=C\n';

export function script(text: string, ...args: readonly string[]): readonly string[] {
  return ['sh', '-c', PREAMBLE + text, SERVICE, ...args];
}

export interface MachineFacts {
  readonly arch: NodeArch | undefined;
  /** As `uname -m` says. */
  readonly machine: string;
  readonly root: boolean;
  readonly init: 'systemd' | 'script';
  readonly glibc: boolean;
  readonly gzip: boolean;
  /** Packages that are missing, by their Debian names. */
  readonly missing: readonly string[];
  readonly containerdRunning: boolean;
}

export const FACTS = `
echo "machine=$(uname -m)"
echo "uid=$(id -u)"
[ -d /run/systemd/system ] && echo init=systemd || echo init=script
getconf GNU_LIBC_VERSION >/dev/null 2>&1 && echo glibc=yes
command -v gzip >/dev/null 2>&1 && echo gzip=yes
[ -S /run/containerd/containerd.sock ] && echo containerd=yes
have() { command -v "$1" >/dev/null 2>&1 || echo "missing=$2"; }
have containerd containerd; have runc runc; have nft nftables; have ip iproute2
[ -x /opt/cni/bin/loopback ] || [ -x /usr/lib/cni/loopback ] || echo missing=containernetworking-plugins
`;

export function readFacts(stdout: string): MachineFacts {
  const pairs = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  const one = (name: string): string => pairs.find(([key]) => key === name)?.[1] ?? '';
  const machine = one('machine');
  const arches: Readonly<Record<string, NodeArch>> = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', arm64: 'arm64' };
  return {
    arch: readKey(arches, machine),
    machine,
    root: one('uid') === '0',
    init: one('init') === 'systemd' ? 'systemd' : 'script',
    glibc: one('glibc') === 'yes',
    gzip: one('gzip') === 'yes',
    containerdRunning: one('containerd') === 'yes',
    missing: pairs.filter(([key]) => key === 'missing').map(([, value]) => value),
  };
}

/** $1: file. Prints its SHA-256, or nothing where there is none. */
export const HASH_OF = '[ ! -f "$1" ] || sha256sum "$1" | cut -d" " -f1';

/** $1: compressed file. $2: executable to make of it. Prints its SHA-256. */
export const UNPACK =
  'gzip -dc "$1" > "$2.new" && rm -f "$1" && chmod 755 "$2.new" && mv -f "$2.new" "$2" && sha256sum "$2" | cut -d" " -f1';

/** $1: install folder. $2: version folder to switch to. Prints the one before. */
export const SWITCH = `
readlink "$1/current" || true
ln -sfn "$2" "$1/current.new" && mv -Tf "$1/current.new" "$1/current"`;

/** $1: install folder. $2, $3: what stays. */
export const SWEEP = 'for d in "$1"/agent-* "$1"/runtime-*; do [ "$d" = "$2" ] || [ "$d" = "$3" ] || rm -rf "$d"; done';

/** $1: systemd or script. Restarts the agent alone; makes it start with the machine. */
export const RESTART = `
if [ "$1" = systemd ]; then
  systemctl daemon-reload && systemctl enable -q ${SERVICE}.service && systemctl restart ${SERVICE}.service
else
  # Only where an init of the traditional kind is there to read the links.
  if [ "$(cat /proc/1/comm)" = init ] && command -v update-rc.d >/dev/null 2>&1; then update-rc.d ${SERVICE} defaults >/dev/null 2>&1 || true; fi
  ${NODE_PATHS.initScript} restart
fi`;

/** $1: systemd or script. $2: log file. */
export const LAST_WORDS =
  'if [ "$1" = systemd ]; then journalctl -u plumbline-agent -n 20 --no-pager -o cat; else tail -n 20 "$2"; fi 2>&1';

const VOLUMES = basename(NODE_PATHS.volumes);

/**
 * Takes away what is in the folders `$state` and `$run`, but for data that outlives pods. While something is mounted in
 * them nothing is removed: it would be removed through the mount. Mounts are listed by their real paths, whatever links
 * lead to the folders. What an administrator mounted for such data, at `volumes` or below, stays.
 */
export const REMOVE_FOLDERS = `
real() { readlink -f "$1" || echo "$1"; }
state=$(real "$state") run=$(real "$run")
# As mounts are listed, these would read otherwise.
case "$state$run" in *[!A-Za-z0-9/._-]*) echo "unusual path: $state, $run" >&2; exit 1 ;; esac
ours() { awk -v a="$state/" -v b="$run/" -v kept="$state/${VOLUMES}/" '(index($2, a) == 1 || index($2, b) == 1) && index($2 "/", kept) != 1 { print $2 }' /proc/mounts | sort -r; }
# Innermost first.
ours | while read -r mount; do umount "$mount"; done
[ -z "$(ours)" ] || { echo "still mounted: $(ours | tr '\\n' ' ')" >&2; exit 1; }
[ -d "$state" ] && find "$state" -mindepth 1 -maxdepth 1 ! -name ${VOLUMES} -exec rm -rf {} +
rmdir "$state/${VOLUMES}" "$state" 2>/dev/null
rm -rf "$run"`;

/**
 * Chains of ours in `nat`, of both kinds of iptables and both families. Without `-t` the listing makes no table where there is none.
 * What leads to our chains goes first.
 */
export const REMOVE_IPTABLES = `
for tables in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
  command -v "$tables-save" >/dev/null 2>&1 || continue
  ours=$("$tables-save" 2>/dev/null | sed -n '/^\\*nat/,/^COMMIT/p' | grep -E '^:${NODE_NAMES.iptablesPrefix}|^-A (PREROUTING|OUTPUT) .*-j ${NODE_NAMES.iptablesPrefix}')
  [ -n "$ours" ] || continue
  { echo '*nat'; echo "$ours" | grep '^:' | cut -d' ' -f1 | sed 's/$/ - [0:0]/'; echo "$ours" | sed -n 's/^-A /-D /p'
    echo "$ours" | sed -n 's/^:\\([^ ]*\\) .*/-X \\1/p'; echo COMMIT; } | "$tables-restore" --noflush --wait 5
done`;

/** Virtual servers at the addresses of our routing table, and that table with its rule; those of others stay. */
export const REMOVE_IPVS = `
for family in -4 -6; do
  ours=$(ip $family route show table ${NODE_NAMES.ipvsTable} 2>/dev/null | sed -n 's/^local \\([^ ]*\\).*/\\1/p' | tr '\\n' ' ')
  [ -n "$ours" ] || ip $family rule show 2>/dev/null | grep -q 'lookup ${NODE_NAMES.ipvsTable}' || continue
  command -v ipvsadm >/dev/null 2>&1 && ipvsadm -L -n 2>/dev/null | awk -v ours="$ours" '
    BEGIN { split(ours, list); for (i in list) mine[list[i]] = 1 }
    /^(TCP|UDP|SCTP) / { at = $2; sub(/:[0-9]+$/, "", at); gsub(/[][]/, "", at)
      if (at in mine) print "-D", ($1 == "TCP" ? "-t" : $1 == "UDP" ? "-u" : "--sctp-service"), $2 }' | ipvsadm --restore
  ip $family route flush table ${NODE_NAMES.ipvsTable} 2>/dev/null
  ip $family rule del pref ${NODE_NAMES.ipvsTable} lookup ${NODE_NAMES.ipvsTable} 2>/dev/null
done`;

/**
 * Takes everything of ours off the machine. Idempotent: each part may be gone already. Containers are the caller's to
 * stop first. Routes are known by their protocol number, 78 (see the agent's network code).
 */
export const REMOVE = `
if [ -d /run/systemd/system ]; then systemctl disable -q --now ${SERVICE}.service 2>/dev/null; rm -f ${NODE_PATHS.unit}; systemctl daemon-reload
elif [ -x ${NODE_PATHS.initScript} ]; then ${NODE_PATHS.initScript} stop
  [ "$(cat /proc/1/comm)" = init ] && command -v update-rc.d >/dev/null 2>&1 && update-rc.d -f ${SERVICE} remove >/dev/null 2>&1
fi
rm -f ${NODE_PATHS.initScript} ${NODE_PATHS.cniConfig}
nft list tables 2>/dev/null | while read -r _ family name; do [ "$name" = ${NODE_NAMES.nftTable} ] && nft delete table "$family" "$name"; done
${REMOVE_IPTABLES}
${REMOVE_IPVS}
ip link del ${NODE_NAMES.vxlanDevice} 2>/dev/null
ip link del ${NODE_NAMES.wireguardDevice} 2>/dev/null
for device in /sys/class/net/${NODE_NAMES.bandwidthDevice}????????; do [ -e "$device" ] && ip link del "\${device##*/}"; done
ip route flush table all proto 78 2>/dev/null
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -d "$root${NODE_NAMES.cgroup}" ] && find "$root${NODE_NAMES.cgroup}" -depth -type d -exec rmdir {} + 2>/dev/null
done
proxy=$(cat ${NODE_PATHS.run}/proxy/haproxy.pid 2>/dev/null) && tr '\\0' ' ' < "/proc/$proxy/cmdline" 2>/dev/null | grep -q '${NODE_PATHS.run}/proxy/' && kill "$proxy"
bgp=$(cat ${NODE_PATHS.run}/bgp/run/bird.pid 2>/dev/null) && [ "$(readlink "/proc/$bgp/cwd")" = "$(readlink -f ${NODE_PATHS.run}/bgp)" ] && kill "$bgp"
state=${NODE_PATHS.state} run=${NODE_PATHS.run}
${REMOVE_FOLDERS}
rm -rf ${NODE_PATHS.install} /var/log/plumbline
left=''
[ -d ${NODE_PATHS.volumes} ] || [ ! -e ${NODE_PATHS.state} ] || left=' ${NODE_PATHS.state}'
for path in ${NODE_PATHS.install} ${NODE_PATHS.run} ${NODE_PATHS.unit} ${NODE_PATHS.initScript}; do [ -e "$path" ] && left="$left $path"; done
[ -z "$left" ] || { echo "left behind:$left" >&2; exit 1; }`;
