/** Addresses that a router is told of: BIRD in a namespace of its own on the hosts' network, and clients there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tied } from '../../support/tied.ts';
import { makeNamespace, type Namespace } from '../../integration/network/namespace.ts';
import { eventually, run, type Fleet, type LoadResult } from '../fleet.ts';

const SECONDS = 60;
const PASSWORD = 'sesame';
/** RFC 4271's least. */
const HOLD_SECONDS = 3;
const RATE = 20;

export interface RoutedWorld {
  /** Where pods `app: web` tell at 8080 `/cgi-bin/who` their host name and the client's address, on every host. */
  readonly namespace: string;
  /** The router's address on the hosts' network, with its length. */
  readonly router: string;
  readonly pool: string;
}

function manifests({ namespace, router, pool }: RoutedWorld): string {
  const service = (name: string, policy: string): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations: { 'metallb.io/address-pool': 'routed' } },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: policy,
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  });
  const metadata = { name: 'routed', namespace };
  const v1 = 'metallb.io/v1beta1';
  return [
    { apiVersion: v1, kind: 'IPAddressPool', metadata, spec: { addresses: [pool], autoAssign: false } },
    { apiVersion: v1, kind: 'Community', metadata, spec: { communities: [{ name: 'ours', value: '64500:7' }] } },
    {
      apiVersion: v1,
      kind: 'BGPAdvertisement',
      metadata,
      spec: { ipAddressPools: ['routed'], communities: ['ours'] },
    },
    {
      apiVersion: 'metallb.io/v1beta2',
      kind: 'BGPPeer',
      metadata,
      spec: {
        myASN: 64500,
        peerASN: 64501,
        peerAddress: router.split('/')[0],
        holdTime: `${HOLD_SECONDS}s`,
        connectTime: '1s',
        passwordSecret: { name: 'routed' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'kubernetes.io/basic-auth',
      stringData: { username: '', password: PASSWORD },
    },
    service('anywhere', 'Cluster'),
    service('here', 'Local'),
  ]
    .map((one) => `${JSON.stringify(one)}\n`)
    .join('---\n');
}

export function routedServices(fleetOf: () => Fleet, world: RoutedWorld): void {
  describe('addresses that a router is told of', () => {
    let fleet: Fleet;
    let router: Namespace;
    let end: () => Promise<void> = () => Promise.resolve();

    before(async () => {
      fleet = fleetOf();
      router = makeNamespace('router');
      const { bridge, nodes } = fleet.lab;
      const cable = `${fleet.lab.name}-router`.slice(0, 15);
      await router.sh('ip', 'link', 'set', 'lo', 'up');
      await router.sh('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', cable, 'netns', String(process.pid));
      const plugged = await run(['ip', 'link', 'set', cable, 'master', bridge, 'up']);
      assert.equal(plugged.code, 0, plugged.stderr);
      await router.sh('ip', 'address', 'add', world.router, 'dev', 'eth0');
      await router.sh('ip', 'link', 'set', 'eth0', 'up');
      // Each connection for itself, not each client.
      await router.sh('sysctl', '-q', '-w', 'net.ipv4.fib_multipath_hash_policy=1');
      const own = world.router.split('/')[0] ?? '';
      const sessions = nodes.map(
        ({ address }, i) => `protocol bgp n${i} {
  local ${own} as 64501; neighbor ${address} as 64500; password "${PASSWORD}"; strict bind on;
  hold time ${HOLD_SECONDS}; connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export none; };
}`,
      );
      const config = `${fleet.dir}/router.conf`;
      const control = `${fleet.dir}/router.ctl`;
      await writeFile(
        config,
        [
          `router id ${own};`,
          'log stderr { error, fatal, bug };',
          'protocol device {}',
          'protocol kernel { merge paths on; ipv4 { export all; import none; }; }',
          ...sessions,
          '',
        ].join('\n'),
      );
      const [program, ...args] = tied(...router.enter, 'bird', '-f', '-c', config, '-s', control);
      const bird = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      end = async () => {
        bird.kill('SIGKILL');
        if (bird.exitCode === null && bird.signalCode === null) await once(bird, 'exit');
        router.remove();
      };
      await eventually('the router runs', 60, () => Promise.resolve(existsSync(control)));
      await fleet.write('routed.yaml', manifests(world));
      await fleet.commitAndPush('Tell a router of addresses');
    });
    after(async () => {
      await end();
    });

    const addressOf = (name: string): Promise<string> =>
      eventually(`${name} has an address`, SECONDS, async () => {
        const found = (await fleet.list('Service', world.namespace)).find(({ metadata }) => metadata.name === name);
        return found?.status?.loadBalancer?.ingress?.[0]?.ip;
      });
    /** Hosts by which the router reaches the address. */
    const ways = async (address: string): Promise<readonly string[]> => {
      const text = await router.sh('ip', '-4', 'route', 'show', `${address}/32`);
      return fleet.lab.nodes.filter((one) => text.includes(`via ${one.address} `)).map(({ name }) => name);
    };
    /** Answers when they had come to that number: not before the first of these, and by the second. */
    const untilWays = async (address: string, count: number): Promise<readonly [from: number, to: number]> => {
      let from = Date.now();
      await eventually(`${address} has ${count} ways`, SECONDS, async () => {
        const looked = Date.now();
        if ((await ways(address)).length === count) return true;
        from = looked;
        return false;
      });
      return [from, Date.now()];
    };
    const load = async (address: string): Promise<{ stop(): Promise<LoadResult> }> => {
      const script = path.join(import.meta.dirname, '..', 'load.mjs');
      const url = `http://${address}/cgi-bin/who`;
      const [program, ...args] = tied(...router.enter, process.execPath, script, url, String(RATE));
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      await lines.next();
      return {
        async stop() {
          child.stdin.end();
          const line: IteratorResult<string, undefined> = await lines.next();
          return JSON.parse(line.value ?? '') as LoadResult;
        },
      };
    };
    /** About so many requests, each a connection. */
    const asked = async (address: string, count: number): Promise<LoadResult> => {
      const running = await load(address);
      await delay((count * 1000) / RATE);
      return await running.stop();
    };

    it('lead to every host, and connections are spread over them', async () => {
      const address = await addressOf('here');
      await untilWays(address, 3);
      const { answers, failures } = await asked(address, 60);
      assert.deepEqual(failures, []);
      const [pods, clients] = [0, 1].map((i) => new Set(Object.keys(answers).map((line) => line.split(' ')[i])));
      assert.equal(pods?.size, 3);
      // With Local the client's own address is kept.
      assert.equal(clients?.size, 1);
      assert.match([...(clients ?? [])][0] ?? '', new RegExp(`${world.router.split('/')[0] ?? ''}\\]?$`));
      await eventually('all sessions are told', SECONDS, async () =>
        (await fleet.list('Node')).every(({ status }) => status?.bgp?.sessions[0]?.established === true),
      );
    });

    it('are taken back from a host that is drained', async () => {
      const address = await addressOf('anywhere');
      await untilWays(address, 3);
      const running = await load(address);
      assert.equal((await fleet.plumb('node', 'drain', 'node-1', '--commit')).code, 0);
      await fleet.push();
      const less = await untilWays(address, 2);
      assert.equal((await ways(address)).includes('node-1'), false);
      assert.equal((await fleet.plumb('node', 'uncordon', 'node-1', '--commit')).code, 0);
      await fleet.push();
      const more = await untilWays(address, 3);
      const { sent, failures } = await running.stop();
      // One under way may be led to another host as the number of ways changes: that is the router's to choose.
      const others = failures.filter(({ startedAt, at }) =>
        [less, more].every(([from, to]) => Date.parse(startedAt) > to || Date.parse(at) < from),
      );
      assert.deepEqual(others, []);
      assert.ok(sent > RATE && failures.length <= 4, JSON.stringify(failures.slice(0, 10)));
    });

    it('are led elsewhere when a host dies, with the control plane away, and back', async () => {
      // Each host to its own pods: nobody tells the others of a pod that is gone while the control plane is away.
      const address = await addressOf('here');
      await untilWays(address, 3);
      await fleet.stopControlPlane();
      const running = await load(address);
      await fleet.powerOff('node-2');
      const died = Date.now();
      await untilWays(address, 2);
      const moved = Date.now() - died;
      const { failures } = await running.stop();
      const last = Math.max(0, ...failures.map(({ startedAt }) => Date.parse(startedAt) - died));
      process.stderr.write(
        `# the router led around a dead host in ${moved} ms; the last lost request began at ${last} ms\n`,
      );
      assert.deepEqual((await asked(address, 20)).failures, []);
      // A machine that starts has the router's password again once it is told: it is on no disk.
      await fleet.powerOn('node-2');
      await fleet.startControlPlane();
      await untilWays(address, 3);
    });

    it('are taken back with their Service', async () => {
      const address = await addressOf('anywhere');
      await fleet.removeFiles('routed.yaml');
      await untilWays(address, 0);
      await eventually('no node speaks to a router', SECONDS, async () =>
        (await fleet.list('Node')).every(({ status }) => status?.bgp === undefined),
      );
    });
  });
}
