/**
 * The cluster's names, asked for by a pod and by a host. Sources: kubernetes/test/e2e/network/dns.go and dns_common.go.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually, type Fleet } from '../fleet.ts';
import type { Theme } from './theme.ts';

const CONTAINER = 'resources: {requests: {cpu: 5m, memory: 4Mi}}';

function manifests(namespace: string): string {
  const sleep = `{name: main, image: "registry.lab/busybox:1", command: [sleep, "3600"], ${CONTAINER}}`;
  const end = 'terminationGracePeriodSeconds: 1';
  const own =
    'dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53], searches: [corp.example], options: [{name: ndots, value: "2"}]}';
  return [
    `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`,
    `apiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: ${namespace}}\nspec: {${end}, containers: [${sleep}]}\n`,
    `apiVersion: v1\nkind: Pod\nmetadata: {name: own, namespace: ${namespace}}\nspec: {${end}, ${own}, containers: [${sleep}]}\n`,
    `apiVersion: v1\nkind: Pod\nmetadata: {name: peer, namespace: ${namespace}, labels: {app: peers}}\nspec: {${end}, hostname: peer-a, subdomain: peers, containers: [${sleep}]}\n`,
    `apiVersion: v1\nkind: Service\nmetadata: {name: peers, namespace: ${namespace}}\nspec: {clusterIP: None, selector: {app: peers}, ports: [{name: http, port: 80}]}\n`,
    `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: ${namespace}}\nspec: {selector: {app: peers}, ports: [{name: http, port: 80}]}\n`,
    alias(namespace, 'type: ExternalName, externalName: web.NS.svc.cluster.local'),
  ].join('---\n');
}

function alias(namespace: string, spec: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: alias, namespace: ${namespace}}\nspec: {${spec.replace('NS', namespace)}}\n`;
}

export const dns: Theme = (fleet, round) => {
  const namespace = `dns-${round}`;
  const zone = `${namespace}.svc.cluster.local`;
  let pushed: Promise<void> | undefined;
  const push = (): Promise<void> => (pushed ??= pushAll(fleet(), namespace));
  const inPod = async (pod: string, ...argv: readonly string[]): Promise<string> =>
    (await fleet().plumb('exec', pod, '-n', namespace, '--', ...argv)).stdout;
  /** What `nslookup` prints of answers: addresses, names and servers, without the server's own. */
  const ask = async (name: string, type = 'a'): Promise<string> => {
    const said = await inPod('client', 'sh', '-c', `nslookup -type=${type} ${name} 2>&1 || true`);
    return said.split('\n').slice(2).join('\n');
  };
  const address = async (name: string): Promise<string> =>
    (/Address[^:]*:\s*([\d.]+)/.exec(await ask(name)) ?? [])[1] ?? '';

  it('a Service has every one of its names [conformance: dns-services, dns-pqdn-for-services]', async () => {
    await push();
    const webIP = (await fleet().list('Service', namespace)).find(({ metadata }) => metadata.name === 'web')?.spec
      .clusterIP;
    // By the C library's resolver and the pod's search path: `nslookup` has none for a name with a dot.
    const resolver = await inPod('client', 'cat', '/etc/resolv.conf');
    const script =
      'printf %s "$1" >/run/resolv.conf && mount --bind /run/resolv.conf /etc/resolv.conf && getent ahostsv4 "$2"';
    for (const name of ['web', `web.${namespace}`, `web.${namespace}.svc`, `web.${zone}`]) {
      const argv = ['unshare', '--mount', 'sh', '-c', script, 'sh', resolver, name];
      const { stdout } = await fleet().on(fleet().lab.nodes[0]?.name ?? '', argv);
      assert.equal(stdout.split(' ')[0], webIP, name);
    }
    assert.match(await ask(`_http._tcp.web.${zone}`, 'srv'), new RegExp(`0 100 80 web\\.${zone}`));
    assert.match(await ask(`_http._tcp.peers.${zone}`, 'srv'), new RegExp(`0 100 80 peer-a\\.peers\\.${zone}`));
    assert.match(await ask(`no.${zone}`), /NXDOMAIN/);
  });

  it('a pod has its names [conformance: dns-resolve-the-hostname, dns-resolve-the-subdomain, dns-cluster]', async () => {
    await push();
    const podIP = (await fleet().list('Pod', namespace)).find(({ metadata }) => metadata.name === 'peer')?.status
      ?.podIP;
    assert.equal(await address(`peer-a.peers.${zone}`), podIP);
    assert.equal(await address(`peers.${zone}`), podIP);
    assert.match(await inPod('peer', 'cat', '/etc/hosts'), new RegExp(`${podIP}\\tpeer-a\\.peers\\.${zone}\\tpeer-a`));
    assert.equal((await inPod('peer', 'hostname', '-f')).trim(), `peer-a.peers.${zone}`);
  });

  it('an alias follows what it says [conformance: dns-for-externalname-services]', async () => {
    await push();
    assert.match(await ask(`alias.${zone}`), new RegExp(`canonical name = web\\.${zone}`));
    await fleet().write(`${namespace}/alias.yaml`, alias(namespace, 'type: ClusterIP, ports: [{port: 80}]'));
    await fleet().commitAndPush('Make the alias a Service');
    const { webIP } = await eventually('it has an address of its own', 30, async () => {
      const found = (await fleet().list('Service', namespace)).find(({ metadata }) => metadata.name === 'alias');
      return found?.spec.clusterIP !== undefined && { webIP: found.spec.clusterIP };
    });
    await eventually('its name is that address', 30, async () => (await address(`alias.${zone}`)) === webIP);
  });

  it('a pod may have other servers [conformance: dns-custom-dnsconfig]', async () => {
    await push();
    assert.equal(
      await inPod('own', 'cat', '/etc/resolv.conf'),
      'search corp.example\nnameserver 192.0.2.53\noptions ndots:2\n',
    );
  });

  it('names are answered while the control plane is away', async () => {
    await push();
    await fleet().stopControlPlane();
    try {
      for (const { name } of fleet().lab.nodes) {
        const { stdout } = await fleet().on(name, ['busybox', 'nslookup', `web.${zone}`, '169.254.20.10']);
        assert.match(stdout, /Address[^:]*: *[\d.]+\s*$/);
      }
    } finally {
      await fleet().startControlPlane();
    }
    await fleet().removeFiles(namespace);
  });
};

async function pushAll(fleet: Fleet, namespace: string): Promise<void> {
  const [first, ...rest] = manifests(namespace).split('---\n').toReversed();
  await fleet.write(`${namespace}/all.yaml`, rest.toReversed().join('---\n'));
  await fleet.write(`${namespace}/alias.yaml`, first ?? '');
  await fleet.commitAndPush('Ask for names');
  await eventually('the pods run', 60, async () => {
    const pods = await fleet.list('Pod', namespace);
    return pods.length === 3 && pods.every(({ status }) => status?.phase === 'Running');
  });
  await eventually('the endpoint is there', 30, async () =>
    (await fleet.list('EndpointSlice', namespace)).some(({ endpoints }) =>
      endpoints.some(({ hostname }) => hostname === 'peer-a'),
    ),
  );
  // A node's own server answers once the node was told.
  for (const { name } of fleet.lab.nodes)
    for (const asked of ['web', 'alias', 'peer-a.peers'])
      await eventually(`${name} answers for ${asked}`, 30, async () => {
        const argv = ['busybox', 'nslookup', '-type=a', `${asked}.${namespace}.svc.cluster.local`, '169.254.20.10'];
        return (await fleet.on(name, argv)).code === 0;
      });
}
