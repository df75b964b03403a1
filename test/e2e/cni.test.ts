/** Pods of a CNI plugin that is not ours: the reference plugins of Debian, on two hosts whose routes their owner makes. Names are below a domain of the cluster's own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { cidrHas } from '../../contracts/ip.ts';
import { findCondition, type StoredOf } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';

const NAMESPACE = 'foreign';
const NETWORK = {
  name: 'cni',
  subnet: '198.18.36.0/24',
  podCIDR: '198.19.64.0/20',
  serviceCIDR: '198.19.80.0/20',
  network: ['overlay: cni'],
  domain: 'lab.example',
};
const FILE = '/etc/cni/net.d/50-mine.conflist';

/** Pods on a bridge, as the plugins' own documentation has it. */
function conflist(subnet: string): string {
  const bridge = {
    type: 'bridge',
    bridge: 'mine0',
    isGateway: true,
    hairpinMode: true,
    ipam: { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  const bandwidth = { type: 'bandwidth', capabilities: { bandwidth: true } };
  return JSON.stringify({ cniVersion: '0.4.0', name: 'mine', plugins: [bridge, portmap, bandwidth] });
}

/** At 8080 tells its host name, and at `/cgi-bin/who` the address that it was asked from as well. */
const SCRIPT = [
  'mkdir -p /tmp/w/cgi-bin && printf "#!/bin/sh\\\\necho; echo \\$(hostname) \\$REMOTE_ADDR\\\\n" >/tmp/w/cgi-bin/who',
  'hostname >/tmp/w/index.html && chmod +x /tmp/w/cgi-bin/who && exec httpd -f -p 8080 -h /tmp/w',
].join(' && ');

function daemonSet(name: string, annotations = '{}', ports = '[]'): string {
  return `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ${name}, namespace: ${NAMESPACE}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}, annotations: ${annotations}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: registry.lab/busybox:1
          command: [sh, -c, '${SCRIPT}']
          ports: ${ports}
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          resources: {requests: {cpu: 5m, memory: 4Mi}}
`;
}

const WORKLOADS = [
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${NAMESPACE}}\n`,
  daemonSet('web', '{kubernetes.io/ingress-bandwidth: 50M}', '[{containerPort: 8080, hostPort: 18080}]'),
  daemonSet('client'),
  `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: ${NAMESPACE}}\nspec: {ports: [{port: 80, targetPort: 8080}], selector: {app: web}}\n`,
].join('---\n');

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: ${NAMESPACE}}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
`;

type Pod = StoredOf<'Pod'>;

async function on(fleet: Fleet, node: string, ...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await fleet.on(node, argv);
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
  return stdout;
}

async function ranges(fleet: Fleet): Promise<ReadonlyMap<string, string>> {
  const nodes = await fleet.list('Node');
  return new Map(
    nodes.flatMap(({ metadata, spec }) => (spec.podCIDR === undefined ? [] : [[metadata.name, spec.podCIDR]])),
  );
}

/** What the owner of the hosts does: a configuration for each, and routes between them. */
async function giveNetwork(fleet: Fleet): Promise<void> {
  const all = await eventually('each node has a range and waits for a network', 90, async () => {
    const nodes = await fleet.list('Node');
    const waiting = nodes.filter(({ status }) =>
      status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'False' && c.reason === 'NetworkNotReady'),
    );
    const found = await ranges(fleet);
    return waiting.length === 2 && found.size === 2 ? found : undefined;
  });
  for (const { name } of fleet.lab.nodes) {
    await on(fleet, name, 'sh', '-c', 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables');
    for (const other of fleet.lab.nodes)
      if (other.name !== name)
        await on(fleet, name, 'ip', 'route', 'add', all.get(other.name) ?? '', 'via', other.address);
    await on(fleet, name, 'sh', '-c', `printf %s "$1" >${FILE}`, 'sh', conflist(all.get(name) ?? ''));
  }
}

describe("a CNI plugin of the user's", () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({ ...NETWORK, nodes: 2, prepare: giveNetwork });
    await fleet.write('work.yaml', WORKLOADS);
    await fleet.commitAndPush('Run something');
  });
  after(async () => {
    await fleet?.close();
  });

  const pods = (app: string): Promise<readonly Pod[]> => fleet.podsReady(app, 2, { seconds: 120 });
  const exec = async (pod: Pod, ...argv: readonly string[]): Promise<string> => {
    const { stdout, stderr, code } = await fleet.plumb('exec', pod.metadata.name, '-n', NAMESPACE, '--', ...argv);
    return code === 0 ? stdout.trim() : `${code}: ${stderr.trim()}`;
  };
  const ask = async (pod: Pod, host: string, port = 80): Promise<string> =>
    (await exec(pod, 'timeout', '4', 'wget', '-q', '-O', '-', `http://${host}:${port}/cgi-bin/who`)).replace(
      /\[::ffff:(.*)\]/,
      '$1',
    );
  const address = ({ status }: Pod): string => status?.podIP ?? '';
  const everyPod = async (): Promise<readonly Pod[]> => [...(await pods('web')), ...(await pods('client'))];

  it('gives pods their addresses, of the range of their node, and there is nothing of ours for them', async () => {
    const all = await ranges(fleet);
    for (const pod of await everyPod()) {
      const range = all.get(pod.spec.nodeName ?? '') ?? '';
      assert.ok(cidrHas(range, address(pod)), `${address(pod)} of ${range}`);
      assert.match(
        await on(fleet, pod.spec.nodeName ?? '', 'ls', '/var/lib/cni/networks/mine'),
        new RegExp(`^${address(pod)}$`, 'm'),
      );
    }
    for (const { name } of fleet.lab.nodes) {
      assert.equal((await on(fleet, name, 'ls', '-A', '/etc/cni/net.d')).trim(), FILE.split('/').at(-1));
      assert.doesNotMatch(await on(fleet, name, 'ip', 'route'), /blackhole/);
      assert.doesNotMatch(await on(fleet, name, 'ip', 'link'), /plumb-/);
    }
  });

  it('leads packets from each pod to each other one, on its own node and on the other', async () => {
    const all = await everyPod();
    for (const from of all)
      for (const to of all)
        if (from !== to) assert.equal(await ask(from, address(to), 8080), `${to.metadata.name} ${address(from)}`);
  });

  it('has Services and names of ours, also from a pod to itself', async () => {
    const web = await pods('web');
    for (const from of await everyPod()) {
      const met = new Set<string>();
      await eventually(`${from.metadata.name} meets both pods`, 60, async () => {
        const answer = await ask(from, `web.${NAMESPACE}.svc.${NETWORK.domain}`);
        assert.match(answer, /^web-\w+ \S+$/);
        met.add(answer.split(' ')[0] ?? '');
        return met.size === web.length;
      });
    }
  });

  it('answers short names and addresses with the domain of the cluster', async () => {
    const [client] = await pods('client');
    assert.ok(client);
    assert.match(await ask(client, 'web'), /^web-/);
    const service = await fleet.clusterIP('web');
    assert.match(await exec(client, 'nslookup', service), new RegExp(`web\\.${NAMESPACE}\\.svc\\.lab\\.example`));
    const before = await exec(client, 'sh', '-c', `nslookup web.${NAMESPACE}.svc.cluster.local 2>&1 || true`);
    assert.doesNotMatch(before, new RegExp(service.replaceAll('.', '\\.')));
  });

  it('leaves host ports to us and bandwidth to the plugin', async () => {
    const [web] = await pods('web');
    assert.ok(web);
    const { nodeName = '' } = web.spec;
    const host = fleet.lab.nodes.find(({ name }) => name === nodeName)?.address ?? '';
    assert.match((await fleet.httpFrom(nodeName, 'http://127.0.0.1:18080/')) ?? '', /^web-/);
    assert.match((await fleet.httpFrom(nodeName, `http://${host}:18080/`)) ?? '', /^web-/);
    assert.doesNotMatch(await on(fleet, nodeName, 'sh', '-c', 'iptables-save -t nat 2>/dev/null'), /18080/);
    assert.match(await on(fleet, nodeName, 'tc', 'qdisc'), /tbf .* rate 50Mbit/);
  });

  it('is under our policies, on one node and between two', async () => {
    const [web, clients] = [await pods('web'), await pods('client')];
    await fleet.write('policy.yaml', POLICY);
    await fleet.commitAndPush('Let in only those of web');
    for (const from of clients)
      for (const to of web)
        await eventually(
          'the client is kept out',
          30,
          async () => !(await ask(from, address(to), 8080)).startsWith('web-'),
        );
    for (const from of web)
      for (const to of web) if (from !== to) assert.match(await ask(from, address(to), 8080), /^web-/);
    await fleet.removeFiles('policy.yaml');
  });

  it('says of a host whose bridge passes on packets by the rules what does not hold, and what to set', async () => {
    const [{ name } = { name: '' }] = fleet.lab.nodes;
    const setting = (value: 0 | 1): Promise<string> =>
      on(fleet, name, 'sh', '-c', `echo ${value} >/proc/sys/net/bridge/bridge-nf-call-iptables`);
    const told = async (): Promise<string> => {
      const found = (await fleet.list('Node')).find(({ metadata }) => metadata.name === name);
      const { status, message } = findCondition(found?.status?.conditions, 'NetworkUnavailable') ?? {};
      return `${status}: ${message}`;
    };
    /** A new pod there has it looked at. */
    const replacePod = async (): Promise<void> => {
      const pod = (await pods('client')).find(({ spec }) => spec.nodeName === name);
      const deleted = await fleet.plumb('delete', `pod/${pod?.metadata.name ?? ''}`, '-n', NAMESPACE);
      assert.equal(deleted.code, 0, deleted.stderr);
    };
    await setting(0);
    await replacePod();
    await eventually('it is told', 90, async () =>
      /^True: pods are on the bridge mine0, .* Set net\.bridge\.bridge-nf-call-iptables to 1/.test(await told()),
    );
    const check = await fleet.plumb('net', 'check');
    assert.match(check.stdout, new RegExp(`broken: node ${name} says of its network: pods are on the bridge mine0`));
    assert.equal(check.code, 1);
    await setting(1);
    await replacePod();
    await eventually('it is well', 90, async () => (await told()).startsWith('False'));
    await pods('client');
  });

  it('refuses to change whose network it is', async () => {
    await fleet.write(
      'plumbline.yaml',
      `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: e2e}\nspec:\n  network: {podCIDR: ${NETWORK.podCIDR}, serviceCIDR: ${NETWORK.serviceCIDR}}\n  dns: {domain: ${NETWORK.domain}}\n`,
    );
    await fleet.commit('Take the network back');
    const { code, stderr } = await fleet.push();
    await fleet.git(['reset', '-q', '--hard', 'HEAD~1']);
    assert.notEqual(code, 0);
    assert.match(stderr, /overlay cannot be changed to or from cni once the cluster exists: it is cni/);
  });

  it('does not let a pod run with an address that is not of its node, and says so', async () => {
    const [{ name } = { name: '' }] = fleet.lab.nodes;
    await on(
      fleet,
      name,
      'sh',
      '-c',
      `printf %s "$1" >${FILE}`,
      'sh',
      conflist('198.19.79.0/24').replace('"mine"', '"other"').replace('mine0', 'other0'),
    );
    const container = '{name: main, image: "registry.lab/busybox:1", command: [sleep, "9999"]}';
    await fleet.write(
      'stray.yaml',
      `apiVersion: v1\nkind: Pod\nmetadata: {name: stray, namespace: ${NAMESPACE}}\nspec: {nodeName: ${name}, terminationGracePeriodSeconds: 1, containers: [${container}]}\n`,
    );
    await fleet.commitAndPush('Run with a stray address');
    const stray = await eventually('it says what is wrong', 60, async () => {
      const pod = (await fleet.list('Pod', NAMESPACE)).find(({ metadata }) => metadata.name === 'stray');
      const waiting = pod?.status?.containerStatuses?.[0]?.state.waiting;
      return waiting?.message?.includes('not in this node') === true && pod;
    });
    assert.equal(stray.status?.podIP, undefined);
    assert.match(
      stray.status?.containerStatuses?.[0]?.state.waiting?.message ?? '',
      /the CNI plugin gave the pod 198\.19\.79\.\d+, which is not in this node's range of pods/,
    );
  });
});
