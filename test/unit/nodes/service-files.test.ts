/** The unit that systemd keeps the agent with. test/e2e/real-machine.test.ts holds a running agent to it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { START, SYSTEMD_UNIT } from '../../../reconciler/controllers/nodes/service-files.ts';

/** Section, option and value of each line. Source: systemd.syntax(7). */
function settings(unit: string): readonly (readonly [section: string, option: string, value: string])[] {
  let section = '';
  return unit.split('\n').flatMap((line) => {
    const heading = /^\[(\w+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    const [, option, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (heading === undefined && option === undefined) assert.equal(line, '', 'a line that systemd would not take');
    return option === undefined || value === undefined ? [] : [[section, option, value] as const];
  });
}

const OPTIONS = [
  ['Unit', 'Description', 'Plumbline node agent', 'what systemctl calls it'],
  ['Unit', 'After', 'network-online.target containerd.service', 'most of its first look needs both'],
  [
    'Unit',
    'Wants',
    'network-online.target containerd.service',
    'and it runs on when one of them ends, unlike Requires',
  ],
  ['Unit', 'StartLimitIntervalSec', '0', 'systemd never gives up starting it'],
  ['Service', 'ExecStart', START, 'a link, so that an upgrade leaves the unit as it is'],
  ['Service', 'Restart', 'always', 'a node keeps its promises alone'],
  ['Service', 'RestartSec', '1', 'and soon'],
  ['Service', 'KillMode', 'process', 'containers and their shims outlive it, also where it started what started them'],
  ['Service', 'TimeoutStopSec', '45', 'pods have 30 seconds where the machine goes down, which then goes on'],
  ['Service', 'Delegate', 'yes', 'systemd keeps out of the cgroups that it makes'],
  ['Service', 'LimitNOFILE', '65536', 'a log and a probe of every container at once'],
  ['Service', 'LimitCORE', '0', 'its memory holds Secrets, and is never dumped'],
  ['Service', 'TasksMax', 'infinity', 'what its commands start counts against it'],
  ['Service', 'OOMScoreAdjust', '-999', 'as the kubelet: pods go before it where memory runs out'],
  ['Service', 'NoNewPrivileges', 'yes', 'no program that it runs gets more than it has'],
  ['Service', 'LockPersonality', 'yes', 'nor another view of the kernel'],
  ['Service', 'RestrictRealtime', 'yes', 'it cannot take a processor for itself'],
  [
    'Service',
    'RestrictAddressFamilies',
    'AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'its sockets, probes, routes and rules',
  ],
  [
    'Service',
    'CapabilityBoundingSet',
    '~CAP_SYS_TIME CAP_WAKE_ALARM CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_RAWIO CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE',
    'clock, modules, reboots, memory of devices, log and access rules of the kernel are never its business',
  ],
  ['Install', 'WantedBy', 'multi-user.target', 'it starts with the machine'],
] as const;

/** Source: systemd.exec(5), "Sandboxing": each of them unshares the mount namespace. */
const MOUNT_NAMESPACE = [
  'BindPaths',
  'BindReadOnlyPaths',
  'InaccessiblePaths',
  'PrivateDevices',
  'PrivateMounts',
  'PrivateTmp',
  'ProtectControlGroups',
  'ProtectHome',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectKernelModules',
  'ProtectKernelTunables',
  'ProtectProc',
  'ProtectSystem',
  'ReadOnlyPaths',
  'ReadWritePaths',
  'TemporaryFileSystem',
];
const LEFT_OUT: readonly (readonly [option: string, reason: string])[] = [
  ...MOUNT_NAMESPACE.map((option) => [option, 'what it mounts must show in containers'] as const),
  ['RestrictSUIDSGID', 'the folder of an emptyDir with an fsGroup has the setgid bit'],
  ['MemoryDenyWriteExecute', 'Node.js compiles as it runs'],
  ['PrivateNetwork', 'its routes and rules are those of the machine'],
];

describe('the unit of the agent', () => {
  const found = settings(SYSTEMD_UNIT);

  for (const [section, option, value, reason] of OPTIONS)
    it(`has ${option}=${value}: ${reason}`, () => {
      assert.deepEqual(
        found.filter(([, name]) => name === option),
        [[section, option, value]],
      );
    });

  it('has nothing else', () => {
    const known = new Set<string>(OPTIONS.map(([, option]) => option));
    assert.deepEqual(
      found.filter(([, option]) => !known.has(option)),
      [],
    );
  });

  for (const [option, reason] of LEFT_OUT)
    it(`has no ${option}: ${reason}`, () => {
      assert.ok(found.every(([, name]) => name !== option));
    });
});
