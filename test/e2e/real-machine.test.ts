/**
 * A real Debian machine (systemd, cgroup v2, its own kernel) on the lab's bridge joins the fleet as a user would add
 * it, survives a reboot, and is let go again.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { buildImage, bootVm, vmUnsupported, type Vm } from '../support/vm/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp, STAY_ON_LOST_NODES } from './manifests.ts';
import { setClock, TICKING, tickingPod } from './ticking.ts';

const CACHE = path.resolve(import.meta.dirname, '../../.cache/vm');
const unsupported = vmUnsupported();
const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
/**
 * For what hangs, in seconds: software emulation on a busy machine needs minutes for what a machine does in seconds.
 */
const PATIENCE = 900;

/** What takes an emulated machine longer than all the rest is run where somebody asks for it. */
function notAsked(variable: string): string | false {
  return process.env[variable] === undefined && `set ${variable}=1: it takes a quarter of an hour more`;
}

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

  it('runs an agent that is confined as its unit says, and sees the mounts of the machine', async () => {
    const show = 'systemctl show plumbline-agent.service --property';
    const pid = (await vm.ssh(`${show} MainPID --value`)).stdout.trim();
    assert.match((await vm.ssh(`tr '\\0' ' ' < /proc/${pid}/cmdline`)).stdout, /agent\.mjs/);
    const told = (
      await vm.ssh(`${show} LimitCORE,LimitNOFILE,OOMScoreAdjust,Restart,KillMode,Delegate,NeedDaemonReload`)
    ).stdout;
    assert.deepEqual(told.trim().split('\n').sort(), [
      'Delegate=yes',
      'KillMode=process',
      'LimitCORE=0',
      'LimitNOFILE=65536',
      'NeedDaemonReload=no',
      'OOMScoreAdjust=-999',
      'Restart=always',
    ]);
    const limits = (await vm.ssh(`cat /proc/${pid}/limits`)).stdout;
    assert.match(limits, /^Max core file size +0 +0 /m);
    assert.match(limits, /^Max open files +65536 +65536 /m);
    assert.equal((await vm.ssh(`cat /proc/${pid}/oom_score_adj`)).stdout.trim(), '-999');
    const status = (await vm.ssh(`cat /proc/${pid}/status`)).stdout;
    assert.match(status, /^NoNewPrivs:\t1$/m);
    // The filter by which systemd keeps it from other sockets, personalities and schedulers.
    assert.match(status, /^Seccomp:\t2$/m);
    const bounds = BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? ''}`);
    const may = (bit: number): boolean => (bounds & (1n << BigInt(bit))) !== 0n;
    assert.deepEqual(
      Object.entries(NEVER_NEEDED).filter(([, bit]) => may(bit)),
      [],
    );
    assert.ok(may(CAP_SYS_ADMIN), 'it mounts');
    const [own, first] = (await vm.ssh(`readlink /proc/${pid}/ns/mnt /proc/1/ns/mnt`)).stdout.trim().split('\n');
    assert.equal(own, first);
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

  it('carries packets of pods through WireGuard', async () => {
    const stdout = await runThere('../integration/network/wireguard.test.ts');
    assert.match(stdout, /ok \d+ - carries packets between pods of two nodes, and nothing of them in the clear$/m);
  });

  it('has a WireGuard key that it tells, and is refused by name where the kernel has none', async () => {
    const told = async (name: string) => (await fleet.list('Node')).find((n) => n.metadata.name === name)?.status;
    const manifest = await readFile(path.join(fleet.checkout, 'plumbline.yaml'), 'utf8');
    await fleet.write('plumbline.yaml', manifest.replace('  network:\n', '  network:\n    overlay: wireguard\n'));
    await fleet.commitAndPush('Encrypt what goes between nodes');
    const key = await eventually('the machine tells its key', PATIENCE, async () => (await told('vm-1'))?.wireguard);
    assert.equal((await vm.ssh('wg show plumb-wg public-key')).stdout.trim(), key.publicKey);
    const KEY_FILE = '/var/lib/plumbline/wireguard/private-key';
    assert.equal((await vm.ssh(`stat -c '%a %U' ${KEY_FILE}`)).stdout.trim(), '600 root');
    await vm.ssh('systemctl restart plumbline-agent.service');
    await fleet.nodesReady(['vm-1'], PATIENCE);
    assert.equal((await vm.ssh('wg show plumb-wg public-key')).stdout.trim(), key.publicKey);
    const here = await fleet.on('node-1', ['ip', 'link', 'add', 'plumb-try', 'type', 'wireguard']);
    if (here.code === 0) await fleet.on('node-1', ['ip', 'link', 'delete', 'plumb-try']);
    else
      await eventually('the lab host says that it cannot', PATIENCE, async () =>
        (await told('node-1'))?.conditions?.some(
          ({ type, status, message }) =>
            type === 'NetworkUnavailable' &&
            status === 'True' &&
            /no WireGuard.*spec\.network\.overlay/.test(message ?? ''),
        ),
      );
    await fleet.write('plumbline.yaml', manifest);
    await fleet.commitAndPush('Encrypt nothing');
    await eventually(
      'the device is gone',
      PATIENCE,
      async () => !(await vm.ssh('ip -o link')).stdout.includes('plumb-wg'),
    );
    await eventually('the network is as it was', PATIENCE, async () =>
      (await Promise.all(['vm-1', 'node-1'].map(told))).every((status) =>
        status?.conditions?.some(({ type, status: is }) => type === 'NetworkUnavailable' && is === 'False'),
      ),
    );
  });

  for (const [what, file, said, setting] of [
    ['the contract', '../contract/packet-filter/ipvs.test.ts', 'packet filter that forwards by IPVS'],
    ['each scheduler, policies and repair', '../integration/network/ipvs.test.ts', 'network: IPVS'],
    [
      'all of the Services',
      '../integration/network/services.test.ts',
      'network: Services by IPVS',
      'PLUMB_TEST_LAYOUT=ipvs',
    ],
  ] as const)
    it(`forwards by IPVS: ${what}`, { skip: notAsked('PLUMB_IPVS') }, async () => {
      assert.equal((await vm.ssh('modprobe ip_vs')).code, 0);
      assert.match(await runThere(file, setting), new RegExp(`ok \\d+ - ${said}$`, 'm'));
    });

  it('forwards by IPVS where a Cluster asks for it, and a node without says so', async () => {
    assert.equal((await vm.ssh('modprobe ip_vs')).code, 0);
    const manifest = await readFile(path.join(fleet.checkout, 'plumbline.yaml'), 'utf8');
    const asked = '  network:\n    packetFilter: ipvs\n    ipvs: {scheduler: lc}\n';
    await fleet.write('plumbline.yaml', manifest.replace('  network:\n', asked));
    await fleet.commitAndPush('Forward by IPVS');
    const address = await fleet.clusterIP('here');
    const servers = async (): Promise<string> => (await vm.ssh('ipvsadm -L -n')).stdout;
    await eventually('the machine has a virtual server', PATIENCE, async () =>
      (await servers()).includes(`TCP  ${address}:80 lc`),
    );
    const [there] = await fleet.podsReady('there', 1, { seconds: PATIENCE });
    const ask = ['exec', there?.metadata.name ?? '', '--', 'wget', '-q', '-O', '-', `http://${address}/`];
    await eventually('a pod of the machine is led by it', PATIENCE, async () => (await fleet.plumb(...ask)).code === 0);
    const without = await fleet.on('node-1', ['test', '-e', '/proc/net/ip_vs']);
    if (without.code !== 0)
      await eventually('the lab host says that it cannot', PATIENCE, async () =>
        (await fleet.list('Node'))
          .find((n) => n.metadata.name === 'node-1')
          ?.status?.conditions?.some(
            ({ type, message }) =>
              type === 'NetworkUnavailable' && /cannot forward by ipvs as the Cluster asks/.test(message ?? ''),
          ),
      );
    await vm.ssh('ipvsadm -C');
    await eventually('it is written again', PATIENCE, async () => (await servers()).includes(`TCP  ${address}:80 lc`));
    await fleet.write('plumbline.yaml', manifest);
    await fleet.commitAndPush('Forward by nftables');
    await eventually('nothing of it is left', PATIENCE, async () => !(await servers()).includes(address));
    await eventually('nftables leads', PATIENCE, async () => (await fleet.plumb(...ask)).code === 0);
  });

  it('ends nothing, is heard and probes as before when its clock is set an hour forward and an hour back', async () => {
    // What an emulated machine needs seconds for, another does in milliseconds.
    const pods = { set: 'ticking-there', other: 'ticking-here', slack: 20 };
    const text = `${tickingPod(pods.set, 'vm-1')}---\n${tickingPod(pods.other, 'node-1')}`;
    await fleet.write(`apps/${TICKING}.yaml`, text);
    await fleet.commitAndPush('Run pods that count their probes');
    let off = 0;
    await setClock(fleet, pods, async (seconds) => {
      const set = await vm.ssh(`date --set @$(($(date +%s) + ${seconds - off})) && date +%s`);
      assert.equal(set.code, 0, set.stderr);
      off = seconds;
    });
    await fleet.removeFiles(`apps/${TICKING}.yaml`);
    await eventually('they are gone', PATIENCE, async () => (await fleet.pods(TICKING)).length === 0);
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

  /** Runs a file of tests on the machine itself, by the agent's own runtime: this machine's kernel may lack what they need. */
  async function runThere(file: string, setting = 'PLUMB_TEST=there'): Promise<string> {
    const pid = (await vm.ssh('systemctl show plumbline-agent.service --property MainPID --value')).stdout.trim();
    const runtime = (await vm.ssh(`readlink /proc/${pid}/exe`)).stdout.trim();
    const { outputFiles } = await build({
      entryPoints: [path.resolve(import.meta.dirname, file)],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      write: false,
      outdir: 'out',
    });
    const text = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
    const put = await vm.ssh('base64 -d > /tmp/there.test.mjs', undefined, text);
    assert.equal(put.code, 0, put.stderr);
    // Beside the file that reads it, as where it was written.
    const sctp = await readFile(path.resolve(import.meta.dirname, '../integration/network/sctp.pl'), 'utf8');
    const putProgram = await vm.ssh('cat > /tmp/sctp.pl', undefined, sctp);
    assert.equal(putProgram.code, 0, putProgram.stderr);
    const { code, stdout, stderr } = await vm.ssh(
      `cd /tmp && ${setting} ${runtime} --test --test-reporter=tap there.test.mjs; code=$?; rm there.test.mjs sctp.pl; exit $code`,
    );
    assert.equal(code, 0, `${stdout}${stderr}`);
    return stdout;
  }

  /** A change of a machine's file, not pushed. */
  async function edit(change: 'cordon' | 'uncordon' | 'rm', node: string): Promise<void> {
    const changed = await fleet.plumb('node', change, node);
    assert.equal(changed.code, 0, changed.stderr);
  }
});

/** Bits of the capabilities that the unit takes. Source: capabilities(7), linux/capability.h. */
const NEVER_NEEDED = {
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_BOOT: 22,
  CAP_SYS_TIME: 25,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
};
const CAP_SYS_ADMIN = 21;

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
  'ipvsadm --save -n',
  'ip rule show pref 7846',
  'ip route show table 7846 2>/dev/null',
  'ip -o link | grep -E "plumb|veth|vxlan"',
  'ip route show table all proto 78',
  'ls /etc/cni/net.d',
  'true',
].join('; ');
