/** What the agent answers at its socket of what it holds, as the control plane reads it. */
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, before, it } from 'node:test';

import { NODE_PATHS } from '../../../contracts/agent/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { startApi, type ApiDeps } from '../../../nodeagent/loops/api/server.ts';
import { openAssignment } from '../../../nodeagent/loops/assignment-store.ts';
import { MemoryMachine, MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { AgentClient } from '../../../reconciler/controllers/nodes/agent-client.ts';
import { AlikeParts } from '../../../reconciler/controllers/nodes/alike-parts.ts';
import { makeFolder } from '../../support/folder.ts';
import { EXAMPLES } from '../kinds/examples.ts';

const INFO = { agentVersion: '1', bundleHash: '', runtimeHash: '', pid: 1, startedAt: '' };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const clock = new SystemClock();
const { signal } = new AbortController();
let folder: string;
let api: Awaited<ReturnType<typeof startApi>>;

before(async () => {
  folder = makeFolder('agent-inventory-');
  const Node = {
    ...EXAMPLES.Node,
    spec: { podCIDR: '10.0.0.0/24' },
    status: { addresses: [{ type: 'InternalIP' as const, address: '198.18.0.2' }] },
  };
  const stored = { epoch: 1, version: 'v1', node: 'n1', objects: Object.values({ ...EXAMPLES, Node }) };
  api = await startApi({
    socket: `${folder}/agent.sock`,
    assignment: await openAssignment(
      { load: async () => stored, append: async () => undefined, close: async () => undefined },
      silent,
    ),
    hub: { pods: () => [] },
    volumes: { records: async () => [] },
    folders: { state: '/nowhere', run: '/nowhere', podLogs: '/nowhere' },
    clock: systemClock,
    info: INFO,
  } as unknown as ApiDeps);
});
after(async () => {
  await api.close();
  await removeFolder(folder);
});

it('has the same claims, whether it tells them itself or another node is asked for what they hold alike', async () => {
  const machine = new MemoryMachine('ssh-ed25519 AAAA');
  const paths: string[] = [];
  // Its connection ends at the agent's socket.
  machine.sockets.set(
    NODE_PATHS.socket,
    createServer((question, answer) => {
      paths.push(question.url ?? '');
      request({ socketPath: `${folder}/agent.sock`, path: question.url, method: question.method }, (told) => {
        answer.writeHead(told.statusCode ?? 500);
        told.pipe(answer);
      }).end();
    }),
  );
  const transport = new MemoryNodeTransport();
  transport.machines.set('198.18.0.2:22', machine);
  const target = { name: 'n1', address: '198.18.0.2', port: 22, user: 'root', hostKey: 'ssh-ed25519 AAAA' };
  const connection = await transport.connect(target, signal);
  const client = new AgentClient(connection, clock);
  const whole = await client.inventory(signal);
  const parts = new AlikeParts(clock, signal);
  const first = await client.inventory(signal, { parts });
  const again = await client.inventory(signal, { parts });
  const sorted = (claims: readonly object[]): readonly string[] => claims.map((claim) => JSON.stringify(claim)).sort();
  assert.ok(first.alike && first.alike.length > 0);
  assert.deepEqual(sorted([...first.claims, ...first.alike.flat()]), sorted(whole.claims));
  assert.deepEqual(again.alike, first.alike);
  assert.equal((await client.inventory(signal, { parts: 'unread' })).alike, undefined);
  assert.equal(paths.filter((path) => path.startsWith('/v1/inventory/alike?parts=')).length, 1, paths.join(' '));
  await connection.close();
});
