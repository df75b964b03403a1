import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { bootScripts, quote } from '../../../lab/boot-scripts.ts';
import { parseHierarchies } from '../../../lab/cgroups.ts';
import { containerdConfig, hostsFile, machineId, registryHostsToml, sshdConfig } from '../../../lab/host-files.ts';
import { hostsOf, labSettings } from '../../../lab/settings.ts';

const settings = labSettings({ name: 'plumb', dir: '/var/lib/lab', subnet: '198.18.0.0/24', nodes: 2, registry: true });
const [first, second] = hostsOf(settings);
assert.ok(first && second);

const V1_HYBRID = [
  '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory',
  '40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:3 - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd',
  '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
].join('\n');
const PURE_V2 = '31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot';

describe('cgroup hierarchies', () => {
  it('are read from a version 1 machine with the options that mount them again', () => {
    assert.deepEqual(parseHierarchies(V1_HYBRID), [
      { mountPoint: '/sys/fs/cgroup/cpu,cpuacct', version: 1, options: 'cpu,cpuacct' },
      { mountPoint: '/sys/fs/cgroup/memory', version: 1, options: 'memory' },
      { mountPoint: '/sys/fs/cgroup/systemd', version: 1, options: 'none,name=systemd' },
      { mountPoint: '/sys/fs/cgroup/unified', version: 2, options: '' },
    ]);
  });

  it('are one on a version 2 machine', () => {
    assert.deepEqual(parseHierarchies(PURE_V2), [{ mountPoint: '/sys/fs/cgroup', version: 2, options: '' }]);
  });
});

describe('boot scripts', () => {
  it('join the host group of every hierarchy before the cgroup namespace is made', () => {
    const { enter } = bootScripts(settings, first, parseHierarchies(V1_HYBRID), '/var/lib/lab/boot/node-1');
    const lines = enter.split('\n');
    const joined = lines.filter((line) => line.includes('/plumb-lab/plumb/node-1/cgroup.procs'));
    assert.equal(joined.length, 4);
    assert.ok(
      lines.findIndex((line) => line.startsWith('exec unshare --cgroup')) > lines.lastIndexOf(joined.at(-1) ?? ''),
    );
  });

  it('show a version 1 host every controller under its usual name', () => {
    const { boot } = bootScripts(settings, first, parseHierarchies(V1_HYBRID), '/b');
    assert.match(boot, /mount -t cgroup -o nosuid,nodev,noexec,cpu,cpuacct cgroup sys\/fs\/cgroup\/cpu,cpuacct/);
    assert.match(boot, /ln -s cpu,cpuacct sys\/fs\/cgroup\/cpuacct/);
    assert.match(boot, /mount -t cgroup -o nosuid,nodev,noexec,none,name=systemd cgroup sys\/fs\/cgroup\/systemd/);
  });

  it('keep the processes of a version 2 host in a leaf, so that pods may have controllers', () => {
    const { isolate, boot } = bootScripts(settings, first, parseHierarchies(PURE_V2), '/b');
    assert.match(isolate, /\/sys\/fs\/cgroup\/plumb-lab\/plumb\/node-1\/init\/cgroup\.procs/);
    assert.match(boot, /mount -t cgroup2 .* sys\/fs\/cgroup\n/);
    assert.match(boot, /cgroup\.subtree_control/);
  });

  it('give a host its own address and no route but to the lab', () => {
    const { boot } = bootScripts(settings, second, parseHierarchies(PURE_V2), '/b');
    assert.match(boot, /ip addr add 198\.18\.0\.12\/24 dev eth0/);
    assert.doesNotMatch(boot, /ip route/);
  });

  it('quote words for the shell', () => {
    assert.equal(quote("it's $HOME"), `'it'\\''s $HOME'`);
  });
});

describe('host files', () => {
  it('let nobody in with a password, and only on the own address', () => {
    const config = sshdConfig(first);
    assert.match(config, /^PasswordAuthentication no$/m);
    assert.match(config, /^ListenAddress 198\.18\.0\.11$/m);
    assert.match(config, /^AllowStreamLocalForwarding yes$/m);
  });

  it('leave the OOM score alone only where limits cannot be raised', () => {
    assert.match(containerdConfig(true), /restrict_oom_score_adj = true/);
    assert.doesNotMatch(containerdConfig(false), /restrict_oom_score_adj/);
  });

  it('send pulls of registry.lab to the bridge', () => {
    assert.match(
      registryHostsToml('198.18.0.1:5000'),
      /\[host\."http:\/\/198\.18\.0\.1:5000"\]\n {2}capabilities = \["pull", "resolve"\]/,
    );
  });

  it('name every host of the lab', () => {
    assert.match(hostsFile(settings), /^198\.18\.0\.12 node-2$/m);
  });

  it('identify every host by 32 hex digits that stay the same', () => {
    assert.match(machineId(settings, first), /^[0-9a-f]{32}$/);
    assert.equal(machineId(settings, first), machineId(settings, first));
    assert.notEqual(machineId(settings, first), machineId(settings, second));
  });
});
