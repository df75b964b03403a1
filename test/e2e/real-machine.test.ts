/**
 * A real Debian machine (systemd, cgroup v2, its own kernel) on the lab's bridge joins the fleet as a user would add
 * it, survives a reboot, and is let go again.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildImage, bootVm, vmUnsupported, type Vm } from '../support/vm/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp, STAY_ON_LOST_NODES } from './manifests.ts';

const CACHE = path.resolve(import.meta.dirname, '../../.cache/vm');
const unsupported = vmUnsupported();
const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
/**
 * For what hangs, in seconds: software emulation on a busy machine needs minutes for what a machine does in seconds.
 */
const PATIENCE = 900;

describe('a real machine', { skip: unsupported ?? false }, () => {
  let fleet: Fleet;
  let vm: Vm;

  before(async () => {
    const image = await buildImage({ dir: CACHE });
    fleet = await Fleet.start({
      name: 'e2evm',
      subnet: '198.18.17.0/24',
      podCIDR: '198.18.96.0/19',
      serviceCIDR: '198.19.128.0/18',
      nodes: 1,
    });
    vm = await bootVm({
      image,
      lab: fleet.lab,
      name: 'vm-1',
      address: '198.18.17.50',
      dir: path.join(fleet.dir, 'vm-1'),
    });
  });
  after(async () => {
    await fleet?.stopControlPlane();
    await vm?.close();
    await fleet?.close();
  });

  it('joins with plumb node add and a push', async () => {
    const added = await fleet.plumb(
      'node',
      'add',
      `root@${vm.address}`,
      '--name',
      'vm-1',
      '--host-key',
      vm.hostKey,
      '--ssh-key',
      fleet.lab.sshKeyPath,
      '--internal-ip',
      vm.address,
    );
    assert.equal(added.code, 0, added.stderr);
    await fleet.commitAndPush('Add vm-1');
    await fleet.nodesReady(['vm-1'], PATIENCE);
    const node = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1');
    assert.match(node?.status?.nodeInfo?.osImage ?? '', /Debian GNU\/Linux 12/);
    assert.equal((await vm.ssh('systemctl is-active plumbline-agent.service')).stdout.trim(), 'active');
    assert.equal((await vm.ssh('stat -fc %T /sys/fs/cgroup')).stdout.trim(), 'cgroup2fs');
  });

  it('runs pods in the same network', async () => {
    for (const [name, node] of [
      ['there', 'vm-1'],
      ['here', 'node-1'],
    ] as const) {
      await fleet.write(
        `apps/${name}.yaml`,
        helloApp({ name, replicas: 1, pod: `nodeSelector: {kubernetes.io/hostname: ${node}}\n${STAY_ON_LOST_NODES}` }),
      );
    }
    await fleet.commitAndPush('One app on each machine');
    const [there] = await fleet.podsReady('there', 1, { seconds: PATIENCE });
    const [here] = await fleet.podsReady('here', 1, { seconds: PATIENCE });
    assert.equal(there?.spec.nodeName, 'vm-1');
    assert.equal(here?.spec.nodeName, 'node-1');
    const url = {
      there: `http://${await fleet.clusterIP('there')}/`,
      here: `http://${await fleet.clusterIP('here')}/`,
    };
    assert.match(
      await eventually('the lab host reaches the machine', PATIENCE, () => fleet.httpFrom('node-1', url.there)),
      /pod there-/,
    );
    await eventually(
      'a pod of the lab host reaches the machine',
      PATIENCE,
      async () => (await fleet.plumb('exec', here.metadata.name, '--', 'wget', '-q', '-O', '-', url.there)).code === 0,
    );
    await eventually(
      'a pod of the machine reaches the lab host',
      PATIENCE,
      async () => (await fleet.plumb('exec', there.metadata.name, '--', 'wget', '-q', '-O', '-', url.here)).code === 0,
    );
  });

  for (let round = 1; round <= REPEAT; round += 1) {
    it(`survives a reboot (${round})`, async () => {
      const [before] = await fleet.podsReady('there', 1, { seconds: PATIENCE });
      const boot = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1')?.status?.nodeInfo?.bootID;
      await vm.reboot();
      await eventually('the node is back with another boot id', PATIENCE, async () => {
        const node = (await fleet.list('Node')).find((n) => n.metadata.name === 'vm-1');
        return (
          node?.status?.nodeInfo?.bootID !== boot &&
          node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')
        );
      });
      const [after] = await fleet.podsReady('there', 1, { seconds: PATIENCE });
      assert.equal(after?.metadata.uid, before?.metadata.uid, 'the same pod, started again on its machine');
      const url = `http://${await fleet.clusterIP('there')}/`;
      assert.match(await eventually('it answers', PATIENCE, () => fleet.httpFrom('node-1', url)), /pod there-/);
    });
  }

  it('is let go with plumb node rm, a push and plumb node clean, which leaves nothing behind', async () => {
    // Pods that may run anywhere, and start on the machine since nothing else takes them.
    await edit('cordon', 'node-1');
    await fleet.write('apps/roaming.yaml', helloApp({ name: 'roaming', replicas: 2 }));
    await fleet.commitAndPush('Add roaming while node-1 is cordoned');
    const before = await fleet.podsReady('roaming', 2, { seconds: PATIENCE });
    assert.deepEqual(
      before.map((pod) => pod.spec.nodeName),
      ['vm-1', 'vm-1'],
    );
    await edit('uncordon', 'node-1');
    await edit('rm', 'vm-1');
    await fleet.commitAndPush('Remove vm-1');
    await eventually('the Node is gone, and no pod is bound to it', PATIENCE, async () => {
      const [nodes, machines, pods] = await Promise.all([fleet.list('Node'), fleet.list('Machine'), fleet.list('Pod')]);
      return (
        [...nodes, ...machines].every((object) => object.metadata.name !== 'vm-1') &&
        pods.every((pod) => pod.spec.nodeName !== 'vm-1')
      );
    });
    const after = await fleet.podsReady('roaming', 2, { seconds: PATIENCE });
    assert.deepEqual(
      after.map((pod) => pod.spec.nodeName),
      ['node-1', 'node-1'],
    );

    const there = (await vm.ssh(LEFT_ON_MACHINE)).stdout;
    for (const part of [
      '/opt/plumbline',
      '/var/lib/plumbline',
      'plumbline-agent.service',
      'table ip plumbline',
      '10-plumbline.conflist',
      'agent.mjs',
    ])
      assert.ok(there.includes(part), `${part} is not in:\n${there}`);
    // The second time there is nothing to do.
    for (let times = 0; times < 2; times += 1) {
      const cleaned = await fleet.plumb(
        'node',
        'clean',
        `root@${vm.address}`,
        '--host-key',
        vm.hostKey,
        '--ssh-key',
        fleet.lab.sshKeyPath,
      );
      assert.equal(cleaned.code, 0, cleaned.stderr);
    }
    const asked = await vm.ssh(LEFT_ON_MACHINE);
    assert.deepEqual([asked.code, asked.stdout], [0, ''], asked.stderr);
  });

  /** A change of a machine's file, not pushed. */
  async function edit(change: 'cordon' | 'uncordon' | 'rm', node: string): Promise<void> {
    const changed = await fleet.plumb('node', change, node);
    assert.equal(changed.code, 0, changed.stderr);
  }
});

/**
 * Prints what there may be of Plumbline, a line each: files, unit, processes, containers and their mounts, rules,
 * devices, routes, cgroups.
 */
const LEFT_ON_MACHINE = [
  'find / -xdev -iname "*plumb*" -not -path "/proc/*"',
  'find /run /etc/systemd /sys/fs/cgroup -iname "*plumb*"',
  'systemctl list-units --all --no-legend "*plumb*"',
  'systemctl list-unit-files --no-legend "*plumb*"',
  'pgrep -af "[p]lumbline|[c]ontainerd-shim"',
  'ctr -n k8s.io containers list -q',
  'ctr -n k8s.io tasks list -q',
  'grep -E "plumb|/run/netns|io.containerd.runtime" /proc/mounts',
  'nft list ruleset',
  'ip -o link | grep -E "plumb|veth|vxlan"',
  'ip route show table all proto 78',
  'ls /etc/cni/net.d',
  'true',
].join('; ');
