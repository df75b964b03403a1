import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { hasHostsFile, hostsFileText, kernelHostname, podDns, podHostname } from '../../../nodeagent/core/pod/names.ts';
import { pod } from './pods.ts';

describe("a pod's name", () => {
  const long = 'a'.repeat(60);
  for (const [title, spec, short, kernel, line] of [
    ['its own', {}, 'app', 'app', 'app'],
    ['hostname', { hostname: 'db' }, 'db', 'db', 'db'],
    ['a subdomain', { subdomain: 'dbs' }, 'app', 'app', 'app.dbs.default.svc.cluster.local\tapp'],
    [
      'the long one for the kernel',
      { hostname: 'db', subdomain: 'dbs', setHostnameAsFQDN: true },
      'db',
      'db.dbs.default.svc.cluster.local',
      'db.dbs.default.svc.cluster.local\tdb',
    ],
    ['the long one, of which there is none', { setHostnameAsFQDN: true }, 'app', 'app', 'app'],
    ['one that is written over', { hostname: 'db', subdomain: 'x', hostnameOverride: 'a.b' }, 'a.b', 'a.b', 'a.b'],
  ] as const)
    it(title, () => {
      const of = pod(spec);
      assert.equal(podHostname(of), short);
      assert.deepEqual(kernelHostname(of, 'cluster.local'), { ok: true, value: kernel });
      assert.ok(hostsFileText(of, ['198.18.0.9'], undefined, 'cluster.local').endsWith(`\n198.18.0.9\t${line}\n`));
    });

  it('is no longer than the kernel takes', () => {
    const result = kernelHostname(pod({ hostname: long, subdomain: 'dbs', setHostnameAsFQDN: true }), 'cluster.local');
    assert.match(result.ok ? '' : result.message, /is too long \(64 characters is the max, 90 characters requested\)/);
  });
});

describe("a pod's hosts file", () => {
  const hostAliases = [
    { ip: '192.0.2.1', hostnames: ['a.example', 'b'] },
    { ip: '2001:db8::1', hostnames: ['c'] },
  ];
  const added = '\n\n# Entries added by HostAliases.\n192.0.2.1\ta.example\tb\n2001:db8::1\tc\n';

  it('has what is added', () => {
    const text = hostsFileText(pod({ hostAliases }), ['198.18.0.9'], undefined, 'cluster.local');
    assert.ok(text.startsWith('# Kubernetes-managed hosts file.\n') && text.endsWith(`198.18.0.9\tapp${added}`), text);
  });

  it("is the host's in the host's network, and only there behind it", () => {
    const inHost = pod({ hostNetwork: true, hostAliases });
    assert.equal(hasHostsFile(inHost), true);
    assert.equal(
      hostsFileText(inHost, ['192.0.2.9'], '127.0.0.1 here\n', 'cluster.local'),
      `# Kubernetes-managed hosts file (host network).\n127.0.0.1 here\n${added}`,
    );
    assert.equal(hasHostsFile(pod({ hostNetwork: true })), false);
  });
});

describe("a pod's resolver", () => {
  const etc = '# c\nnameserver 192.0.2.53\nsearch old.example\nsearch corp.example. .\noptions ndots:2 rotate\n';
  const stub = { etc: 'nameserver 127.0.0.53\n', behindStub: 'nameserver 192.0.2.1\nsearch lan\n' };
  const dnsConfig = {
    nameservers: ['192.0.2.53', '192.0.2.54'],
    searches: ['a.example', 'corp.example'],
    options: [{ name: 'ndots', value: '5' }, { name: 'edns0' }],
  };
  const host = { etc, behindStub: undefined };
  for (const [title, spec, of, wanted] of [
    ["is the host's", {}, host, undefined],
    [
      "is the host's, with what is said on top",
      { dnsConfig },
      host,
      {
        servers: ['192.0.2.53', '192.0.2.54'],
        searches: ['corp.example', '.', 'a.example'],
        options: ['ndots:5', 'rotate', 'edns0'],
      },
    ],
    [
      'is what is said alone, with None',
      { dnsPolicy: 'None', dnsConfig },
      host,
      {
        servers: ['192.0.2.53', '192.0.2.54'],
        searches: ['a.example', 'corp.example'],
        options: ['ndots:5', 'edns0'],
      },
    ],
    [
      'is what is behind a stub that the pod does not reach',
      {},
      stub,
      { servers: ['192.0.2.1'], searches: ['lan'], options: [] },
    ],
    ["is the stub in the host's network", { hostNetwork: true }, stub, undefined],
    ['is the stub where nothing is behind it', {}, { etc: stub.etc, behindStub: undefined }, undefined],
    [
      'asks three servers at most',
      { dnsConfig: { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } },
      host,
      {
        servers: ['192.0.2.53', '192.0.2.1', '192.0.2.2'],
        searches: ['corp.example', '.'],
        options: ['ndots:2', 'rotate'],
      },
    ],
  ] as const)
    it(title, () =>
      assert.deepEqual(podDns(pod(spec), { ...of, clusterDns: false, clusterDomain: 'cluster.local' }), wanted),
    );

  const cluster = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
  const server = '169.254.20.10';
  for (const [title, spec, wanted] of [
    ["asks the node, below the pod's namespace first, then as the host does", {}, [server]],
    [
      "asks the node in the host's network where it says so",
      { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
      [server],
    ],
    ["is the host's in the host's network", { hostNetwork: true }, undefined],
    ["is the host's with Default", { dnsPolicy: 'Default' }, undefined],
    ['asks others after the node', { dnsConfig: { nameservers: ['192.0.2.53'] } }, [server, '192.0.2.53']],
  ] as const)
    it(`of the cluster ${title}`, () => {
      const one = pod(spec);
      const dns = podDns(
        { ...one, metadata: { ...one.metadata, namespace: 'shop' } },
        { ...host, clusterDns: true, clusterDomain: 'cluster.local' },
      );
      assert.deepEqual(
        dns,
        wanted && { servers: wanted, searches: [...cluster, 'corp.example', '.'], options: ['ndots:5'] },
      );
    });

  it('of the cluster has its domain', () => {
    const one = pod({ hostname: 'db', subdomain: 'dbs', setHostnameAsFQDN: true });
    const dns = podDns(one, { ...host, clusterDns: true, clusterDomain: 'lab.example' });
    assert.deepEqual(dns?.searches.slice(0, 3), ['default.svc.lab.example', 'svc.lab.example', 'lab.example']);
    assert.deepEqual(kernelHostname(one, 'lab.example'), { ok: true, value: 'db.dbs.default.svc.lab.example' });
    assert.match(
      hostsFileText(one, ['198.18.0.9'], undefined, 'lab.example'),
      /\tdb\.dbs\.default\.svc\.lab\.example\tdb\n/,
    );
  });

  it('searches no more, and nothing longer, than resolvers bear', () => {
    const searches = Array.from({ length: 40 }, (_, i) => `${i}.${'x'.repeat(90)}.example`);
    const dns = podDns(
      pod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'], searches: ['y'.repeat(254), ...searches] } }),
      { ...host, clusterDns: true, clusterDomain: 'cluster.local' },
    );
    assert.equal(dns?.searches.length, 20);
    assert.ok((dns?.searches.join(' ').length ?? 0) <= 2048);
  });
});
