/** What Kubernetes' conformance suite asks of Services, endpoints and host ports. Source: kubernetes/test/e2e/network. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Reach } from '../../support/reach.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { HTTP_PORT, NAMESPACE, peer, PORT, Scene, SECOND_PORT, service } from './scene.ts';

const SECONDS = 30;
/** Of Kubernetes' test: half of the Services have their endpoints by then. Here all have. */
const LATENCY_SECONDS = 20;
const PEERS = ['peer-1', 'peer-2', 'peer-3'] as const;
const HOST_PORT = 54_323;
const ZONE = `${NAMESPACE}.svc.cluster.local`;
const EVERY = `every.${ZONE}`;

const selector = { app: 'peer' };
const ports = [{ port: 80, targetPort: PORT }];
const alias = { type: 'ExternalName', externalName: EVERY };
const sticky = { sessionAffinity: 'ClientIP' };
const tcp = { name: 'tcp', port: 80, targetPort: PORT };
const udp = { name: 'udp', port: 80, targetPort: PORT, protocol: 'UDP' };

/** Services that stay as they are. */
const STILL = [
  service('every', { type: 'NodePort', selector, ports }),
  service('nobody', { selector: { app: 'nobody' }, ports }),
  service('basic', { selector: { few: 'yes' }, ports }),
  service('few', {
    selector: { few: 'yes' },
    ports: [
      { name: 'first', port: 80, targetPort: 'first' },
      { name: 'second', port: 81, targetPort: 'second' },
    ],
  }),
];

/** Services of which each revision makes something else. */
const TURNS = [
  [
    service('stick', { selector, ports, ...sticky }),
    service('stick-node', { type: 'NodePort', selector, ports, ...sticky }),
    service('both', { selector, ports: [tcp, udp] }),
    service('to-alias', { selector, ports }),
    service('to-address', alias),
    service('to-node', alias),
    service('from-node', { type: 'NodePort', selector, ports }),
  ],
  [
    service('stick', { selector, ports }),
    service('stick-node', { type: 'NodePort', selector, ports }),
    service('both', { selector, ports: [tcp] }),
    service('to-alias', alias),
    service('to-address', { selector, ports }),
    service('to-node', { type: 'NodePort', selector, ports }),
    service('from-node', alias),
  ],
  [
    service('stick', { selector, ports, ...sticky }),
    service('stick-node', { type: 'NodePort', selector, ports, ...sticky }),
    service('both', { selector, ports: [udp] }),
  ],
] as const;

export function kubernetesServices(fleet: () => Fleet): void {
  describe('as Kubernetes tests them', () => {
    let scene: Scene;
    const nodes = () => fleet().lab.nodes;
    const [first, second, third] = [0, 1, 2].map((i) => () => nodes()[i] ?? { name: '', address: '' }) as [
      () => { name: string; address: string },
      () => { name: string; address: string },
      () => { name: string; address: string },
    ];

    before(async () => {
      scene = new Scene(fleet());
      const hosted = (name: string, hostIP: string, protocol: string): object =>
        peer(name, first().name, { app: 'hosted' }, [
          { name: 'host', containerPort: PORT, hostPort: HOST_PORT, hostIP, protocol },
        ]);
      await scene.push('Pods that tell their names, and Services', {
        space: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }],
        pods: [
          peer('client', second().name, { app: 'client' }),
          ...PEERS.map((name, i) => peer(name, [first, second, third][i]?.().name ?? '', selector)),
          hosted('loopback', '127.0.0.1', 'TCP'),
          hosted('at-address', first().address, 'TCP'),
          hosted('by-udp', first().address, 'UDP'),
        ],
        still: STILL,
        turns: TURNS[0],
      });
      await scene.enterHosts();
      await scene.enter('client', ...PEERS, 'loopback', 'at-address', 'by-udp');
      await eventually('all peers are endpoints', SECONDS, async () => (await scene.endpointsOf('every')).length === 3);
    });
    after(async () => {
      await scene?.leave();
    });

    /** Once every one of the peers has answered there, and nobody else. */
    const reachesAll = async (from: string, target: Reach): Promise<void> => {
      const heard = new Set<string>();
      await eventually(`${from} reaches all at ${target.join(' ')}`, SECONDS, async () => {
        for (const name of await scene.asks(from, target, target, target, target)) if (name) heard.add(name);
        return heard.size >= PEERS.length;
      });
      assert.deepEqual([...heard].sort(), PEERS);
    };
    /** Once nobody answers, and that again. */
    const reachesNobody = (from: string, target: Reach): Promise<unknown> =>
      eventually(`${from} reaches nobody at ${target.join(' ')}`, SECONDS, async () =>
        (await scene.asksOften(from, target, 2)).every((name) => name === undefined),
      );
    const addressesOf = (names: readonly string[]): Promise<string[]> =>
      Promise.all(names.map((name) => scene.addressOfPod(name)));

    it('pods reach pods of all hosts by HTTP [conformance: networking-intra-pod-http]', async () => {
      const addresses = await addressesOf(PEERS);
      const script = addresses.map((address) => `wget -qO- http://${address}:${HTTP_PORT}/who`).join(' && ');
      for (const from of ['client', ...PEERS]) {
        const { stdout } = await fleet().plumb('exec', from, '-n', NAMESPACE, '--', 'sh', '-c', script);
        assert.deepEqual(stdout.trim().split('\n'), PEERS, from);
      }
    });

    it('and by UDP [conformance: networking-intra-pod-udp]', async () => {
      const targets = (await addressesOf(PEERS)).map((address): Reach => [address, 'UDP', PORT]);
      for (const from of ['client', ...PEERS]) await scene.answers(from, targets, PEERS);
    });

    it('hosts reach pods of all hosts by HTTP and by UDP [conformance: networking-intra-pod-http-from-node, networking-intra-pod-http-from-node-2]', async () => {
      const addresses = await addressesOf(PEERS);
      const targets = addresses.map((address): Reach => [address, 'UDP', PORT]);
      for (const { name } of nodes()) {
        for (const [i, address] of addresses.entries()) {
          const url = `http://${address}:${HTTP_PORT}/who`;
          const answer = await eventually(`${name} asks ${url}`, SECONDS, () => fleet().httpFrom(name, url));
          assert.equal(answer.trim(), PEERS[i]);
        }
        await scene.answers(name, targets, PEERS);
      }
    });

    it('a node port answers at every host, and at the name and address of its Service [conformance: service-nodeport-service]', async () => {
      const [address, port] = [await scene.clusterIP('every'), await scene.nodePort('every')];
      const told = new RegExp(`Address[^:]*:\\s*${address}\\s*$`);
      await eventually('its name is answered', SECONDS, async () => told.test(await scene.resolves(EVERY)));
      await reachesAll('client', [address, 'TCP', 80]);
      for (const node of nodes()) await reachesAll('client', [node.address, 'TCP', port]);
    });

    it('one host port of three pods, of other addresses or protocols, leads to each [conformance: scheduling-hostport-matching-and-hostip-and-protocol]', async () => {
      const { name, address } = first();
      const placed = (await fleet().list('Pod', NAMESPACE)).filter(
        ({ metadata }) => metadata.labels?.['app'] === 'hosted',
      );
      assert.deepEqual(
        placed.map(({ spec }) => spec.nodeName),
        [name, name, name],
      );
      const outside: readonly Reach[] = [
        [address, 'TCP', HOST_PORT],
        [address, 'UDP', HOST_PORT],
      ];
      const own: Reach = ['127.0.0.1', 'TCP', HOST_PORT];
      await scene.answers(name, [own, ...outside], ['loopback', 'at-address', 'by-udp']);
      await scene.answers(third().name, outside, ['at-address', 'by-udp']);
    });

    it('a Service that nobody answers for has an empty slice, and empty Endpoints [conformance: endpointslice-empty-service, endpoints-empty-service]', async () => {
      await eventually('it is there', SECONDS, async () => {
        const slices = await scene.slicesOf('nobody');
        return slices.length === 1 && slices[0]?.endpoints.length === 0;
      });
      await eventually('so are its Endpoints', SECONDS, async () => (await scene.listedFor('nobody'))?.length === 0);
      await reachesNobody('client', [await scene.clusterIP('nobody'), 'TCP', 80]);
    });

    it('endpoints follow pods that come and go, for each port those that have it [conformance: service-endpoints, service-endpoints-with-multiple-ports]', async () => {
      const few = [
        peer('few-1', first().name, { few: 'yes' }, [{ name: 'first', containerPort: PORT }]),
        peer('few-2', third().name, { few: 'yes' }, [{ name: 'second', containerPort: SECOND_PORT }]),
      ];
      const [basic, named] = [await scene.clusterIP('basic'), await scene.clusterIP('few')];
      /** What is listed, and who answers at the address of the one, and at both ports of the other. */
      const holds = async (
        listed: readonly string[],
        byPort: readonly string[],
        answers: readonly (string | undefined)[],
      ): Promise<void> => {
        await eventually(`endpoints are ${listed.join()}`, SECONDS, async () => {
          assert.deepEqual(await scene.endpointsOf('basic'), listed);
          assert.deepEqual(await scene.endpointsOf('few'), byPort);
          return true;
        });
        await eventually(`answers are ${answers.join()}`, SECONDS, async () => {
          assert.deepEqual(await scene.asks('client', [named, 'TCP', 80], [named, 'TCP', 81]), answers);
          const heard = new Set(await scene.asksOften('client', [basic, 'TCP', 80], 8));
          assert.deepEqual([...heard].sort(), answers.some(Boolean) ? answers.filter(Boolean) : [undefined]);
          return true;
        });
      };
      await holds([], [], [undefined, undefined]);
      await scene.push('One pod', { few: few.slice(0, 1) });
      await scene.enter('few-1');
      await holds([`few-1:${PORT}`], [`few-1:${PORT}`], ['few-1', undefined]);
      await scene.push('Two pods', { few });
      await scene.enter('few-2');
      await holds([`few-1:${PORT}`, `few-2:${PORT}`], [`few-1:${PORT}`, `few-2:${SECOND_PORT}`], ['few-1', 'few-2']);
      await scene.leave('few-1');
      await scene.push('The second pod', { few: few.slice(1) });
      await holds([`few-2:${PORT}`], [`few-2:${SECOND_PORT}`], [undefined, 'few-2']);
      await scene.leave('few-2');
      await fleet().removeFiles(`${NAMESPACE}/few.yaml`);
      await holds([], [], [undefined, undefined]);
    });

    it('slices of the repository with several addresses and ports are reached [conformance: endpointslice-multiple-ips-multiple-ports]', async () => {
      const addresses = await addressesOf(PEERS);
      const slice = (name: string, address: string | undefined, port: number): object => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `hand-${name}`, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': 'hand' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports: [{ name, port, protocol: 'TCP' }],
      });
      const byHand = [
        { name: 'first', port: 80 },
        { name: 'second', port: 81 },
      ];
      await scene.push('Endpoints by hand', {
        hand: [
          service('hand', { ports: byHand }),
          slice('first', addresses[0], PORT),
          slice('second', addresses[1], SECOND_PORT),
        ],
      });
      const address = await eventually('it has an address', SECONDS, async () => {
        const found = (await fleet().list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === 'hand');
        return found?.spec.clusterIP;
      });
      await eventually('both are reached', SECONDS, async () => {
        const heard = await scene.asks('client', [address, 'TCP', 80], [address, 'TCP', 81]);
        return heard[0] === 'peer-1' && heard[1] === 'peer-2';
      });
    });

    it('a client keeps its endpoint [conformance: service-clusterip-type-session-affinity-to-clientip, service-nodeport-type-session-affinity-to-clientip]', async () => {
      await keeps(scene, await scene.clusterIP('stick'), 80);
      await keeps(scene, first().address, await scene.nodePort('stick-node'));
    });

    it('TCP and UDP at one port lead to pods', async () => {
      const address = await scene.clusterIP('both');
      await reachesAll('client', [address, 'TCP', 80]);
      await eventually('by UDP', SECONDS, async () => (await scene.asks('client', [address, 'UDP', 80]))[0]);
    });

    describe('when a commit makes them something else', () => {
      const had: { to?: string; port?: number } = {};

      before(async () => {
        had.to = await scene.clusterIP('to-alias');
        had.port = await scene.nodePort('from-node');
        await reachesAll('client', [had.to, 'TCP', 80]);
        await reachesAll('client', [third().address, 'TCP', had.port]);
        for (const name of ['to-address', 'to-node']) {
          assert.equal((await scene.serviceNamed(name)).spec.clusterIP, undefined);
          await resolvesAs(scene, name, EVERY);
        }
        await scene.push('Turn Services', { turns: TURNS[1] });
      });

      it('from an address to an alias [conformance: service-change-type-clusterip-to-externalname]', async () => {
        await gaveBack(scene, 'to-alias');
        await resolvesAs(scene, 'to-alias', EVERY);
        await reachesNobody('client', [had.to ?? '', 'TCP', 80]);
      });

      it('from an alias to an address [conformance: service-change-type-externalname-to-clusterip]', async () => {
        const address = await scene.clusterIP('to-address');
        await resolvesAs(scene, 'to-address', address);
        await reachesAll('client', [address, 'TCP', 80]);
      });

      it('from an alias to a node port [conformance: service-change-type-externalname-to-nodeport]', async () => {
        const [address, port] = [await scene.clusterIP('to-node'), await scene.nodePort('to-node')];
        await resolvesAs(scene, 'to-node', address);
        await reachesAll('client', [address, 'TCP', 80]);
        for (const node of nodes()) await reachesAll('client', [node.address, 'TCP', port]);
      });

      it('from a node port to an alias, and the port is free [conformance: service-change-type-nodeport-to-externalname]', async () => {
        await gaveBack(scene, 'from-node');
        await resolvesAs(scene, 'from-node', EVERY);
        for (const node of nodes()) await reachesNobody('client', [node.address, 'TCP', had.port ?? 0]);
      });

      it('from one endpoint of a client to all, and back [conformance: service-clusterip-type-session-affinity-to-none, service-nodeport-type-session-affinity-to-none]', async () => {
        const targets: readonly Reach[] = [
          [await scene.clusterIP('stick'), 'TCP', 80],
          [first().address, 'TCP', await scene.nodePort('stick-node')],
        ];
        for (const target of targets) await reachesAll('client', target);
        await onlyBy('TCP');
        await scene.push('Turn Services back', { turns: [...TURNS[2], ...TURNS[1].slice(3)] });
        for (const [address, , port] of targets) await keeps(scene, address, port);
      });

      it('from two protocols to one, and to the other [conformance: service-should-serve-endpoints-on-same-port-and]', () =>
        onlyBy('UDP'));

      const onlyBy = async (protocol: 'TCP' | 'UDP'): Promise<void> => {
        const address = await scene.clusterIP('both');
        await eventually(`by ${protocol} alone`, SECONDS, async () => {
          const [byTcp, byUdp] = await scene.asks('client', [address, 'TCP', 80], [address, 'UDP', 80]);
          return protocol === 'TCP' ? byTcp && !byUdp : byUdp && !byTcp;
        });
        await reachesNobody('client', [address, protocol === 'TCP' ? 'UDP' : 'TCP', 80]);
      };
    });

    it('a hundred Services have their endpoints soon [conformance: service-endpoint-latency-thresholds]', async () => {
      const names = Array.from({ length: 100 }, (_, i) => `many-${i}`);
      await scene.push('A hundred Services', { many: names.map((name) => service(name, { selector, ports })) });
      await eventually('all have their endpoints', LATENCY_SECONDS, async () => {
        const slices = (await fleet().list('EndpointSlice', NAMESPACE)).filter(({ metadata }) =>
          metadata.labels?.['kubernetes.io/service-name']?.startsWith('many-'),
        );
        return slices.filter(({ endpoints }) => endpoints.length === PEERS.length).length === names.length;
      });
      await reachesAll('client', [await scene.clusterIP('many-99'), 'TCP', 80]);
    });

    it('slices and Endpoints go with their Service [conformance: endpointslice-creation-deletion, endpoints-creation-deletion]', async () => {
      const pods = await addressesOf(PEERS);
      const [slice, ...more] = await scene.slicesOf('every');
      assert.equal(more.length, 0);
      assert.deepEqual(slice?.endpoints.flatMap(({ addresses }) => addresses).sort(), pods.sort());
      assert.deepEqual(await scene.listedFor('every'), pods.sort());
      await fleet().removeFiles(`${NAMESPACE}/many.yaml`, `${NAMESPACE}/still.yaml`);
      await eventually('they are gone', SECONDS, async () => {
        const left = (await fleet().list('EndpointSlice', NAMESPACE)).map(
          ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] ?? '',
        );
        return !left.some((name) => name.startsWith('many-') || ['every', 'nobody', 'basic', 'few'].includes(name));
      });
      await eventually('so are their Endpoints', SECONDS, async () =>
        [await scene.listedFor('every'), await scene.listedFor('nobody')].every((listed) => listed === undefined),
      );
    });

    it('Services go with their Namespace [conformance: namespace-deletion-removes-services]', async () => {
      const address = await scene.clusterIP('to-address');
      assert.ok((await fleet().list('Service', NAMESPACE)).length > 0);
      await fleet().removeFiles(NAMESPACE);
      await eventually('none is left', 60, async () => (await fleet().list('Service', NAMESPACE)).length === 0);
      await eventually('nor is the Namespace', 60, async () =>
        (await fleet().list('Namespace')).every(({ metadata }) => metadata.name !== NAMESPACE),
      );
      await eventually('nobody answers', SECONDS, async () => {
        const [heard] = await scene.asks(second().name, [address, 'TCP', 80]);
        return heard === undefined;
      });
    });
  });
}

/** Once the pod `client` is answered by the same pod each time. */
async function keeps(scene: Scene, address: string, port: number): Promise<void> {
  await eventually(`a client keeps its endpoint at ${address}:${port}`, SECONDS, async () => {
    const heard = new Set(await scene.asksOften('client', [address, 'TCP', port], 12));
    return heard.size === 1 && !heard.has(undefined);
  });
}

/** Once a Service's name leads there: to another name, or to an address and no other name. */
async function resolvesAs(scene: Scene, name: string, to: string): Promise<void> {
  const isAlias = to.endsWith('.local');
  await eventually(`${name} resolves to ${to}`, SECONDS, async () => {
    const said = await scene.resolves(`${name}.${ZONE}`);
    return said.includes('canonical name') === isAlias && said.includes(to);
  });
}

/** Once a Service has neither an address nor a port of the hosts. */
async function gaveBack(scene: Scene, name: string): Promise<void> {
  await eventually(`${name} has no address`, SECONDS, async () => {
    const { clusterIP, ports: has } = (await scene.serviceNamed(name)).spec;
    return clusterIP === undefined && has.every(({ nodePort }) => nodePort === undefined);
  });
}
