/**
 * Certificates of an ACME server, asked for by an annotation, shown and served by the proxies of real hosts: issued,
 * renewed under load, and the same after the store was lost.
 */
import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { request } from 'node:https';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { findCondition } from '../../contracts/objects/index.ts';
import { startTestPebble, type TestPebble } from '../support/pebble.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp } from './manifests.ts';
import { filesBelow } from '../support/files-below.ts';

const NODES = ['node-1', 'node-2'] as const;
const LOOK_MS = 10_000;

describe('certificates', () => {
  let fleet: Fleet;
  const authorities: TestPebble[] = [];

  before(async () => {
    fleet = await Fleet.start({
      name: 'cert',
      subnet: '198.18.34.0/24',
      podCIDR: '198.19.192.0/20',
      serviceCIDR: '198.19.208.0/20',
      nodes: NODES.length,
    });
    await fleet.write('one.yaml', helloApp({ name: 'one', version: '1', replicas: 1 }));
    await fleet.commitAndPush('Run an app');
    await fleet.podsReady('one', 1);
    const of = { address: addressOf('node-1'), httpPort: 80 };
    authorities.push(await startTestPebble(of), await startTestPebble({ ...of, lifeSeconds: 345 }));
  });
  after(async () => {
    await Promise.all([fleet?.close(), ...authorities.map((one) => one.close())]);
  });

  /** The address of the host, as others reach it. */
  const addressOf = (node: string): string => fleet.lab.nodes.find(({ name }) => name === node)?.address ?? '';

  /** What a host shows to who asks for the name. */
  async function shown(node: string, servername: string): Promise<X509Certificate | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host: addressOf(node), port: 443, servername, rejectUnauthorized: false });
      const end = (found?: X509Certificate): void => {
        socket.destroy();
        resolve(found);
      };
      socket.setTimeout(LOOK_MS, end);
      socket.on('error', () => {
        end();
      });
      socket.on('secureConnect', () => {
        end(socket.getPeerX509Certificate());
      });
    });
  }

  const served = (host: string, isMeant: (found: X509Certificate) => boolean = () => true): Promise<X509Certificate> =>
    eventually(`${host} is served with its certificate by all hosts`, 120, async () => {
      const all = await Promise.all(NODES.map((node) => shown(node, host)));
      const isOne = new Set(all.map((one) => one?.fingerprint256)).size === 1;
      const [found] = all;
      if (isOne && found?.checkHost(host) === host && isMeant(found)) return found;
      const told = (await fleet.list('Certificate')).map(({ metadata, status }) => [metadata.name, status]);
      throw new Error(`${all.map((one) => one?.subjectAltName).join()}: ${JSON.stringify(told)}`);
    });

  function issuer(name: string, { url, ca }: TestPebble): string {
    return `apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: ${name}}
spec:
  acme:
    server: ${url}
    email: admin@example.com
    caBundle: ${Buffer.from(ca).toString('base64')}
    privateKeySecretRef: {name: ${name}-account}
    solvers: [{http01: {ingress: {ingressClassName: plumbline}}}]
---
`;
  }

  function ingress(name: string, host: string, annotations: string): string {
    return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}, annotations: {cert-manager.io/private-key-algorithm: ECDSA, ${annotations}}}
spec:
  tls: [{hosts: [${host}], secretName: ${name}-tls}]
  rules: [{host: ${host}, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 80}}}}]}}]
---
`;
  }

  it('are issued for an Ingress that asks by its annotation, and served by SNI', async () => {
    const [lasting, short] = authorities;
    assert.ok(lasting && short);
    await fleet.write('issuers.yaml', issuer('lasting', lasting) + issuer('short', short));
    await fleet.write('shop.yaml', ingress('shop', 'shop.example.com', 'cert-manager.io/cluster-issuer: lasting'));
    await fleet.commitAndPush('Open a shop with a certificate');
    const found = await served('shop.example.com');
    assert.match(found.issuer, /Pebble/);
    await eventually('it is told', 30, async () => {
      const [certificate] = await fleet.list('Certificate');
      return findCondition(certificate?.status?.conditions, 'Ready')?.reason === 'Ready';
    });
    const { stdout } = await fleet.plumb('get', 'certificate', 'shop-tls');
    assert.match(stdout, /shop-tls +True +shop-tls/);
  });

  it('are the same after the store was lost, without being asked for again', async () => {
    const before = await served('shop.example.com');
    await fleet.stopControlPlane('SIGKILL');
    await rm(path.join(fleet.home, 'redis'), { recursive: true, force: true });
    await fleet.startControlPlane();
    await fleet.nodesReady(NODES);
    await eventually('the Certificate is ready again', 60, async () => {
      const [found] = await fleet.list('Certificate');
      return findCondition(found?.status?.conditions, 'Ready')?.status === 'True';
    });
    assert.equal((await served('shop.example.com')).fingerprint256, before.fingerprint256);
    const events = (await fleet.list('Event')).filter(({ involvedObject }) => involvedObject.kind === 'Certificate');
    assert.deepEqual(
      events.filter(({ message }) => message.includes('successfully issued')),
      [],
    );
  });

  it('are renewed without a request that fails', async () => {
    const asks = "cert-manager.io/cluster-issuer: short, cert-manager.io/renew-before: '5m15s'";
    await fleet.write('news.yaml', ingress('news', 'news.example.com', asks));
    await fleet.commitAndPush('Open a paper with a certificate that lasts for minutes');
    const first = await served('news.example.com');
    const asking = new AbortController();
    const load = askUntil(addressOf('node-1'), 'news.example.com', asking.signal);
    try {
      await served('news.example.com', ({ fingerprint256 }) => fingerprint256 !== first.fingerprint256);
    } finally {
      asking.abort();
    }
    const { count, failures } = await load;
    assert.deepEqual(failures, []);
    assert.ok(count > 20, `${count} requests`);
  });

  it('leave no key in Redis, in the log, or in the clear on the disk', async () => {
    // As text and as the beginning of base64 of it.
    const traces = [/BEGIN [A-Z ]*PRIVATE KEY/, /LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,16}UFJJVkFURS/];
    for (const folder of ['redis', 'certificates'])
      for (const [file, text] of await filesBelow(path.join(fleet.home, folder)))
        for (const trace of traces) assert.doesNotMatch(text, trace, file);
    for (const trace of traces) assert.doesNotMatch(await fleet.controlPlaneLog(), trace);
  });
});

/** One request after another, each over a connection of its own. */
async function askUntil(
  host: string,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let count = 0;
  for (; !signal.aborted; count += 1) {
    const said = await ask(host, name);
    if (said !== '200') failures.push(said);
  }
  return { count, failures };
}

function ask(host: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = request({
      host,
      servername: name,
      headers: { host: name },
      rejectUnauthorized: false,
      agent: false,
      timeout: LOOK_MS,
    });
    asked.on('response', (response) => {
      response.resume().on('end', () => {
        resolve(String(response.statusCode));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', (error) => {
      resolve(error.message);
    });
    asked.end();
  });
}
