/** A cluster of IPv4 that gets IPv6 beside it: three hosts that have no address of IPv6 themselves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { cidrHas, familyOf } from '../../contracts/ip.ts';
import type { StoredOf } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';

const NAMESPACE = 'dual';
const PODS = 'fd00:18:31::/56';
const SERVICES = 'fd00:18:32::/112';
const OPTIONS = { name: 'dual', subnet: '198.18.33.0/24', podCIDR: '198.19.224.0/20', serviceCIDR: '198.19.240.0/20' };

function cluster(ranges: readonly string[]): string {
  return `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: e2e}\nspec:\n  network:\n${ranges.map((line) => `    ${line}\n`).join('')}  nodes: {monitorGracePeriodSeconds: 8}\n`;
}

/** At 8080 tells its host name and the address that it was asked from. */
const SCRIPT = [
  'mkdir -p /tmp/w/cgi-bin && printf "#!/bin/sh\\\\necho; echo \\$(hostname) \\$REMOTE_ADDR\\\\n" >/tmp/w/cgi-bin/who',
  'chmod +x /tmp/w/cgi-bin/who && exec httpd -f -p 8080 -h /tmp/w',
].join(' && ');

function daemonSet(name: string): string {
  return `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ${name}, namespace: ${NAMESPACE}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: registry.lab/busybox:1
          command: [sh, -c, '${SCRIPT}']
          env: [{name: POD_IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          resources: {requests: {cpu: 5m, memory: 4Mi}}
`;
}

function service(name: string, spec: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${NAMESPACE}}\nspec: {ports: [{port: 80, targetPort: 8080}], selector: {app: web}, ${spec}}\n`;
}

const BOTH = [
  daemonSet('web'),
  service('both', 'ipFamilyPolicy: PreferDualStack, type: NodePort'),
  service('six', 'ipFamilies: [IPv6]'),
  service('heads', 'ipFamilyPolicy: RequireDualStack, clusterIP: None'),
].join('---\n');

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: ${NAMESPACE}}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
`;

type Pod = StoredOf<'Pod'>;

describe('dual stack', () => {
  let fleet: Fleet;
  let before4: readonly Pod[];

  before(async () => {
    fleet = await Fleet.start({ ...OPTIONS, nodes: 3 });
    await fleet.write(
      'old.yaml',
      `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${NAMESPACE}}\n---\n${daemonSet('old')}`,
    );
    await fleet.commitAndPush('Run something on IPv4 alone');
    before4 = await pods('old');
    await fleet.write(
      'plumbline.yaml',
      cluster([`podCIDRs: [${OPTIONS.podCIDR}, "${PODS}"]`, `serviceCIDRs: [${OPTIONS.serviceCIDR}, "${SERVICES}"]`]),
    );
    const pushed = await fleet.commitAndPush('Have IPv6 beside IPv4');
    assert.equal(pushed.code, 0, pushed.stderr);
    await eventually('each node has a range of IPv6', 30, async () =>
      (await fleet.list('Node')).every(({ spec }) => spec.podCIDRs?.length === 2),
    );
    await eventually('each node writes a CNI configuration with it', 60, async () => {
      const nodes = await fleet.list('Node');
      const texts = await Promise.all(
        nodes.map(async ({ metadata }) => (await fleet.on(metadata.name, ['sh', '-c', 'cat /etc/cni/net.d/*'])).stdout),
      );
      return texts.every((text) => text.includes('::/0'));
    });
    await fleet.write('both.yaml', BOTH);
    await fleet.commitAndPush('Run something on both');
    await pods('web');
  });
  after(async () => {
    await fleet?.close();
  });

  /** Of a DaemonSet, when all three are ready. */
  const pods = (app: string): Promise<readonly Pod[]> =>
    eventually(`three pods of ${app} are ready`, 120, async () => {
      const found = (await fleet.list('Pod', NAMESPACE)).filter(({ metadata }) => metadata.labels?.['app'] === app);
      const ready = found.filter(({ status }) =>
        status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
      );
      return ready.length === 3 && found.length === 3 ? ready : undefined;
    });

  const exec = async (pod: Pod, ...argv: readonly string[]): Promise<string> => {
    const { stdout, stderr, code } = await fleet.plumb('exec', pod.metadata.name, '-n', NAMESPACE, '--', ...argv);
    return code === 0 ? stdout.trim() : `${code}: ${stderr.trim()}`;
  };
  const ask = (pod: Pod, host: string, port = 80): Promise<string> =>
    exec(
      pod,
      'timeout',
      '4',
      'wget',
      '-q',
      '-O',
      '-',
      `http://${host.includes(':') ? `[${host}]` : host}:${port}/cgi-bin/who`,
    );
  const second = ({ status }: Pod): string => status?.podIPs?.[1]?.ip ?? '';

  it('restarts nothing that ran before', async () => {
    const now = await pods('old');
    const told = (list: readonly Pod[]): unknown =>
      list
        .map(({ metadata, status }) => [
          metadata.uid,
          status?.containerStatuses?.map((c) => [c.containerID, c.restartCount]),
        ])
        .sort();
    assert.deepEqual(told(now), told(before4));
  });

  it('gives pods an address of each family, which they are told of', async () => {
    for (const pod of await pods('web')) {
      const ips = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
      assert.deepEqual(ips.map(familyOf), ['IPv4', 'IPv6']);
      assert.ok(cidrHas(PODS, second(pod)), second(pod));
      assert.equal(await exec(pod, 'sh', '-c', 'echo $POD_IPS'), ips.join());
    }
  });

  it('leads packets of IPv6 from each pod to each other one, on its own node and others', async () => {
    const all = await pods('web');
    for (const from of all)
      for (const to of all) assert.equal(await ask(from, second(to), 8080), `${to.metadata.name} [${second(from)}]`);
  });

  it('gives Services addresses by their families, which lead to pods', async () => {
    const services = await fleet.list('Service', NAMESPACE);
    const addresses = (name: string): readonly string[] => {
      const spec = services.find(({ metadata }) => metadata.name === name)?.spec;
      return spec?.clusterIPs ?? [spec?.clusterIP ?? ''];
    };
    assert.deepEqual(addresses('both').map(familyOf), ['IPv4', 'IPv6']);
    assert.deepEqual(addresses('six').map(familyOf), ['IPv6']);
    const [pod] = await pods('web');
    assert.ok(pod);
    for (const address of [...addresses('both'), ...addresses('six')]) {
      await eventually(`${address} answers`, 30, async () => (await ask(pod, address)).startsWith('web-'));
      for (let i = 0; i < 4; i += 1) assert.match(await ask(pod, address), /^web-\w+ \S+$/, address);
    }
  });

  it('answers names with both, and addresses with names', async () => {
    const [pod] = await pods('web');
    assert.ok(pod);
    const lookup = (name: string): Promise<string> => exec(pod, 'nslookup', name);
    const both = (await fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === 'both');
    const told = await lookup(`both.${NAMESPACE}.svc.cluster.local`);
    for (const address of both?.spec.clusterIPs ?? ['none']) assert.ok(told.includes(address), told);
    const heads = await lookup(`heads.${NAMESPACE}.svc.cluster.local`);
    for (const one of await pods('web'))
      for (const { ip } of one.status?.podIPs ?? []) assert.ok(heads.includes(ip), heads);
    assert.ok((await lookup(both?.spec.clusterIPs?.[1] ?? '')).includes(`both.${NAMESPACE}.svc.cluster.local`));
  });

  it('opens a host port at an address of IPv6 of the machine, and at that alone', async () => {
    const [own, foreign] = ['fd00:18:33::1', 'fd00:18:33::2'];
    const { name } = fleet.lab.nodes[0] ?? { name: '' };
    for (const address of [own, foreign])
      await fleet.on(name, ['ip', '-6', 'address', 'add', `${address}/128`, 'dev', 'lo', 'nodad']);
    const spec = `nodeName: ${name}, terminationGracePeriodSeconds: 1, containers: [{name: main, image: "registry.lab/busybox:1", command: [httpd, -f, -p, "8080"], ports: [{containerPort: 8080, hostPort: 18080, hostIP: "FD00:18:33::1"}]}]`;
    await fleet.write(
      'host-port.yaml',
      `apiVersion: v1\nkind: Pod\nmetadata: {name: hosted, namespace: ${NAMESPACE}}\nspec: {${spec}}\n`,
    );
    await fleet.commitAndPush('Open a port of the machine');
    const here = (await pods('web')).find((pod) => pod.spec.nodeName === name);
    assert.ok(here);
    await eventually('it answers at its address', 60, async () => /404/.test(await ask(here, own, 18080)));
    for (const address of [foreign, fleet.lab.nodes[0]?.address ?? ''])
      assert.match(await ask(here, address, 18080), /refused/, address);
  });

  it('leads what comes for an external address of IPv6, and to endpoints that a manifest lists', async () => {
    const external = 'fd00:18:34::10';
    const web = await pods('web');
    const [pod] = web;
    assert.ok(pod);
    const endpoints = web.map((one) => `{addresses: ["${second(one)}"]}`).join(', ');
    await fleet.write(
      'external.yaml',
      [
        service('external', `ipFamilies: [IPv6], externalIPs: ["${external}"]`),
        service('listed', 'ipFamilies: [IPv6]').replace('selector: {app: web}, ', ''),
        `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: listed-six, namespace: ${NAMESPACE}, labels: {kubernetes.io/service-name: listed}}\naddressType: IPv6\nports: [{port: 8080}]\nendpoints: [${endpoints}]\n`,
        service('older', 'ipFamilies: [IPv6]').replace('selector: {app: web}, ', ''),
        `apiVersion: v1\nkind: Endpoints\nmetadata: {name: older, namespace: ${NAMESPACE}}\nsubsets: [{addresses: [${web.map((one) => `{ip: "${second(one)}"}`).join(', ')}], ports: [{port: 8080}]}]\n`,
      ].join('---\n'),
    );
    await fleet.commitAndPush('Have an address of others, and endpoints by hand');
    for (const host of [external, `listed.${NAMESPACE}.svc.cluster.local`, `older.${NAMESPACE}.svc.cluster.local`])
      await eventually(`${host} answers`, 60, async () => /^web-\w+ \S+$/.test(await ask(pod, host)));
  });

  it('holds policy for IPv6 as for IPv4', async () => {
    await fleet.write('client.yaml', daemonSet('client'));
    await fleet.commitAndPush('Run clients');
    const [clients, web] = [await pods('client'), await pods('web')];
    const [client, one, other] = [clients[0], web[0], web[1]];
    assert.ok(client && one && other);
    assert.match(await ask(client, second(one), 8080), /^web-/);
    await fleet.write('policy.yaml', POLICY);
    await fleet.commitAndPush('Let in only those of web');
    // Each of them is closed by its own node.
    for (const to of web) {
      for (const { ip } of to.status?.podIPs ?? []) {
        await eventually(
          `the client is kept out of ${ip}`,
          30,
          async () => !(await ask(client, ip, 8080)).startsWith('web-'),
        );
        assert.match(await ask(other, ip, 8080), /^web-/, ip);
      }
    }
  });
});
