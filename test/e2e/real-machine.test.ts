/** A real Debian machine (systemd, cgroup v2, its own kernel) on the lab's bridge joins the fleet as a user would add it, and survives a reboot. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildImage, bootVm, vmUnsupported, type Vm } from '../support/vm/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp } from './manifests.ts';

const CACHE = path.resolve(import.meta.dirname, '../../.cache/vm');
const unsupported = vmUnsupported();
const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');

describe('a real machine', { skip: unsupported ?? false }, () => {
  let fleet: Fleet;
  let vm: Vm;

  before(async () => {
    const image = await buildImage({ dir: CACHE });
    fleet = await Fleet.start({ name: 'e2evm', subnet: '198.18.17.0/24', podCIDR: '198.18.96.0/19', serviceCIDR: '198.19.128.0/18', nodes: 1 });
    vm = await bootVm({ image, lab: fleet.lab, name: 'vm-1', address: '198.18.17.50', dir: path.join(fleet.dir, 'vm-1') });
  });
  after(async () => {
    await fleet?.stopControlPlane();
    await vm?.close();
    await fleet?.close();
  });

  it('joins with plumb node add and a push', async () => {
    const added = await fleet.plumb('node', 'add', `root@${vm.address}`, '--name', 'vm-1', '--host-key', vm.hostKey, '--ssh-key', fleet.lab.sshKeyPath, '--internal-ip', vm.address);
    assert.equal(added.code, 0, added.stderr);
    await fleet.commitAndPush('Add vm-1');
    await fleet.nodesReady(['vm-1'], 180);
    const node = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1');
    assert.match(node?.status?.nodeInfo?.osImage ?? '', /Debian GNU\/Linux 12/);
    assert.equal((await vm.ssh('systemctl is-active plumbline-agent.service')).stdout.trim(), 'active');
    assert.equal((await vm.ssh('stat -fc %T /sys/fs/cgroup')).stdout.trim(), 'cgroup2fs');
  });

  it('runs pods in the same network', async () => {
    for (const [name, node] of [['there', 'vm-1'], ['here', 'node-1']] as const) {
      await fleet.write(`apps/${name}.yaml`, helloApp({ name, replicas: 1, pod: `nodeSelector: {kubernetes.io/hostname: ${node}}` }));
    }
    await fleet.commitAndPush('One app on each machine');
    const [there] = await fleet.podsReady('there', 1, { seconds: 120 });
    const [here] = await fleet.podsReady('here', 1, { seconds: 120 });
    assert.equal(there?.spec.nodeName, 'vm-1');
    assert.equal(here?.spec.nodeName, 'node-1');
    const url = { there: `http://${await fleet.clusterIP('there')}/`, here: `http://${await fleet.clusterIP('here')}/` };
    assert.match(await eventually('the lab host reaches the machine', 20, () => fleet.httpFrom('node-1', url.there)), /pod there-/);
    await eventually('a pod of the lab host reaches the machine', 20, async () => (await fleet.plumb('exec', here.metadata.name, '--', 'wget', '-q', '-O', '-', url.there)).code === 0);
    await eventually('a pod of the machine reaches the lab host', 20, async () => (await fleet.plumb('exec', there.metadata.name, '--', 'wget', '-q', '-O', '-', url.here)).code === 0);
  });

  for (let round = 1; round <= REPEAT; round += 1) {
    it(`survives a reboot (${round})`, async () => {
      const [before] = await fleet.podsReady('there', 1, { seconds: 120 });
      const boot = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1')?.status?.nodeInfo?.bootID;
      await vm.reboot();
      await eventually('the node is back with another boot id', 180, async () => {
        const node = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1');
        return node?.status?.nodeInfo?.bootID !== boot && node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
      });
      const [after] = await fleet.podsReady('there', 1, { seconds: 120 });
      assert.equal(after?.metadata.uid, before?.metadata.uid, 'the same pod, started again on its machine');
      const url = `http://${await fleet.clusterIP('there')}/`;
      assert.match(await eventually('it answers', 30, () => fleet.httpFrom('node-1', url)), /pod there-/);
    });
  }
});
