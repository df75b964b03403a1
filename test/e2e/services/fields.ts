/** What fields of Services say, with packets from pods, hosts and outside of them: on three hosts, by each of what may forward. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Reach } from '../../support/reach.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { HTTP_PORT, NAMESPACE, peer, PORT, Scene, SECOND_PORT, service } from './scene.ts';

const SECONDS = 60;
const PEERS = ['peer-1', 'peer-2', 'peer-3'] as const;
const HOST_PORT = 54_324;
const GRACE_SECONDS = 30;

export interface FieldsWorld {
  /** Addresses of the hosts' network that nobody has: one that is asked for and shared, and one of others. */
  readonly asked: string;
  readonly external: string;
  /** Asks from outside by way of `externalTrafficPolicy: Local`, and fails where the client has not its own address. */
  readonly keepsClients: () => Promise<void>;
}

const ports = [{ port: 80, targetPort: PORT }];
const selector = { app: 'peer' };

function balanced(name: string, address: string, spec: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE, annotations: { 'metallb.io/allow-shared-ip': 'one' } },
    spec: { type: 'LoadBalancer', loadBalancerIP: address, ...spec },
  };
}

function services({ asked, external }: FieldsWorld): readonly object[] {
  const both = (['TCP', 'UDP'] as const).map((protocol) => ({
    name: protocol.toLowerCase(),
    port: 80,
    targetPort: `to-${protocol.toLowerCase()}`,
    protocol,
  }));
  return [
    service('plain', { selector, ports: [...both, { name: 'http', port: HTTP_PORT, targetPort: HTTP_PORT }] }),
    service('second', { type: 'NodePort', selector: { on: 'first' }, ports: [{ port: 81, targetPort: SECOND_PORT }] }),
    service('near', { selector, ports, trafficDistribution: 'PreferSameNode' }),
    service('inward', { selector: { on: 'first' }, ports, internalTrafficPolicy: 'Local' }),
    service('outward', { type: 'NodePort', selector: { on: 'first' }, ports, externalTrafficPolicy: 'Local' }),
    service('external', { selector, ports, externalIPs: [external] }),
    service('early', { selector: { app: 'late' }, ports, publishNotReadyAddresses: true }),
    service('late', { selector: { app: 'late' }, ports }),
    service('leaving', { selector: { app: 'leaving' }, ports }),
    {
      apiVersion: 'metallb.io/v1beta1',
      kind: 'IPAddressPool',
      metadata: { name: 'asked', namespace: NAMESPACE },
      spec: { addresses: [`${asked}/32`], autoAssign: false },
    },
    {
      apiVersion: 'metallb.io/v1beta1',
      kind: 'L2Advertisement',
      metadata: { name: 'asked', namespace: NAMESPACE },
      spec: { ipAddressPools: ['asked'] },
    },
    balanced('shared-all', asked, { selector, ports }),
    balanced('shared-one', asked, { selector: { on: 'first' }, ports: [{ port: 81, targetPort: PORT }] }),
  ];
}

/** A pod of {@link peer} with other fields in its spec, and in its container. */
function changed(pod: object, spec: object, container: object = {}): object {
  const { spec: had, ...rest } = pod as { spec: { containers: readonly object[] } };
  return { ...rest, spec: { ...had, containers: had.containers.map((one) => ({ ...one, ...container })), ...spec } };
}

export function serviceFields(fleet: () => Fleet, world: FieldsWorld): void {
  describe('fields of Services', () => {
    let scene: Scene;
    const host = (i: number): { readonly name: string; readonly address: string } =>
      fleet().lab.nodes[i] ?? { name: '', address: '' };

    before(async () => {
      scene = new Scene(fleet());
      const named = (['TCP', 'UDP'] as const).map((protocol) => ({
        name: `to-${protocol.toLowerCase()}`,
        containerPort: PORT,
        protocol,
      }));
      await scene.push('Services with all that they may say', {
        space: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }],
        pods: [
          peer('client', host(1).name, { app: 'client' }),
          ...PEERS.map((name, i) => peer(name, host(i).name, { ...selector, ...(i === 0 && { on: 'first' }) }, named)),
          peer('hosted', host(2).name, { app: 'hosted' }, [
            { name: 'host', containerPort: PORT, hostPort: HOST_PORT, protocol: 'TCP' },
          ]),
          changed(peer('late', host(2).name, { app: 'late' }), {}, { readinessProbe: { tcpSocket: { port: 9 } } }),
        ],
        services: services(world),
      });
      await scene.enterHosts();
      await scene.enterOutside();
      await scene.enter('client', ...PEERS, 'hosted');
      await scene.enterUnready('late');
    });
    after(async () => {
      await scene?.leave();
      await fleet().removeFiles(NAMESPACE);
    });

    /** Once these and nobody else have answered, all of them. */
    const reaches = async (from: string, target: Reach, ...names: readonly string[]): Promise<void> => {
      await eventually(`${from} reaches ${names.join(', ')} at ${target.join(' ')}`, SECONDS, async () => {
        const heard = new Set(await scene.asksOften(from, target, 4 * names.length));
        assert.deepEqual([...heard].sort(), names);
        return true;
      });
    };
    /** Once nobody answers, and that again. */
    const reachesNobody = (from: string, target: Reach): Promise<unknown> =>
      eventually(`${from} reaches nobody at ${target.join(' ')}`, SECONDS, async () =>
        (await scene.asksOften(from, target, 2)).every((name) => name === undefined),
      );

    it('explain tells why a pod gets no connection, with its last probe, and which policy closes it', async () => {
      const closed = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'closed', namespace: NAMESPACE },
        spec: { podSelector: { matchLabels: { app: 'late' } }, policyTypes: ['Ingress'] },
      };
      await scene.push('Close one', { closed: [closed] });
      await eventually('it is told', SECONDS, async () => {
        const { stdout, code } = await fleet().plumb('explain', 'service/late', '-n', NAMESPACE);
        assert.match(stdout, /endpoint +out: late on \S+ .*last probe that failed: Readiness probe failed/);
        assert.match(stdout, /policy +closed closes 1 of 1 pods but for nobody/);
        assert.match(stdout, /rules +\S+ 80\/TCP to nobody/);
        assert.equal(code, 1);
        return true;
      });
      await fleet().removeFiles(`${NAMESPACE}/closed.yaml`);
    });

    for (const by of ['nftables', 'iptables'] as const)
      describe(`by ${by}`, () => {
        before(async () => {
          if (by === 'iptables') await forwardBy(fleet(), await scene.clusterIP('plain'), 'iptables');
        });
        after(async () => {
          if (by === 'iptables') await forwardBy(fleet(), await scene.clusterIP('plain'), 'nftables');
        });

        it('lead by address, by node port, by protocol, and by names of ports', async () => {
          const [plain, second] = [await scene.clusterIP('plain'), await scene.clusterIP('second')];
          for (const from of ['client', ...PEERS, host(0).name, host(2).name]) {
            await reaches(from, [plain, 'TCP', 80], ...PEERS);
            await reaches(from, [second, 'TCP', 81], 'peer-1');
          }
          await reaches('client', [plain, 'UDP', 80], ...PEERS);
          const nodePort = await scene.nodePort('second');
          for (const { address } of fleet().lab.nodes)
            for (const from of ['outside', 'client', host(0).name])
              await reaches(from, [address, 'TCP', nodePort], 'peer-1');
          for (const from of ['outside', 'client', host(2).name])
            await reaches(from, [host(2).address, 'TCP', HOST_PORT], 'hosted');
          await reachesNobody('outside', [host(1).address, 'TCP', HOST_PORT]);
        });

        it('prefer the node of who asks', async () => {
          const near = await scene.clusterIP('near');
          await reaches('client', [near, 'TCP', 80], 'peer-2');
          await reaches(host(2).name, [near, 'TCP', 80], 'peer-3');
          await reaches('peer-1', [near, 'TCP', 80], 'peer-1');
        });

        it('stay on a node: inside, and from outside with the address of the client', async () => {
          const inward = await scene.clusterIP('inward');
          await reaches(host(0).name, [inward, 'TCP', 80], 'peer-1');
          await reachesNobody('client', [inward, 'TCP', 80]);
          const outward = await scene.nodePort('outward');
          await reaches('outside', [host(0).address, 'TCP', outward], 'peer-1');
          await reachesNobody('outside', [host(1).address, 'TCP', outward]);
          await reaches('client', [host(1).address, 'TCP', outward], 'peer-1');
          await world.keepsClients();
        });

        it('have addresses of others, and an address that two asked for and share', async () => {
          for (const from of ['client', host(0).name]) await reaches(from, [world.external, 'TCP', 80], ...PEERS);
          await reaches('outside', [world.asked, 'TCP', 80], ...PEERS);
          await reaches('outside', [world.asked, 'TCP', 81], 'peer-1');
          await reachesNobody('outside', [world.asked, 'TCP', 82]);
        });

        it('lead to pods that are not ready where they say so, and to one that ends while it is the last', async () => {
          await reaches('client', [await scene.clusterIP('early'), 'TCP', 80], 'late');
          await reachesNobody('client', [await scene.clusterIP('late'), 'TCP', 80]);
          const leaving = changed(peer('leaving', host(0).name, { app: 'leaving' }), {
            terminationGracePeriodSeconds: GRACE_SECONDS,
          });
          await scene.push('One that ends', { leaving: [leaving] });
          await scene.enter('leaving');
          const target: Reach = [await scene.clusterIP('leaving'), 'TCP', 80];
          await reaches('client', target, 'leaving');
          await fleet().removeFiles(`${NAMESPACE}/leaving.yaml`);
          await eventually('it ends, and every node has heard of it', SECONDS, async () => {
            const [endpoint] = (await scene.slicesOf('leaving')).flatMap(({ endpoints }) => endpoints);
            return endpoint?.conditions.terminating === true && endpoint.conditions.serving === true;
          });
          assert.deepEqual(await scene.asksOften('client', target, 6), Array(6).fill('leaving'));
          const gone = await fleet().plumb('delete', 'pod/leaving', '-n', NAMESPACE, '--grace-period', '1');
          assert.equal(gone.code, 0, gone.stderr);
          await scene.leave('leaving');
          await reachesNobody('client', target);
        });
      });
  });
}

/** A commit that has another one forward; returns when all hosts do. A Service is led to without a failed request meanwhile. */
async function forwardBy(fleet: Fleet, address: string, by: 'nftables' | 'iptables'): Promise<void> {
  const load = await fleet.load(fleet.lab.nodes[2]?.name ?? '', `http://${address}:${HTTP_PORT}/who`, 20);
  const text = await readFile(path.join(fleet.checkout, 'plumbline.yaml'), 'utf8');
  const without = text.replace(/ +packetFilter: .*\n/, '');
  await fleet.write('plumbline.yaml', without.replace(/^ {2}network:\n/m, `$&    packetFilter: ${by}\n`));
  await fleet.commitAndPush(`Forward by ${by}`);
  for (const { name } of fleet.lab.nodes)
    await eventually(`${name} forwards by ${by}`, SECONDS, async () => {
      const [chains, map] = await Promise.all([
        fleet.on(name, ['iptables-save', '-t', 'nat']),
        fleet.on(name, ['nft', 'list', 'map', 'ip', 'plumbline', 'service-ips']),
      ]);
      return (
        chains.stdout.includes(address) === (by === 'iptables') && map.stdout.includes(address) === (by === 'nftables')
      );
    });
  const { sent, failures } = await load.stop();
  assert.deepEqual([failures, sent > 0], [[], true]);
}
