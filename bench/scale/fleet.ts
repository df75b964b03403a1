/**
 * Some of the benchmark's nodes, in a process of their own so that what they cost is not counted: `fleet.ts SOCKET
 * FIRST COUNT`. The parent asks by messages and gets one answer for each.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { AGENT_API, HEARTBEAT_SECONDS } from '../../contracts/agent/index.ts';
import { alikeLines } from '../../nodeagent/loops/api/inventory.ts';
import { SimulatedAgent, type FleetStats } from './agent.ts';
import { AssignmentReader } from './assignment-reader.ts';
import { Channels, type Channel } from './channels.ts';
import { addressOf, nameOf } from './names.ts';

export type FleetOrder =
  | { readonly do: 'stats' }
  | { readonly do: 'silence'; readonly nodes: readonly string[] }
  | { readonly do: 'ready'; readonly node: string; readonly uid: string; readonly ready: boolean }
  | { readonly do: 'forget-slices' };

/** Portions in which the agents beat within one period. */
const TICKS = 100;

const [socketPath, first, count] = process.argv.slice(2);
if (socketPath === undefined || first === undefined || count === undefined || !process.send)
  throw new Error('run by bench/scale.ts');

const stats: FleetStats = { bytes: 0, assignments: 0, told: 0, running: 0, slices: 0 };
const reader = new AssignmentReader();
const agents = Array.from(
  { length: Number(count) },
  (_, i) => new SimulatedAgent(nameOf(Number(first) + i), addressOf(Number(first) + i), reader, stats),
);
const byName = new Map(agents.map((agent) => [agent.name, agent]));
const agentOf = new WeakMap<object, SimulatedAgent>();

const http = createHttpServer((request, response) => {
  const agent = agentOf.get(request.socket);
  if (!agent || agent.silent) return;
  const path = request.url?.slice(AGENT_API.length).split('?')[0];
  if (path === '/status') return agent.listen(response);
  if (path === '/info') return void response.end(JSON.stringify(agent.info()));
  if (path === '/inventory/lines') {
    const answer = Buffer.from([...agent.inventory()].join(''));
    stats.told += answer.length;
    return void response.end(answer);
  }
  if (path === '/inventory/alike') {
    const parts = new URL(request.url ?? '', 'http://agent').searchParams.get('parts')?.split(',').map(Number) ?? [];
    const answer = Buffer.from([...alikeLines(reader.alike(), parts)].map((line) => `${line}\n`).join(''));
    stats.told += answer.length;
    return void response.end(answer);
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (agent.silent) return;
    const { status, body } = agent.assign(Buffer.concat(chunks), request.headers['content-encoding'] === 'gzip');
    response.statusCode = status;
    response.end(JSON.stringify(body));
  });
});
http.keepAliveTimeout = 0;
http.requestTimeout = 0;
http.headersTimeout = 0;

function accept(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.once('data', (line: Buffer) => {
    const agent = byName.get(line.toString().trim());
    if (!agent || agent.silent) return;
    new Channels(socket, (channel: Channel) => {
      agentOf.set(channel, agent);
      http.emit('connection', channel);
    });
    socket.write('\n');
  });
}

function obey(order: FleetOrder): void {
  switch (order.do) {
    case 'stats':
      return;
    case 'silence':
      for (const name of order.nodes) {
        const agent = byName.get(name);
        if (agent) agent.silent = true;
      }
      return;
    case 'ready':
      byName.get(order.node)?.setReady(order.uid, order.ready);
      return;
    case 'forget-slices':
      for (const agent of agents) agent.forgetSlices();
      stats.slices = 0;
  }
}

let tick = 0;
setInterval(
  () => {
    for (let i = tick; i < agents.length; i += TICKS) agents[i]?.beat();
    tick = (tick + 1) % TICKS;
  },
  (HEARTBEAT_SECONDS * 1000) / TICKS,
);
process.on('message', (order: FleetOrder) => {
  obey(order);
  process.send?.(stats);
});
process.once('disconnect', () => process.exit(0));
createServer(accept).listen({ path: socketPath, backlog: 4096 }, () => process.send?.({ ready: true }));
