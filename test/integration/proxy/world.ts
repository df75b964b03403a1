/** The node's proxy loop with a real HAProxy on this machine's loopback, and servers behind it. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProxyReport } from '../../../contracts/agent/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import type { KubeObject, Service } from '../../../contracts/objects/index.ts';
import type { ProxyBackend, ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { createHaproxy } from '../../../nodeagent/adapters/haproxy/haproxy.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { startProxySync, type ProxySync } from '../../../nodeagent/loops/proxy-sync.ts';
import { makeFolder } from '../../support/folder.ts';
import { freePort } from '../../support/free-port.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { endpoint, service, slice, TestAssignment, TestLocalPods } from '../../unit/network/world.ts';
import { backend, proxyConfig } from '../../unit/proxy/configs.ts';
import { patience } from '../../support/patience.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asked {
  readonly path?: string;
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface ProxyWorld {
  readonly folder: string;
  readonly assignment: TestAssignment;
  /** What the node reported last. */
  readonly report: () => ProxyReport | undefined;
  readonly reports: readonly (ProxyReport | undefined)[];
  readonly events: readonly string[];
  /** How often a new configuration came into force: the master's process stays the same. */
  readonly reloads: () => number;
  /** Gives the node a ProxyConfig and waits until it is in force, or told why not. */
  give(ports: readonly ProxyPort[], backends: readonly ProxyBackend[], ...more: readonly KubeObject[]): Promise<void>;
  ask(port: number, asked?: Asked): Promise<Answer>;
  /** Of HAProxy's master process; 0 when there is none. */
  masterPid(): Promise<number>;
  /** The loop ends and begins again, as when an agent is replaced. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function proxyWorld(options: { readonly reloadPauseMs?: number } = {}): Promise<ProxyWorld> {
  const folder = makeFolder('plumbline-proxy-');
  const assignment = new TestAssignment('node-1');
  const pods = new TestLocalPods();
  const reports: (ProxyReport | undefined)[] = [];
  const events: string[] = [];
  const infos: string[] = [];
  const run = createRunCommand();
  const proxy = await createHaproxy({ run, clock: systemClock, folder });
  let generation = 0;

  function start(): ProxySync {
    return startProxySync({
      assignment,
      pods,
      proxy,
      clock: systemClock,
      log: {
        debug: () => undefined,
        info: (message) => infos.push(message),
        warn: () => undefined,
        error: () => undefined,
      },
      onState: (state) => reports.push(state),
      onEvent: ({ reason }) => events.push(reason),
      reloadPauseMs: options.reloadPauseMs ?? 50,
    });
  }
  let sync = start();

  async function masterPid(): Promise<number> {
    return Number(await readFile(`${folder}/haproxy.pid`, 'utf8').catch(() => '0'));
  }

  async function end(): Promise<void> {
    await sync.close();
    const pid = await masterPid();
    // SIGTERM to the master ends its workers at once.
    if (pid > 0 && (await proxy.isAlive())) process.kill(pid, 'SIGTERM');
    await until(async () => !(await proxy.isAlive()));
    await removeFolder(folder);
  }
  const forget = whenInterrupted(`the proxy in ${folder}`, end);

  return {
    folder,
    assignment,
    reports,
    events,
    report: () => reports.at(-1),
    reloads: () => infos.filter((info) => info === 'the proxy has a new configuration').length,
    async give(ports, backends, ...more) {
      generation += 1;
      const before = reports.length;
      const config = proxyConfig(ports, backends);
      assignment.set({ ...config, metadata: { ...config.metadata, generation } }, ...more);
      await until(async () => {
        const last = reports.slice(before).at(-1);
        return last?.generation === generation || (last?.problems.some(({ port }) => port === undefined) ?? false);
      });
    },
    ask,
    masterPid,
    async restart() {
      await sync.close();
      sync = start();
    },
    async close() {
      await end();
      forget();
    },
  };
}

/** Waits for a condition; throws an Error after 20 s. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const isOver = patience(20_000);
  while (!(await holds())) {
    if (isOver()) throw new Error('it does not come true');
    await delay(20);
  }
}

export function ask(
  port: number,
  { path = '/', host = 'localhost', method = 'GET', headers = {}, body }: Asked = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    asked.once('error', reject);
    asked.end(body);
  });
}

export interface Backend {
  readonly backend: ProxyBackend;
  readonly service: Service;
  /** Service and EndpointSlice with these of its addresses. */
  objects(...addresses: readonly string[]): readonly KubeObject[];
  close(): Promise<void>;
}

/** Servers at each of the loopback addresses, which answer with their name, address and what they were asked. */
export async function serve(name: string, ...addresses: readonly string[]): Promise<Backend> {
  const servers: Server[] = [];
  const port = await freePort();
  for (const address of addresses) {
    const server = createServer((asked, answer) => {
      asked.resume().once('end', () => {
        answer.setHeader('x-server', address);
        answer.end(JSON.stringify({ name, address, path: asked.url, method: asked.method, headers: asked.headers }));
      });
    });
    server.keepAliveTimeout = 60_000;
    server.listen(port, address);
    await once(server, 'listening');
    servers.push(server);
  }
  const of = service(name, '198.19.128.9', [{ name: 'http', port: 80, targetPort: port }]);
  return {
    backend: backend(name),
    service: of,
    objects: (...now) => [
      of,
      slice(
        of,
        (now.length > 0 ? now : addresses).map((one) => endpoint(one)),
        'a',
        port,
      ),
    ],
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

export interface Seen {
  readonly name: string;
  readonly address: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the server behind the proxy saw. */
export function seen({ text }: Answer): Seen {
  return JSON.parse(text) as Seen;
}
