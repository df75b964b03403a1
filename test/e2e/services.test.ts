/** Services as clients outside of the cluster meet them: three hosts, and this machine on their network. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { eventually, Fleet } from './fleet.ts';
import { routedServices } from './services/bgp.ts';
import { serviceFields } from './services/fields.ts';
import { kubernetesServices } from './services/kubernetes.ts';

const NAMESPACE = 'edge';
const POOL = '198.18.31.200-198.18.31.210';
/** For an answer that is to come, on a busy machine too. */
const LONG_MS = 20_000;

/** At 8080 tells its host name and the address that it was asked from; there and at 9090 `/port` tells the port. */
const SCRIPT = [
  'mkdir -p /tmp/w/cgi-bin /tmp/v && printf "#!/bin/sh\\\\n{ echo Content-Type: text/plain; echo; echo \\$(hostname) \\$REMOTE_ADDR; } | busybox unix2dos\\\\n" >/tmp/w/cgi-bin/who',
  'chmod +x /tmp/w/cgi-bin/who && echo 8080 >/tmp/w/port && echo 9090 >/tmp/v/port',
  'httpd -p 9090 -h /tmp/v && exec httpd -f -p 8080 -h /tmp/w',
].join(' && ');

function web(): string {
  return `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web, namespace: ${NAMESPACE}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: registry.lab/busybox:1
          command: [sh, -c, '${SCRIPT}']
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          resources: {requests: {cpu: 5m, memory: 4Mi}}
`;
}

function service(name: string, spec: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${NAMESPACE}}\nspec: {ports: [{port: 80, targetPort: 8080}], ${spec}}\n`;
}

const POOLS = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: ${NAMESPACE}}
spec: {addresses: ["${POOL}"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: home, namespace: ${NAMESPACE}}
spec: {ipAddressPools: [home]}
`;

const services = [
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${NAMESPACE}}\n`,
  POOLS,
  web(),
  service('open', 'type: LoadBalancer, selector: {app: web}'),
  service('local', 'type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: web}'),
  service('shut', 'type: LoadBalancer, loadBalancerSourceRanges: [192.0.2.0/24], selector: {app: web}'),
  service('manual', 'type: ClusterIP'),
].join('---\n');

describe('services', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'svc',
      subnet: '198.18.31.0/24',
      podCIDR: '198.19.192.0/20',
      serviceCIDR: '198.19.208.0/20',
      nodes: 3,
    });
    await fleet.write('services.yaml', services);
    await fleet.commitAndPush('Give Services addresses');
    await eventually('three pods are ready', 90, async () => (await ready()) === 3);
  });
  after(async () => {
    await fleet?.close();
  });

  const ready = async (): Promise<number> =>
    (await fleet.list('EndpointSlice', NAMESPACE))
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'open')
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ conditions }) => conditions.ready).length;

  const addressOf = (name: string): Promise<string> =>
    eventually(`${name} has an address`, 60, async () => {
      const found = (await fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === name);
      return found?.status?.loadBalancer?.ingress?.[0]?.ip;
    });

  /** The pod's host name and the client's address, asked from this machine; undefined for no answer in time. */
  const who = async (
    address: string,
    ms = 1000,
  ): Promise<{ readonly pod: string; readonly client: string } | undefined> => {
    try {
      const answer = await fetch(`http://${address}/cgi-bin/who`, {
        signal: AbortSignal.timeout(ms),
        headers: { connection: 'close' },
      });
      const [pod = '', client = ''] = (await answer.text()).trim().split(' ');
      // httpd listens on IPv6 too, and says so.
      return { pod, client: client.replace(/^\[::ffff:(.*)\]$/, '$1') };
    } catch {
      return undefined;
    }
  };

  /** Hosts that have the address. */
  const holders = async (address: string): Promise<readonly string[]> => {
    const names: string[] = [];
    for (const { name } of fleet.lab.nodes) {
      const { stdout } = await fleet.on(name, ['ip', '-4', 'route', 'show', 'table', 'local', 'proto', '78']);
      if (stdout.includes(`local ${address} `)) names.push(name);
    }
    return names;
  };

  /** Whether a connection is taken within a second. */
  const connects = (host: string, port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ host, port, signal: AbortSignal.timeout(1000) });
      socket.once('connect', () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => {
        resolve(false);
      });
    });

  it('a load balancer answers, one host has its address, and nothing else of the host is reached there', async () => {
    const address = await addressOf('open');
    await eventually('it answers', 60, async () => (await who(address)) !== undefined);
    assert.equal((await holders(address)).length, 1);
    // sshd of the hosts listens at every address.
    assert.equal(await connects(fleet.lab.nodes[0]?.address ?? '', 22), true);
    assert.equal(await connects(address, 22), false);
  });

  it('with Local the client has its own address, and pods of one host answer', () => keepsClients());
  const keepsClients = async (): Promise<void> => {
    const address = await addressOf('local');
    await eventually('it answers', 60, async () => (await who(address)) !== undefined);
    const answers = await Promise.all(Array.from({ length: 8 }, () => who(address, LONG_MS)));
    assert.equal(new Set(answers.map((one) => one?.pod)).size, 1);
    assert.match(answers[0]?.client ?? '', /^198\.18\.31\./);
    const addresses = fleet.lab.nodes.map((node) => node.address);
    assert.ok(!addresses.includes(answers[0]?.client ?? ''));
  };

  it('source ranges keep others out', async () => {
    const address = await addressOf('shut');
    await eventually('a host has the address', 60, async () => (await holders(address)).length === 1);
    assert.equal(await who(address), undefined);
  });

  it('every host tells a balancer that it has an endpoint', async () => {
    const found = (await fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === 'local');
    const port = found?.spec.healthCheckNodePort ?? 0;
    for (const node of fleet.lab.nodes) {
      const answer = await fetch(`http://${node.address}:${port}/`, { headers: { connection: 'close' } });
      assert.equal(answer.status, 200);
      assert.deepEqual(await answer.json(), {
        service: { namespace: NAMESPACE, name: 'local' },
        localEndpoints: 1,
        serviceProxyHealthy: true,
      });
    }
  });

  it('explain follows a packet to a Service: addresses, the rules of each host, endpoints, who answers for its address', async () => {
    const address = await addressOf('open');
    await eventually('a host has the address', 60, async () => (await holders(address)).length === 1);
    const [holder = ''] = await holders(address);
    const { stdout, code } = await fleet.plumb('explain', 'service/open', '-n', NAMESPACE);
    assert.equal(code, 0, stdout);
    const clusterIP = (await fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === 'open')?.spec
      .clusterIP;
    assert.match(stdout, new RegExp(`address +${clusterIP ?? ''} 80/TCP: from pods and nodes`));
    assert.match(stdout, new RegExp(`balancer +${address} is held by ${holder}`));
    for (const { name } of fleet.lab.nodes) {
      assert.match(stdout, new RegExp(`rules +${name} 80/TCP to [\\d.]+:8080, [\\d.]+:8080, [\\d.]+:8080`));
      assert.match(stdout, new RegExp(`endpoint +in: web-\\S+ on ${name} .*: it is ready`));
    }
    const manual = await fleet.plumb('explain', 'service/manual', '-n', NAMESPACE);
    assert.match(manual.stdout, /Why not: it has no selector, and no EndpointSlice or Endpoints of its name/);
    assert.equal(manual.code, 1);
  });

  it('net check finds nothing broken, and names what is', async () => {
    // What answers later than it waits counts as broken.
    await eventually('nothing is broken', 60, async () => {
      const well = await fleet.plumb('net', 'check');
      assert.match(well.stdout, /Nothing is broken: \d+ of \d+ connections and names\.\n$/);
      assert.equal(well.code, 0);
      return true;
    });
    const [first, second] = fleet.lab.nodes;
    // What comes for its pods from others.
    const closed = 'add table ip shut; add chain ip shut in { type filter hook forward priority -5; policy drop; }';
    await fleet.on(second?.name ?? '', ['nft', closed]);
    try {
      const { stdout, code } = await fleet.plumb('net', 'check');
      assert.match(
        stdout,
        new RegExp(`broken: pods of ${second?.name ?? ''} are not reached .* from .*${first?.name ?? ''}.*: no answer`),
      );
      assert.match(stdout, /look for a firewall that drops what is forwarded to pods/);
      // The machine itself reaches them: what its pods send is forwarded.
      assert.match(
        stdout,
        new RegExp(`broken: pods of ${first?.name ?? ''} are not reached .* from pods of ${second?.name ?? ''} \\(`),
      );
      assert.doesNotMatch(stdout, /broken: node \S+ is not reached/);
      assert.equal(code, 1);
    } finally {
      await fleet.on(second?.name ?? '', ['nft', 'delete table ip shut']);
    }
  });

  const podIP = async (): Promise<string> =>
    (await fleet.list('Pod', NAMESPACE)).flatMap(({ status }) => status?.podIP ?? [])[0] ?? '';

  /** What a path of the Service answers, asked from the second host by the Service's address. */
  const fromInside = async (name: string, port: number, file: string): Promise<string | undefined> => {
    const found = (await fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === name);
    return fleet.httpFrom(fleet.lab.nodes[1]?.name ?? '', `http://${found?.spec.clusterIP ?? ''}:${port}/${file}`);
  };

  it('Endpoints of the repository are reached [conformance: endpointslice-mirroring]', async () => {
    await fleet.write(
      'manual.yaml',
      `apiVersion: v1\nkind: Endpoints\nmetadata: {name: manual, namespace: ${NAMESPACE}}\nsubsets: [{addresses: [{ip: ${await podIP()}}], ports: [{port: 8080}]}]\n`,
    );
    await fleet.commitAndPush('List endpoints by hand');
    const answer = await eventually('they are reached', 60, () => fromInside('manual', 80, 'port'));
    assert.equal(answer.trim(), '8080');
    assert.equal(
      (await fleet.list('EndpointSlice', NAMESPACE)).filter(
        ({ metadata }) => metadata.ownerReferences?.[0]?.kind === 'Endpoints',
      ).length,
      1,
    );
  });

  it('slices of the repository with one address and several ports are reached [conformance: endpointslice-single-ip-multiple-ports]', async () => {
    const address = await podIP();
    const slice = (port: string, target: number): string =>
      [
        'apiVersion: discovery.k8s.io/v1',
        'kind: EndpointSlice',
        `metadata: {name: ports-${port}, namespace: ${NAMESPACE}, labels: {kubernetes.io/service-name: ports}}`,
        'addressType: IPv4',
        `endpoints: [{addresses: [${address}], conditions: {ready: true}}]`,
        `ports: [{name: ${port}, port: ${target}, protocol: TCP}]`,
        '',
      ].join('\n');
    const of = `apiVersion: v1\nkind: Service\nmetadata: {name: ports, namespace: ${NAMESPACE}}\nspec: {ports: [{name: first, port: 80}, {name: second, port: 81}]}\n`;
    await fleet.write('ports.yaml', [of, slice('first', 8080), slice('second', 9090)].join('---\n'));
    await fleet.commitAndPush('List ports of one address by hand');
    for (const [port, target] of [
      [80, '8080'],
      [81, '9090'],
    ] as const) {
      const answer = await eventually(`port ${port} is reached`, 60, () => fromInside('ports', port, 'port'));
      assert.equal(answer.trim(), target);
    }
  });

  kubernetesServices(() => fleet);
  serviceFields(() => fleet, { asked: '198.18.31.220', external: '198.18.31.230', keepsClients });
  routedServices(() => fleet, { namespace: NAMESPACE, router: '198.18.31.250/24', pool: '198.19.224.0/28' });

  it('an address moves to another host when its own dies, with the control plane away, and back', async () => {
    const address = await addressOf('open');
    const [holder = ''] = await holders(address);
    assert.ok(await who(address, LONG_MS));
    await fleet.stopControlPlane();
    // Each on a connection of its own: one that began too early tries again after a second, and after two more.
    const answered = [performance.now()];
    const ask = async (): Promise<void> => {
      const began = performance.now();
      if ((await who(address)) !== undefined) answered.push(began);
    };
    const asked: Promise<void>[] = [];
    const asking = setInterval(() => asked.push(ask()), 50);
    try {
      await fleet.powerOff(holder);
      const off = performance.now();
      await eventually('it answers again', 60, () => answered.some((began) => began > off));
    } finally {
      clearInterval(asking);
    }
    await Promise.all(asked);
    const [pause] = answered
      .sort((one, other) => one - other)
      .map((began, i) => began - (answered[i - 1] ?? began))
      .sort((one, other) => other - one);
    process.stderr.write(`# an address moved within ${Math.round(pause ?? Number.NaN)} ms\n`);
    await fleet.powerOn(holder);
    await fleet.startControlPlane();
    await eventually('the first host has it again', 60, async () => (await holders(address)).join() === holder);
    await eventually('it answers', 60, async () => (await who(address)) !== undefined);
  });

  it('an address is given back with its Service', async () => {
    const address = await addressOf('open');
    assert.equal((await holders(address)).length, 1);
    const text = service('open', 'type: LoadBalancer, selector: {app: web}');
    await fleet.write(
      'services.yaml',
      services.replace(text, service('open', 'type: ClusterIP, selector: {app: web}')),
    );
    await fleet.commitAndPush('Take the address away');
    await eventually('no host has it', 60, async () => (await holders(address)).length === 0);
    assert.equal(await connects(address, 22), false);
  });
});
