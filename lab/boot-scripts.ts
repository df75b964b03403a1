/**
 * The three steps from a process of the machine to PID 1 of a lab host, as shell scripts. Pure texts.
 *   enter joins the host's cgroup, becomes the root of a cgroup namespace isolate moves on into a leaf (cgroup v2 wants
 *   that) and makes the other namespaces boot is PID 1: builds the root file system, reports `ready PID`, waits for its
 *   network cable and `go`, then becomes busybox init
 * Each ends by itself when the command that started it has died before saying `go`: a host never comes up half.
 */
import type { Hierarchy } from './cgroups.ts';
import { cgroupEntries } from './cgroups.ts';
import { SYSTEM_FOLDERS } from './host-files.ts';
import { labPaths, prefixOf, type HostSettings, type LabSettings } from './settings.ts';

const NAMESPACES = '--mount --uts --ipc --net --pid --propagation private';

export interface BootScripts {
  readonly enter: string;
  readonly isolate: string;
  readonly boot: string;
}

export function bootScripts(
  settings: LabSettings,
  host: HostSettings,
  hierarchies: readonly Hierarchy[],
  folder: string,
): BootScripts {
  const group = `${settings.name}/${host.name}`;
  return {
    enter: [
      '#!/bin/sh',
      'set -eu',
      ...joinGroup(cgroupEntries(hierarchies, group, false)),
      `exec unshare --cgroup -- /bin/sh ${quote(`${folder}/isolate`)}`,
      '',
    ].join('\n'),
    isolate: [
      '#!/bin/sh',
      'set -eu',
      ...joinGroup(
        cgroupEntries(
          hierarchies.filter((h) => h.version === 2),
          group,
          true,
        ),
      ),
      `exec unshare ${NAMESPACES} --fork --kill-child -- /bin/sh ${quote(`${folder}/boot`)}`,
      '',
    ].join('\n'),
    boot: bootScript(settings, host, hierarchies),
  };
}

function bootScript(settings: LabSettings, host: HostSettings, hierarchies: readonly Hierarchy[]): string {
  return [
    '#!/bin/sh',
    'set -eu',
    "# /proc is still the machine's: this is PID 1 under the id that the machine knows it by.",
    'read -r pid rest < /proc/self/stat',
    `cd ${quote(labPaths.disk(host))}`,
    'mount --bind . .',
    'cd "$PWD"',
    ...['usr', ...SYSTEM_FOLDERS].flatMap((f) => [
      `if [ -d /${f} ] && ! [ -L /${f} ]; then mount --bind /${f} ${f}; mount -o remount,bind,ro ${f}; fi`,
    ]),
    'if [ -d /var/lib/dpkg ]; then mount --bind /var/lib/dpkg var/lib/dpkg; mount -o remount,bind,ro var/lib/dpkg; fi',
    'mount --bind /dev dev',
    'mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts',
    'mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm',
    'mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run',
    'mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs tmp',
    'mkdir -m 755 run/sshd run/lock',
    'mount -t proc -o nosuid,nodev,noexec proc proc',
    'mount -t sysfs -o nosuid,nodev,noexec sysfs sys',
    ...cgroupMounts(hierarchies),
    'pivot_root . .',
    'umount -l .',
    'cd /',
    `echo ${host.name} > /proc/sys/kernel/hostname`,
    'echo "ready $pid"',
    'read -r word',
    '[ "$word" = go ]',
    'ip link set lo up',
    `ip addr add ${host.address}/${prefixOf(settings)} dev eth0`,
    'ip link set eth0 up',
    'echo up',
    'exec </dev/null >>/var/log/console.log 2>&1',
    'unset pid rest word OLDPWD',
    `exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 ${BUSYBOX} init`,
    '',
  ].join('\n');
}

const BUSYBOX = '/usr/bin/busybox';

/** The host sees the hierarchies as the machine has them, each rooted at its own group. */
function cgroupMounts(hierarchies: readonly Hierarchy[]): readonly string[] {
  const pure = hierarchies.find((h) => h.mountPoint === '/sys/fs/cgroup' && h.version === 2);
  if (pure) {
    return [
      'mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup',
      'for controller in $(cat sys/fs/cgroup/cgroup.controllers); do echo "+$controller" > sys/fs/cgroup/cgroup.subtree_control || :; done',
    ];
  }
  return [
    'mount -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs sys/fs/cgroup',
    ...hierarchies.flatMap((h) => {
      const place = h.mountPoint.slice(1);
      const mount =
        h.version === 2
          ? 'mount -t cgroup2 -o nosuid,nodev,noexec cgroup2'
          : `mount -t cgroup -o nosuid,nodev,noexec,${h.options} cgroup`;
      const aliases =
        h.options.includes(',') && !h.options.includes('name=')
          ? h.options
              .split(',')
              .map(
                (one) =>
                  `[ -e sys/fs/cgroup/${one} ] || ln -s ${place.slice(place.lastIndexOf('/') + 1)} sys/fs/cgroup/${one}`,
              )
          : [];
      return [`mkdir -p ${place}`, `${mount} ${place}`, ...aliases];
    }),
  ];
}

/** Lines that move the running shell into the groups. */
export function joinGroup(entries: readonly string[]): readonly string[] {
  return entries.map((file) => `echo $$ > ${quote(file)}`);
}

/** One word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
