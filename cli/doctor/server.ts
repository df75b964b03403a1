/** Whether a server can be a machine of a cluster. */
import { NODE_PATHS } from '../../contracts/agent/places.ts';
import { missing, ok, warning, type Finding } from './finding.ts';

/** As `FACTS` of the control plane tells them. */
export interface ServerFacts {
  readonly root: boolean;
  readonly arch: string | undefined;
  /** As `uname -m` says. */
  readonly machine: string;
  readonly glibc: boolean;
  readonly init: 'systemd' | 'script';
  /** Packages, by their Debian names. */
  readonly missing: readonly string[];
  readonly containerdRunning: boolean;
}

/** What else `MORE_FACTS` tells. */
export interface MoreFacts {
  readonly containerd: string;
  /** KiB free below /var/lib. */
  readonly freeKib: number;
  /** Whether the packet filter answers. */
  readonly nft: boolean;
  readonly agent: 'runs' | 'ended' | 'none';
  /** Seconds since 1970. */
  readonly clock: number;
}

/** Prints `name=value` lines, and changes nothing. */
export const MORE_FACTS = `
echo "containerd=$(containerd --version 2>/dev/null | cut -d' ' -f3)"
echo "free=$(df -Pk /var/lib | awk 'NR == 2 { print $4 }')"
nft list tables >/dev/null 2>&1 && echo nft=yes
[ -e ${NODE_PATHS.install}/current ] && echo agent=installed
grep -sqa '/agent[.]mjs' /proc/[0-9]*/cmdline && echo agent=runs
echo "clock=$(date +%s)"
`;

export function readMoreFacts(stdout: string): MoreFacts {
  const pairs = stdout.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  const one = (name: string): string => pairs.find(([key]) => key === name)?.[1] ?? '';
  const agents = new Set(pairs.filter(([key]) => key === 'agent').map(([, value]) => value));
  return {
    containerd: one('containerd'),
    freeKib: Number(one('free')),
    nft: one('nft') === 'yes',
    agent: agents.has('runs') ? 'runs' : agents.has('installed') ? 'ended' : 'none',
    clock: Number(one('clock')),
  };
}

/** Below it the agent says that the disk is short. Source: docs/ARCHITECTURE.md, "A node's disk". */
const LITTLE_FREE_KIB = 10 * 1024 ** 2;
const CLOCKS_APART_S = 30;

/** `now`: of this machine, in seconds since 1970. */
export function judgeServer(facts: ServerFacts, more: MoreFacts, now: number): readonly Finding[] {
  const apart = Math.round(Math.abs(more.clock - now));
  return [
    facts.root ? ok('login', 'is root') : missing('login', 'is not root', "set the Machine's spec.user to root"),
    facts.arch === undefined
      ? missing('architecture', `is ${facts.machine || 'unknown'}`, 'x86_64 and aarch64 are supported')
      : ok('architecture', facts.machine),
    facts.glibc
      ? ok('C library', 'is glibc')
      : missing('C library', "is not glibc, which the agent's Node.js needs", 'take Debian, Ubuntu, Fedora or SUSE'),
    facts.missing.length === 0
      ? ok('packages', `are there${more.containerd === '' ? '' : ` (containerd ${more.containerd})`}`)
      : missing(
          'packages',
          `${facts.missing.join(', ')} not installed`,
          `apt-get install -y ${facts.missing.join(' ')}`,
        ),
    facts.containerdRunning
      ? ok('containerd', 'runs')
      : missing('containerd', 'does not run: no /run/containerd/containerd.sock', 'systemctl enable --now containerd'),
    more.nft
      ? ok('packet filter', 'nft answers')
      : missing(
          'packet filter',
          'nft does not answer',
          'apt-get install -y nftables; a container as a server needs CAP_NET_ADMIN',
        ),
    facts.init === 'systemd'
      ? ok('init', 'is systemd')
      : warning(
          'init',
          'is not systemd',
          'the agent runs by its own script; start that with the machine: /etc/init.d/plumbline-agent',
        ),
    more.freeKib >= LITTLE_FREE_KIB
      ? ok('disk', `${(more.freeKib / 1024 ** 2).toFixed(1)} GiB free below /var/lib`)
      : warning(
          'disk',
          `${(more.freeKib / 1024 ** 2).toFixed(1)} GiB free below /var/lib`,
          'images and volumes are kept there; short of a tenth of the disk no pod is taken',
        ),
    apart <= CLOCKS_APART_S
      ? ok('clock', 'is that of this machine')
      : warning(
          'clock',
          `is ${apart} s away from that of this machine`,
          'apt-get install systemd-timesyncd; tokens and certificates depend on it',
        ),
    more.agent === 'ended'
      ? missing('agent', 'is installed and does not run', 'journalctl -u plumbline-agent')
      : ok('agent', more.agent === 'runs' ? 'runs' : 'comes with the push of its Machine file'),
  ];
}
