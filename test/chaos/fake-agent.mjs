/**
 * An agent that lies: `fake-agent.mjs SOCKET lies|endless NODE`. Prints `ready` when it listens. `lies`: its inventory
 * holds what is in no Git, claims of other nodes' and an epoch beyond all others. `endless`: its answers never end.
 */
import { createServer } from 'node:http';

const [socket, mode, node] = process.argv.slice(2);
const TIME = '2026-01-01T00:00:00Z';
const info = {
  agentVersion: '0.1.0',
  bundleHash: 'f'.repeat(64),
  runtimeHash: 'f'.repeat(64),
  pid: process.pid,
  startedAt: TIME,
  epoch: mode === 'lies' ? Number.MAX_SAFE_INTEGER : 1,
  assignmentVersion: 'lie-1',
};
const meta = (name, uid, more = {}) => ({
  name,
  namespace: 'default',
  uid,
  creationTimestamp: TIME,
  labels: { app: 'evil' },
  ...more,
});
const spec = {
  nodeName: node,
  containers: [{ name: 'evil', image: 'registry.lab/hello:1', securityContext: { privileged: true } }],
};
const template = { metadata: { labels: { app: 'evil' } }, spec: { containers: spec.containers } };
const selector = { matchLabels: { app: 'evil' } };
const owner = (kind, name, uid) => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid, controller: true }],
});
const objects = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('evil', 'evil-d'),
    spec: { replicas: 50, selector, template },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: meta('evil-1', 'evil-r', owner('Deployment', 'evil', 'evil-d')),
    spec: { replicas: 50, selector, template },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta('evil-1-a', 'evil-p', owner('ReplicaSet', 'evil-1', 'evil-r')),
    spec,
  },
  { apiVersion: 'v1', kind: 'Pod', metadata: meta('evil-elsewhere', 'evil-e'), spec: { ...spec, nodeName: 'node-1' } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta('evil', 'evil-s'),
    spec: { clusterIP: '198.18.0.1', ports: [{ port: 80, protocol: 'TCP' }] },
  },
];
const report = {
  internalIP: '198.18.0.1',
  hostname: 'node-1',
  capacity: { cpu: '1000', memory: '1Ti', pods: '1000' },
  nodeInfo: {
    machineID: 'm',
    bootID: 'b',
    kernelVersion: 'k',
    osImage: 'o',
    architecture: 'x64',
    containerRuntimeVersion: 'c',
    agentVersion: '1',
  },
  ready: true,
  reason: '',
  message: '',
  networkVersion: null,
  networkError: null,
  agentRss: 1,
};

/** Until the other side gives up. */
function endless(response, line) {
  const write = () => {
    while (!response.destroyed && response.write(line));
  };
  response.on('drain', write);
  write();
}

createServer((request, response) => {
  request.resume();
  const path = (request.url ?? '').split('?')[0];
  if (path === '/v1/info' && mode === 'lies') return response.end(JSON.stringify(info));
  if (mode === 'endless')
    return endless(response, `${JSON.stringify({ type: 'heartbeat', at: TIME, padding: 'x'.repeat(60_000) })}\n`);
  if (path === '/v1/inventory') return response.end(JSON.stringify({ info, node: report, objects, pods: [] }));
  if (path === '/v1/inventory/lines')
    return response.end(
      [{ info }, ...objects.map((object) => ({ object })), { end: true }]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(''),
    );
  if (path === '/v1/status') return response.write(`${JSON.stringify({ type: 'node', node: report })}\n`);
  response.end(JSON.stringify({ version: 'lie-1' }));
}).listen(socket, () => process.stdout.write('ready\n'));
