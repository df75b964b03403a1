/**
 * Requests a second through the proxy as a ProxyConfig makes it, with one route and with a thousand, against HAProxy with a configuration
 * written by hand. All three in turns, in front of the same server, on this machine's loopback.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { ProxyHost } from '../contracts/objects/proxy-config.ts';
import { removeFolder } from '../lab/remove-folder.ts';
import { makeFolder } from '../test/support/folder.ts';
import { freePort } from '../test/support/free-port.ts';
import { tied } from '../test/support/tied.ts';
import { endpoint, service, slice } from '../test/unit/network/world.ts';
import { backend, prefix, rule } from '../test/unit/proxy/configs.ts';
import { ask, proxyWorld, until, type ProxyWorld } from '../test/integration/proxy/world.ts';

const ROUNDS = 5;
const SECONDS = 3;
const ROUTES = 1000;
const run = promisify(execFile);

interface Haproxy {
  close(): Promise<void>;
}

/** A process of its own, until it is closed. */
async function haproxy(folder: string, config: string, port: number): Promise<Haproxy> {
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/haproxy.cfg`, config);
  const [program, ...args] = tied('haproxy', '-db', '-f', `${folder}/haproxy.cfg`);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await until(async () => (await ask(port).catch(() => undefined)) !== undefined);
  return {
    async close() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const DEFAULTS = 'defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n';

async function requestsPerSecond(port: number): Promise<number> {
  const { stdout } = await run('wrk', [
    '-t1',
    '-c32',
    `-d${SECONDS}s`,
    '-H',
    'Host: h0.test',
    `http://127.0.0.1:${port}/a/b`,
  ]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

async function ours(server: number, routes: number): Promise<{ world: ProxyWorld; port: number }> {
  const world = await proxyWorld();
  const port = await freePort();
  const web = service('web', '198.19.128.9', [{ name: 'http', port: 80, targetPort: server }]);
  const hosts = Array.from({ length: routes }, (_, nth): ProxyHost => ({
    hostname: `h${nth}.test`,
    rules: [rule(prefix('/a'), 'web'), rule(prefix('/'), 'web')],
  }));
  await world.give(
    [{ port, protocol: 'http', hosts }],
    [backend('web')],
    web,
    slice(web, [endpoint('127.0.0.1')], 'a', server),
  );
  return { world, port };
}

async function main(): Promise<void> {
  const folder = makeFolder('plumbline-bench-ingress-');
  const [server, hand] = [await freePort(), await freePort()];
  const origin = await haproxy(
    `${folder}/origin`,
    `${DEFAULTS}frontend f\n  bind 127.0.0.1:${server}\n  http-request return status 200 content-type text/plain string hello\n`,
    server,
  );
  const byHand = await haproxy(
    `${folder}/hand`,
    `${DEFAULTS}frontend f\n  bind 127.0.0.1:${hand}\n  option forwardfor\n  http-request set-header X-Forwarded-Proto http\n  use_backend a if { hdr(host) -i h0.test } { path_beg /a/ }\n  default_backend w\nbackend a\n  server s 127.0.0.1:${server}\nbackend w\n  server s 127.0.0.1:${server}\n`,
    hand,
  );
  const [one, many] = [await ours(server, 1), await ours(server, ROUTES)];
  const found = { hand: [] as number[], one: [] as number[], many: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    found.hand.push(await requestsPerSecond(hand));
    found.one.push(await requestsPerSecond(one.port));
    found.many.push(await requestsPerSecond(many.port));
  }
  await Promise.all([one.world.close(), many.world.close(), origin.close(), byHand.close()]);
  await removeFolder(folder);
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const [floor, single, thousand] = [median(found.hand), median(found.one), median(found.many)];
  process.stdout.write(
    `HAProxy by hand ${floor.toFixed(0)}/s, ours with 1 route ${single.toFixed(0)}/s, with ${ROUTES} hosts ${thousand.toFixed(0)}/s\n`,
  );
  process.stdout.write(
    `${JSON.stringify({ bench: 'ingress', cores: availableParallelism(), rounds: ROUNDS, handPerSecond: Math.round(floor), onePerSecond: Math.round(single), manyPerSecond: Math.round(thousand), one: Number((single / floor).toFixed(3)), many: Number((thousand / floor).toFixed(3)), aim: 0.95 })}\n`,
  );
}

await main();
