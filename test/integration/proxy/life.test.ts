import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { freePort } from '../../support/free-port.ts';
import { prefix, rule } from '../../unit/proxy/configs.ts';
import { proxyWorld, seen, serve, until, type Backend, type ProxyWorld } from './world.ts';

describe("the proxy's process", () => {
  let world: ProxyWorld;
  let web: Backend;
  let port = 0;
  beforeEach(async () => {
    world = await proxyWorld();
    port = await freePort();
    web = await serve('web', '127.0.0.1', '127.0.0.2');
  });
  afterEach(async () => {
    await world?.close();
    await web?.close();
  });
  const http = (at = port, hostname = ''): ProxyPort => ({
    port: at,
    protocol: 'http',
    hosts: [{ hostname, rules: [rule(prefix('/'), 'web')] }],
  });

  it('goes on when the agent is replaced, and follows the next one', async () => {
    await world.give([http()], [web.backend], ...web.objects('127.0.0.1'));
    const [pid, reports, reloads] = [await world.masterPid(), world.reports.length, world.reloads()];
    assert.ok(reloads > 0);
    await world.restart();
    await until(() => world.reports.length > reports);
    assert.deepEqual(world.report(), { generation: 1, problems: [] });
    assert.equal(await world.masterPid(), pid);
    world.assignment.set(...web.objects('127.0.0.2'));
    await until(async () => seen(await world.ask(port)).address === '127.0.0.2');
    assert.deepEqual([await world.masterPid(), world.reloads()], [pid, reloads]);
  });

  it('is started again when it ended', async () => {
    await world.give([http()], [web.backend], ...web.objects());
    const pid = await world.masterPid();
    process.kill(pid, 'SIGKILL');
    await until(
      async () => (await world.masterPid()) !== pid && (await world.ask(port).catch(() => undefined))?.status === 200,
    );
    assert.ok(world.events.includes('ProxyRestarted'));
  });

  it('ends when nothing is asked of the node any more', async () => {
    await world.give([http()], [web.backend], ...web.objects());
    world.assignment.remove('proxyconfigs.plumbline.dev//node-1');
    await until(() => world.report() === undefined);
    await until(async () => (await world.ask(port).catch(() => undefined)) === undefined);
  });

  it('ends also right behind a reload', async () => {
    for (let round = 0; round < 5; round += 1) {
      await world.give([http()], [web.backend], ...web.objects());
      await world.give([http(port, `r${round}.example.com`)], [web.backend]);
      const pid = await world.masterPid();
      world.assignment.remove('proxyconfigs.plumbline.dev//node-1');
      await until(() => !existsSync(`/proc/${pid}`));
    }
  });

  it('leaves a port to the program that has it, and tells', async () => {
    const other = createServer().listen(0, '0.0.0.0');
    await once(other, 'listening');
    const { port: taken } = other.address() as { port: number };
    await world.give([http(), http(taken)], [web.backend], ...web.objects());
    assert.deepEqual(world.report(), {
      generation: 1,
      problems: [{ port: taken, message: `port ${taken} is in use by another program of the machine` }],
    });
    assert.equal((await world.ask(port)).status, 200);
    other.close();
  });

  it('keeps what ran when a configuration cannot be taken, and takes the next', async () => {
    await world.give([http()], [web.backend], ...web.objects());
    const pid = await world.masterPid();
    await world.give([http(), http()], [web.backend]);
    assert.equal(world.report()?.generation, 1);
    assert.match(world.report()?.problems[0]?.message ?? '', /already exists|same name/);
    assert.equal((await world.ask(port)).status, 200);
    await world.give([http()], [web.backend]);
    assert.deepEqual([world.report()?.generation, world.report()?.problems, await world.masterPid()], [3, [], pid]);
  });

  it('answers 503 while a Service has no endpoint', async () => {
    const [of] = web.objects();
    await world.give([http()], [web.backend], ...(of ? [of] : []));
    assert.equal((await world.ask(port)).status, 503);
    world.assignment.set(...web.objects());
    await until(async () => (await world.ask(port)).status === 200);
  });
});
