/** A real Debian machine on a lab's bridge. Building its image takes minutes the first time; it is kept in .cache/vm. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { labDown, labExec, labUp } from '../../../cli/lab/index.ts';
import { bootVm, buildImage, vmUnsupported, type Vm } from '../../support/vm/index.ts';
import { labUnsupported } from './unsupported.ts';

describe('a Debian machine on the lab', { skip: labUnsupported() || vmUnsupported() || false }, () => {
  const name = `plv${process.pid}`.slice(0, 10);
  let work: string;
  let vm: Vm;

  before(async () => {
    work = await mkdtemp('/var/tmp/plumb-vm-');
    const image = await buildImage();
    const lab = await labUp({ name, dir: join(work, 'lab'), subnet: '198.18.11.0/24', nodes: 1 });
    vm = await bootVm({ image, lab, name: 'vm0', address: '198.18.11.50', dir: join(work, 'vm0') });
  });
  after(async () => {
    await vm?.close();
    await labDown({ name, dir: join(work, 'lab') });
    await rm(work, { recursive: true, force: true });
    assert.deepEqual((await readdir('/sys/class/net')).filter((device) => device.startsWith(name)), []);
  });

  it('runs systemd, containerd and version 2 cgroups', async () => {
    const said = await vm.ssh('cat /proc/1/comm; systemctl is-active ssh; stat -fc %T /sys/fs/cgroup; hostname; until systemctl is-active containerd; do sleep 1; done');
    assert.deepEqual(said.stdout.trim().split('\n').filter((line) => line !== 'activating'), ['systemd', 'active', 'cgroup2fs', 'vm0', 'active'], said.stderr);
  });

  it('reaches the lab and is reached from it, and pulls from its registry', async () => {
    assert.equal((await labExec({ dir: join(work, 'lab'), node: 'node-1', argv: ['busybox', 'ping', '-c', '1', '-W', '5', vm.address] })).code, 0);
    const pulled = await vm.ssh('ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d registry.lab/hello:1 >/dev/null && ctr -n k8s.io images ls -q');
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(pulled.stdout, /^registry\.lab\/hello:1$/m);
  });

  it('comes back from a reboot with its disk', async () => {
    await vm.ssh('echo kept > /var/lib/mark; sync');
    assert.ok((await vm.reboot()) > 0);
    assert.equal((await vm.ssh('cat /var/lib/mark')).stdout, 'kept\n');
  });
});
