/** Services, routes and repair on real rules in real network namespaces. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { wireGuardKey } from '../../../nodeagent/adapters/disk/wireguard-key.ts';
import { createIpRouting } from '../../../nodeagent/adapters/ip/ip-routing.ts';
import { networkSettings } from '../../../nodeagent/core/data-plane/network.ts';
import { diffRouting } from '../../../nodeagent/core/routes/diff.ts';
import { wantRouting } from '../../../nodeagent/core/routes/want.ts';
import { cluster, endpoint, service, slice } from '../../unit/network/world.ts';
import { ask, askUdp, loadOf, makeLab, readCni, type Lab, type TestPod } from './lab.ts';
import { cannotForwardByIpvs, cannotRun, NEEDED } from './namespace.ts';

const WEB = '198.19.128.10';
const DNS = '198.19.128.53';
const SCTP = join(import.meta.dirname, 'sctp.pl');

const LAYOUTS = [
  { name: 'nodes on one link, plain routes', label: 'flat', network: {}, apart: false, device: 'eth0', mtu: 1500 },
  {
    name: 'nodes on one link, VXLAN asked for',
    label: 'vx',
    network: { overlay: 'vxlan' },
    apart: false,
    device: 'plumb-vxlan',
    mtu: 1450,
  },
  { name: 'nodes behind a router', label: 'far', network: {}, apart: true, device: 'plumb-vxlan', mtu: 1450 },
  ...(['iptables-nft', 'iptables-legacy'] as const).map((iptables) => ({
    name: `Services by ${iptables}`,
    label: iptables.slice(9, 12),
    network: { packetFilter: 'iptables' },
    apart: false,
    device: 'eth0',
    mtu: 1500,
    iptables,
  })),
  {
    name: 'Services by IPVS',
    label: 'ipvs',
    network: { packetFilter: 'ipvs' },
    apart: false,
    device: 'eth0',
    mtu: 1500,
    isIpvs: true,
  },
] as const;
/** The test of a real machine runs one of them there. */
const ONLY = process.env['PLUMB_TEST_LAYOUT'];

for (const layout of LAYOUTS) {
  if (ONLY !== undefined && layout.label !== ONLY) continue;
  const isIpvs = 'isIpvs' in layout;
  const iptables = 'iptables' in layout ? layout.iptables : undefined;
  const missing = isIpvs
    ? cannotForwardByIpvs()
    : cannotRun([...NEEDED, ...(iptables === undefined ? [] : [`${iptables}-restore`])]);
  describe(`network: ${layout.name}`, { skip: missing ?? false, timeout: 600_000 }, () => {
    let lab: Lab;
    let pods: { a: TestPod; b: TestPod; c: TestPod };
    const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }]);

    before(async () => {
      lab = await makeLab(layout.label, {
        cluster: cluster(layout.network),
        apart: layout.apart,
        ...(iptables && { iptables }),
      });
      const [n1, n2] = lab.nodes;
      pods = { a: await n1.pod(2), b: await n2.pod(2), c: await n1.pod(3) };
      await Promise.all([lab.serve(pods.a.ns, 8080, 'a'), lab.serve(pods.b.ns, 8080, 'b')]);
    });
    after(() => lab.close());

    it("routes to the other node's pods through the right device, and says which assignment is in force", async () => {
      const [n1, n2] = lab.nodes;
      assert.match(await n1.ns.sh('ip', 'route', 'get', pods.b.address), new RegExp(`dev ${layout.device} `));
      assert.deepEqual(n1.states.at(-1), { version: n1.assignment.current().version, error: null });
      assert.equal(await ask(pods.c.ns, pods.b.address, 8080), `b ${pods.c.address} ${pods.b.address}`);
      assert.match(await ask(n2.ns, pods.a.address, 8080), /^a .* 198\.19\.1\.2$/);
      assert.match(await ask(n1.ns, pods.a.address, 8080), /^a .* 198\.19\.1\.2$/);
    });

    it('finds nothing to change at a second look', async () => {
      for (const { ns, object, assignment } of lab.nodes) {
        const routing = createIpRouting({ run: ns.run, key: () => wireGuardKey(lab.folder) });
        const { signal } = new AbortController();
        const wanted = wantRouting({
          node: object.metadata.name,
          nodes: assignment.current().list('Node'),
          network: networkSettings(assignment.current()),
          links: (await routing.inspect([], signal)).links,
        });
        assert.deepEqual(diffRouting(wanted, await routing.inspect(Object.keys(wanted.sysctls), signal)), []);
      }
    });

    it('writes the CNI configuration for its range and MTU', async () => {
      const { plugins } = await readCni(lab.nodes[0].cniPath);
      assert.deepEqual(
        plugins.map((p) => [p.type, p.mtu, p.ipam.ranges]),
        [['ptp', layout.mtu, [[{ subnet: '198.19.1.0/24', rangeStart: '198.19.1.2', gateway: '198.19.1.1' }]]]],
      );
    });

    it('refuses at once where there is no endpoint: from a pod, the node, outside', async () => {
      await lab.set(web, slice(web, []));
      for (const ns of [pods.c.ns, pods.b.ns, lab.nodes[0].ns]) assert.equal(await ask(ns, WEB, 80), 'ECONNREFUSED');
      for (const { address } of lab.nodes) assert.equal(await ask(lab.outside, address, 30080), 'ECONNREFUSED');
    });

    it('reaches an endpoint from nodes, pods anywhere and itself', async () => {
      await lab.set(slice(web, [endpoint(pods.a.address)]));
      const [n1, n2] = lab.nodes;
      assert.match(await ask(n1.ns, WEB, 80), /^a /);
      assert.match(await ask(n2.ns, WEB, 80), /^a /);
      assert.equal(await ask(pods.c.ns, WEB, 80), `a ${pods.c.address} ${pods.a.address}`);
      assert.equal(await ask(pods.b.ns, WEB, 80), `a ${pods.b.address} ${pods.a.address}`);
      assert.equal(await ask(pods.a.ns, WEB, 80), `a 198.19.1.1 ${pods.a.address}`);
    });

    it('answers on the node port of every node; where the pod is, it sees the client', async () => {
      const [n1, n2] = lab.nodes;
      assert.equal(await ask(lab.outside, n1.address, 30080), `a 198.18.0.9 ${pods.a.address}`);
      assert.match(await ask(lab.outside, n2.address, 30080), /^a (?!198\.18\.0\.9)/);
      assert.match(await ask(n1.ns, n1.address, 30080), /^a /);
      assert.match(await ask(pods.b.ns, n1.address, 30080), /^a /);
      assert.match(await ask(pods.b.ns, n2.address, 30080), /^a /);
      assert.match(await ask(pods.a.ns, n1.address, 30080), /^a /);
    });

    it('refuses a port of the Service range that no Service has', async () => {
      assert.equal(await ask(pods.c.ns, WEB, 81), 'ECONNREFUSED');
      assert.equal(await ask(lab.nodes[1].ns, '198.19.200.1', 80), 'ECONNREFUSED');
    });

    it('spreads over both endpoints', async () => {
      await lab.set(slice(web, [endpoint(pods.a.address)], 'a'), slice(web, [endpoint(pods.b.address)], 'b'));
      const seen = new Set<string>();
      for (let i = 0; i < 60 && seen.size < 2; i += 1) seen.add((await ask(pods.c.ns, WEB, 80)).charAt(0));
      assert.deepEqual([...seen].sort(), ['a', 'b']);
    });

    it('keeps a client of a sticky Service at one endpoint, until that is gone', async () => {
      const cart = service('cart', '198.19.128.30', [{ port: 80, targetPort: 8080 }], { sessionAffinity: 'ClientIP' });
      await lab.set(cart, slice(cart, [endpoint(pods.a.address), endpoint(pods.b.address)]));
      const first = (await ask(pods.c.ns, '198.19.128.30', 80)).charAt(0);
      for (let i = 0; i < 8; i += 1) assert.equal((await ask(pods.c.ns, '198.19.128.30', 80)).charAt(0), first);
      const other = first === 'a' ? pods.b : pods.a;
      await lab.set(slice(cart, [endpoint(other.address)]));
      assert.notEqual((await ask(pods.c.ns, '198.19.128.30', 80)).charAt(0), first);
    });

    if (layout.device === 'eth0') {
      it('forgets which endpoint a sticky client had once its time is over', async () => {
        const brief = service('brief', '198.19.128.31', [{ port: 80, targetPort: 8080 }], {
          sessionAffinity: 'ClientIP',
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } },
        });
        await lab.set(brief, slice(brief, [endpoint(pods.a.address), endpoint(pods.b.address)]));
        const seen = new Set<string>();
        for (let i = 0; i < 30 && seen.size < 2; i += 1) {
          seen.add((await ask(pods.c.ns, '198.19.128.31', 80)).charAt(0));
          await delay(1200);
        }
        assert.deepEqual([...seen].sort(), ['a', 'b']);
      });

      it('leads SCTP to an endpoint, and its answer back from the address of the Service', async () => {
        const calls = service('calls', '198.19.128.32', [{ port: 2905, targetPort: 2906, protocol: 'SCTP' }]);
        await lab.set(calls, slice(calls, [endpoint(pods.b.address)], 'a', 2906));
        const server = lab.start(pods.b.ns, ['perl', SCTP, 'answer', '2906']);
        await once(server.stdout ?? server, 'data');
        for (const ns of [pods.c.ns, lab.nodes[0].ns])
          assert.equal((await ns.sh('perl', SCTP, 'ask', '198.19.128.32', '2905')).trim(), '198.19.128.32:2905');
        server.kill('SIGKILL');
      });
    }

    it('moves a UDP client that keeps its port to the endpoint that is left', async () => {
      const dns = service('dns', DNS, [{ name: 'dns', port: 53, protocol: 'UDP' }]);
      await Promise.all([lab.answerUdp(pods.a.ns, 8080, 'a'), lab.answerUdp(pods.b.ns, 8080, 'b')]);
      await lab.set(dns, slice(dns, []));
      assert.equal(await askUdp(pods.c.ns, DNS, 53, 4000), 'ECONNREFUSED');
      await lab.set(slice(dns, [endpoint(pods.a.address)]));
      assert.equal(await askUdp(pods.c.ns, DNS, 53, 4000), 'a');
      await lab.set(slice(dns, [endpoint(pods.b.address)]));
      assert.equal(await askUdp(pods.c.ns, DNS, 53, 4000), 'b');
    });

    it('loses no new connection while readiness changes, with small transactions only', async () => {
      const [n1] = lab.nodes;
      const load = lab.start(pods.c.ns, [process.execPath, '-e', loadOf(WEB, 8)]);
      await once(load.stdout ?? load, 'data');
      const before = n1.writes.length;
      for (let round = 0; round < 30; round += 1) {
        await lab.set(
          slice(web, [endpoint(pods.a.address, round % 3 === 0 ? 'unready' : 'ready')], 'a'),
          slice(web, [endpoint(pods.b.address, round % 3 === 1 ? 'unready' : 'ready')], 'b'),
        );
      }
      const report = once(load.stdout ?? load, 'data');
      load.kill('SIGTERM');
      const { done, failed } = JSON.parse(String((await report)[0])) as { done: number; failed: string[] };
      assert.deepEqual(failed, []);
      assert.ok(done > 30, `only ${done} requests`);
      const writes = n1.writes.slice(before);
      assert.ok(writes.length >= 20);
      assert.ok(
        // IPVS has a command for each target beside that of the table.
        writes.every((w) => !w.whole && w.commands <= (isIpvs ? 5 : 3)),
        JSON.stringify(writes),
      );
    });

    it('keeps a connection that exists when the rules change', async () => {
      await lab.set(slice(web, [endpoint(pods.a.address)], 'a'), slice(web, [], 'b'));
      const client = lab.start(pods.b.ns, [process.execPath, '-e', KEEP_ALIVE]);
      assert.match(String((await once(client.stdout ?? client, 'data'))[0]), /^a /);
      await lab.set(slice(web, [], 'a'), slice(web, [endpoint(pods.b.address)], 'b'));
      const again = once(client.stdout ?? client, 'data');
      client.kill('SIGUSR2');
      assert.match(String((await again)[0]), /^a /);
      assert.match(await ask(pods.b.ns, WEB, 80), /^b /);
    });

    it('keeps a connection while its pod terminates, and ends it when the pod is gone', async () => {
      await lab.set(slice(web, [endpoint(pods.a.address)], 'a'), slice(web, [], 'b'));
      const client = lab.start(pods.b.ns, [process.execPath, '-e', KEEP_ALIVE]);
      assert.match(String((await once(client.stdout ?? client, 'data'))[0]), /^a /);
      const again = async (): Promise<string> => {
        const said = once(client.stdout ?? client, 'data');
        client.kill('SIGUSR2');
        return String((await said)[0]).trim();
      };
      await lab.set(
        slice(web, [endpoint(pods.a.address, 'terminating')], 'a'),
        slice(web, [endpoint(pods.b.address)], 'b'),
      );
      assert.match(await again(), /^a /);
      await lab.set(slice(web, [], 'a'));
      assert.equal(await again(), 'ECONNRESET');
    });

    it('leads a client that waits for a dead endpoint to another one, from the same port', async () => {
      const [n1] = lab.nodes;
      const DEAD = '198.19.2.99';
      await lab.set(slice(web, [endpoint(DEAD)], 'a'), slice(web, [], 'b'));
      const client = lab.start(pods.c.ns, [
        process.execPath,
        '-e',
        `
        require('net').connect({ host: '${WEB}', port: 80, localPort: 4200 }, function () { this.write('GET / HTTP/1.0\\r\\n\\r\\n'); this.on('data', (d) => console.log(String(d))); })`,
      ]);
      const answer = once(client.stdout ?? client, 'data');
      const waits = async (): Promise<boolean> =>
        (await n1.ns.sh('conntrack', '-L', '-p', 'tcp', '--state', 'SYN_SENT')).includes(`src=${DEAD}`);
      while (!(await waits()));
      await lab.set(slice(web, [endpoint(DEAD, 'unready'), endpoint(pods.a.address)], 'a'));
      assert.match(String((await answer)[0]), /a 198\.19\.1\.3 198\.19\.1\.2/);
    });

    it('has nothing left of a Service that is gone', async () => {
      await lab.remove(
        'services/default/web',
        'endpointslices.discovery.k8s.io/default/web-a',
        'endpointslices.discovery.k8s.io/default/web-b',
      );
      assert.equal(await ask(pods.c.ns, WEB, 80), 'ECONNREFUSED');
      assert.doesNotMatch(await lab.nodes[0].ns.sh('nft', 'list', 'table', 'ip', 'plumbline'), /web|30080/);
      if (isIpvs) {
        assert.doesNotMatch(await lab.nodes[0].ns.sh('ipvsadm', '-L', '-n'), new RegExp(WEB));
        assert.doesNotMatch(await lab.nodes[0].ns.sh('ip', 'route', 'show', 'table', '7846'), new RegExp(WEB));
      }
      if (iptables) assert.doesNotMatch(await lab.nodes[0].ns.sh(`${iptables}-save`, '-t', 'nat'), /web|30080/);
    });
  });
}

/** One kept connection: asks once at the start and once at each SIGUSR2. */
const KEEP_ALIVE = `
const http = require('http'); const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }); let sockets = new Set();
const ask = () => http.get({ host: '${WEB}', port: 80, agent }, (r) => { sockets.add(r.socket); let t = ''; r.on('data', (d) => t += d); r.on('end', () => console.log(sockets.size === 1 ? t : 'another connection')); })
  .on('error', (e) => console.log(e.code));
process.on('SIGUSR2', ask); setInterval(() => {}, 1000); ask();`;
