import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { freePort } from '../../support/free-port.ts';
import { tied } from '../../support/tied.ts';
import { exact, prefix, rule } from '../../unit/proxy/configs.ts';
import { proxyWorld, seen, serve, until, type Backend, type ProxyWorld } from './world.ts';

/** PLUMB_RELOADS=500: as many as a proxy has in a long day. */
const RELOADS = Number(process.env['PLUMB_RELOADS'] ?? '120');

interface Load {
  end(): Promise<{ requests: number; failed: readonly string[] }>;
}

/** wrk against the proxy until it is told to end; what failed, and how many requests there were. */
function load(port: number, path = '/'): Load {
  const [program, ...args] = tied(
    'wrk',
    '-t1',
    '-c16',
    '-d600s',
    '--timeout',
    '10s',
    `http://127.0.0.1:${port}${path}`,
  );
  const wrk = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  // One that cannot be run has ended before it is told to.
  const ended = once(wrk, 'close');
  let out = '';
  wrk.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return {
    async end() {
      wrk.kill('SIGINT');
      await ended;
      return {
        requests: Number(/(\d+) requests in/.exec(out)?.[1] ?? 0),
        failed: out.split('\n').filter((line) => /Socket errors|Non-2xx/.test(line)),
      };
    },
  };
}

/** How many requests were answered meanwhile; none may fail. Ends the load also where `act` throws. */
async function under(running: Load, act: () => Promise<void>): Promise<number> {
  try {
    await act();
  } catch (error) {
    await running.end();
    throw error;
  }
  const { requests, failed } = await running.end();
  assert.deepEqual(failed, []);
  assert.ok(requests > 1000, `${requests} requests`);
  return requests;
}

describe('a proxy under load', () => {
  let world: ProxyWorld;
  let web: Backend;
  let port = 0;
  const addresses = Array.from({ length: 12 }, (_, nth) => `127.0.1.${nth + 1}`);

  before(async () => {
    world = await proxyWorld({ reloadPauseMs: 0 });
    port = await freePort();
    web = await serve('web', ...addresses);
  });
  after(async () => {
    await world?.close();
    await web?.close();
  });

  function http(...names: readonly string[]): ProxyPort {
    return {
      port,
      protocol: 'http',
      hosts: [
        { hostname: '', rules: [...names.map((name) => rule(exact(`/${name}`), 'web')), rule(prefix('/'), 'web')] },
      ],
    };
  }

  it('moves all its endpoints again and again without a failed request or a reload', async () => {
    await world.give([http()], [web.backend], ...web.objects(...addresses.slice(0, 3)));
    const [pid, reports, reloads] = [await world.masterPid(), world.reports.length, world.reloads()];
    assert.ok(reloads > 0);
    await under(load(port), async () => {
      for (let round = 0; round < 40; round += 1) {
        const now = [0, 1, 2].map((nth) => addresses[(round * 3 + nth) % addresses.length] ?? '');
        world.assignment.set(...web.objects(...now));
        // Who comes is taken first, then who goes is not any more: in between both are asked.
        await until(async () => {
          for (let nth = 0; nth < 5; nth += 1) if (!now.includes(seen(await world.ask(port)).address)) return false;
          return true;
        });
      }
    });
    assert.deepEqual([await world.masterPid(), world.reports.length, world.reloads()], [pid, reports, reloads]);
  });

  it(`takes ${RELOADS} configurations without a failed request`, async () => {
    await world.give([http()], [web.backend], ...web.objects(...addresses.slice(0, 3)));
    const pid = await world.masterPid();
    const reloads = world.reloads();
    const begun = process.hrtime.bigint();
    const requests = await under(load(port), async () => {
      for (let round = 0; round < RELOADS; round += 1) {
        await world.give([http(`r${round}`)], [web.backend]);
        assert.deepEqual(world.report()?.problems, [], `reload ${round}`);
      }
    });
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
    process.stderr.write(`${RELOADS} reloads in ${seconds.toFixed(0)} s, ${requests} requests meanwhile\n`);
    assert.equal(await world.masterPid(), pid);
    assert.equal(world.reloads(), reloads + RELOADS);
  });
});
