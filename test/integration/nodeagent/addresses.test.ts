/** Addresses that nobody gave back: the real plugins, a real containerd, and what is left of a sandbox. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createCniConfigFile } from '../../../nodeagent/adapters/cni/file.ts';
import { createPodNetwork } from '../../../nodeagent/adapters/cni/pod-network.ts';
import { criImages } from '../../../nodeagent/adapters/cri/cri-images.ts';
import { criRuntime } from '../../../nodeagent/adapters/cri/cri-runtime.ts';
import { GrpcClient } from '../../../nodeagent/adapters/cri/grpc.ts';
import { readEnd } from '../../../nodeagent/adapters/disk/descriptors.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { renderConflist } from '../../../nodeagent/core/cni/conflist.ts';
import { createAddressSweep, SANDBOX_PATIENCE_MS } from '../../../nodeagent/loops/address-keeper.ts';
import type { ContainerRuntime } from '../../../nodeagent/ports/container-runtime.ts';
import type { PodNetwork } from '../../../nodeagent/ports/pod-network.ts';
import { podMaker } from '../../contract/container-runtime/pods.ts';
import { startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';

const PLUGINS = '/usr/lib/cni';
const stranger = (digit: string): string => digit.repeat(64);

describe('addresses of sandboxes that are gone', () => {
  let host: TestHost;
  let runtime: ContainerRuntime;
  let network: PodNetwork;
  let sweep: (signal: AbortSignal) => Promise<number>;
  let now = 0;
  const { signal } = new AbortController();
  const { newPod, sandboxOf } = podMaker(() => ({ image: 'any', logFolder: `${host.folder}/logs` }));
  const reservations = () => join(host.folder, 'ipam', 'plumbline');
  const held = async (): Promise<string[]> =>
    (await readdir(reservations())).filter((name) => /^[\d.]+$/.test(name)).sort();
  const namespaces = async (): Promise<string> => host.run(['ip', 'netns', 'list']);

  before(async () => {
    host = await startHost();
    const path = join(host.folder, 'cni', '05-plumbline.conflist');
    const dataDir = join(host.folder, 'ipam');
    await writeFile(path, renderConflist({ podRange: '198.18.78.0/24', mtu: 1450, dataDir }));
    const client = new GrpcClient(host.containerdSocket);
    const run = createRunCommand({
      prefix: ['nsenter', '--target', String(host.pid), '--mount', '--pid', '--net', '--'],
    });
    runtime = criRuntime({ client, folder: `${host.folder}/commands`, run, clock: systemClock });
    const { sandboxImage } = await runtime.health(signal);
    await criImages(client, host.containerdSocket, host.folder).ensureSandboxImage(sandboxImage, signal);
    // containerd notices a new file of its folder in its own time.
    for (let tries = 0; ; tries += 1) {
      const id = await runtime.runSandbox(sandboxOf(newPod()), signal);
      const address = (await runtime.sandboxAddresses(id, signal))[0] ?? '';
      await runtime.stopSandbox(id, signal);
      await runtime.removeSandbox(id, signal);
      if (address.startsWith('198.18.78.')) break;
      assert.ok(tries < 50, `containerd stays with ${address}`);
    }
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    network = createPodNetwork({ run, config: createCniConfigFile({ run, path, dataDir }), readEnd });
    sweep = createAddressSweep({ network, runtime, clock: { ...systemClock, monotonic: () => now }, log });
  });
  after(async () => {
    await runtime.close();
    await host.close();
  });

  /** What a runtime does first when it makes a sandbox; where it is killed then, nobody undoes it. */
  async function attach(sandboxId: string, namespace: string): Promise<string> {
    await host.run(['ip', 'netns', 'add', namespace]);
    const config = JSON.parse(
      renderConflist({ podRange: '198.18.78.0/24', mtu: 1450, dataDir: join(host.folder, 'ipam') }),
    ) as { cniVersion: string; name: string; plugins: object[] };
    const file = join(host.folder, 'plugin.json');
    await writeFile(file, JSON.stringify({ cniVersion: config.cniVersion, name: config.name, ...config.plugins[0] }));
    const answer = await host.run(['sh', '-ec', 'exec "$1/ptp" < "$2"', 'ptp', PLUGINS, file], {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: sandboxId,
      CNI_IFNAME: 'eth0',
      CNI_NETNS: `/run/netns/${namespace}`,
      CNI_PATH: PLUGINS,
    });
    return (JSON.parse(answer) as { ips: { address: string }[] }).ips[0]?.address.split('/')[0] ?? '';
  }

  async function afterAWholeStart(): Promise<number> {
    await sweep(signal);
    now += SANDBOX_PATIENCE_MS;
    return sweep(signal);
  }

  it('knows the folder of the plugins from containerd', async () => {
    assert.equal((await runtime.health(signal)).networkPlugins, PLUGINS);
  });

  it('gives back what no sandbox has, with its route, device and namespace, and nothing of a living one', async () => {
    const living = await runtime.runSandbox(sandboxOf(newPod()), signal);
    const foreign = await runtime.runSandbox(sandboxOf(newPod(), { labels: {} }), signal);
    const addresses = [
      (await runtime.sandboxAddresses(living, signal))[0] ?? '',
      (await runtime.sandboxAddresses(foreign, signal))[0] ?? '',
    ];
    const left = await attach(stranger('a'), 'cni-00000000-0000-4000-8000-00000000000a');
    await writeFile(join(reservations(), '198.18.78.200'), `${stranger('b')}\r\neth0`);
    assert.deepEqual(await held(), [...addresses, left, '198.18.78.200'].sort());

    assert.equal(await afterAWholeStart(), 2);
    assert.deepEqual(await held(), [...addresses].sort());
    assert.doesNotMatch(await namespaces(), /00000000000a/);
    const routes = await host.run(['ip', 'route', 'show']);
    assert.doesNotMatch(routes, new RegExp(`^${left.replaceAll('.', '\\.')} `, 'm'));
    for (const address of addresses) assert.match(routes, new RegExp(`^${address.replaceAll('.', '\\.')} dev`, 'm'));
    // The address is good for another pod.
    const next = await runtime.runSandbox(sandboxOf(newPod(), { address: left }), signal);
    assert.equal((await runtime.sandboxAddresses(next, signal))[0] ?? '', left);
  });

  it('leaves one in whose namespace a process lives', async () => {
    const namespace = 'cni-00000000-0000-4000-8000-00000000000c';
    const left = await attach(stranger('c'), namespace);
    const pids = async (): Promise<string> => (await host.run(['ip', 'netns', 'pids', namespace])).trim();
    host.spawn(['nsenter', `--net=/run/netns/${namespace}`, 'sleep', '1000']);
    await polled('the process starts', async () => (await pids()) !== '', { timeoutMs: 20_000 });
    await afterAWholeStart();
    assert.ok((await held()).includes(left));
    await host.run(['kill', '-KILL', await pids()]);
    await polled('the process ends', async () => (await pids()) === '', { timeoutMs: 20_000 });
    assert.equal(await sweep(signal), 1);
    assert.ok(!(await held()).includes(left));
  });

  describe('whose traffic is limited', () => {
    const RATE = 8_000_000;
    const BYTES = 2_000_000;
    /** What waits on a device: how often something had to, and what has left. */
    async function bucket(device: string): Promise<{ readonly overlimits: number; readonly bytes: number }> {
      const all = JSON.parse(await host.run(['tc', '-j', '-s', 'qdisc', 'show', 'dev', device])) as Record<
        string,
        unknown
      >[];
      const found = all.find(({ kind }) => kind === 'tbf');
      assert.ok(found, `${device} has no bucket`);
      return { overlimits: Number(found['overlimits']), bytes: Number(found['bytes']) };
    }
    const devices = (): Promise<string> => host.run(['ip', '-o', 'link', 'show', 'type', 'ifb']);

    it('gets and sends no more than that, and leaves nothing', async () => {
      const id = await runtime.runSandbox(sandboxOf(newPod()), signal);
      const address = (await runtime.sandboxAddresses(id, signal))[0] ?? '';
      const route = await host.run(['ip', 'route', 'show', `${address}/32`]);
      const cable = /dev (veth\S+)/.exec(route)?.[1] ?? '';
      const shaper = cable.replace('veth', 'plumb-b');
      const links = JSON.parse(await host.run(['ip', '-j', 'link', 'show', cable])) as { link_netnsid: number }[];
      const named = JSON.parse(await host.run(['ip', '-j', 'netns', 'list'])) as { name: string; id?: number }[];
      const namespace = named.find((one) => one.id === links[0]?.link_netnsid)?.name ?? '';
      const inPod = ['nsenter', `--net=/run/netns/${namespace}`];
      // As containers of one pod do that start at the same time, and one that starts again later.
      const limit = (): Promise<void> => network.limit(address, { ingress: RATE, egress: RATE }, signal);
      await Promise.all([limit(), limit(), limit()]);
      await limit();
      assert.match(await devices(), new RegExp(`${shaper}: .*UP`));

      /** Milliseconds that it takes. */
      async function send(from: readonly string[], to: readonly string[], at: string): Promise<number> {
        // Says when it listens, and ends when all has come.
        const takes = `require('net').createServer((c) => c.on('data', () => {}).on('end', () => process.exit())).listen(9000, '${at}', () => console.log('listens'))`;
        const sends = `require('net').connect(9000, '${at}').end(Buffer.alloc(${BYTES})).on('close', () => process.exit()).resume()`;
        const server = host.spawn([...to, process.execPath, '-e', takes]);
        const ended = once(server, 'exit');
        await once(server.stdout ?? server, 'data');
        const began = performance.now();
        await Promise.all([host.run([...from, process.execPath, '-e', sends]), ended]);
        return performance.now() - began;
      }
      const gateway = '198.18.78.1';
      // All but what goes at once; the bound is of physics, not of how fast the machine is.
      const least = ((BYTES - 65_536) * 8 * 1000 * 0.9) / RATE;
      assert.ok((await send([], inPod, address)) >= least);
      const got = await bucket(cable);
      assert.ok(got.overlimits > 0 && got.bytes >= BYTES, JSON.stringify(got));
      assert.ok((await send(inPod, [], gateway)) >= least);
      const sent = await bucket(shaper);
      assert.ok(sent.overlimits > 0 && sent.bytes >= BYTES, JSON.stringify(sent));

      await network.removeStaleLimits(signal);
      assert.match(await devices(), new RegExp(shaper), 'that of a living pod stays');
      await runtime.stopSandbox(id, signal);
      await runtime.removeSandbox(id, signal);
      await network.removeStaleLimits(signal);
      assert.equal(await devices(), '');
    });

    it('is told of where there is no such pod', async () => {
      await assert.rejects(network.limit('198.18.78.250', { ingress: RATE }, signal), /no cable to 198\.18\.78\.250/);
    });
  });

  it('follows no link and reads no more than a reservation is long', async () => {
    const elsewhere = join(host.folder, 'elsewhere');
    await writeFile(elsewhere, `${stranger('d')}\r\neth0`);
    await symlink(elsewhere, join(reservations(), '198.18.78.201'));
    await mkdir(join(reservations(), '198.18.78.202'));
    await writeFile(join(reservations(), '198.18.78.203'), 'x'.repeat(100_000));
    assert.equal(await afterAWholeStart(), 0);
    for (const name of ['198.18.78.201', '198.18.78.203']) assert.ok((await held()).includes(name));
    await rm(reservations(), { recursive: true });
  });
});
