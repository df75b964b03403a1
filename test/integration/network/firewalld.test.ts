/** A machine with firewalld, the real one: what it refuses is told with what to do, and what it writes anew breaks nothing of ours. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { patience } from '../../support/patience.ts';
import { cluster, endpoint, service, slice } from '../../unit/network/world.ts';
import { ask, loadOf, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun, NEEDED } from './namespace.ts';

const WEB = '198.19.128.10';
const cannot = cannotRun([...NEEDED, 'firewalld', 'firewall-cmd', 'dbus-daemon']);

describe('network: firewalld', { skip: cannot ?? false, timeout: 300_000 }, () => {
  let lab: Lab;
  let pods: { a: TestPod; b: TestPod; c: TestPod };
  let bus: string;
  const web = service('web', WEB, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30_080 }]);

  before(async () => {
    lab = await makeLab('fwd', { cluster: cluster() });
    const [n1, n2] = lab.nodes;
    pods = { a: await n1.pod(2), b: await n2.pod(2), c: await n2.pod(3) };
    await Promise.all([lab.serve(pods.a.ns, 8080, 'a'), lab.serve(pods.b.ns, 8080, 'b')]);
    await lab.set(web, slice(web, [endpoint(pods.a.address), endpoint(pods.b.address)]));
    await n2.watches();
    // A bus of its own, and settings of its own: nothing of this machine's.
    const config = join(lab.folder, 'bus.conf');
    const settings = join(lab.folder, 'firewalld');
    await mkdir(settings);
    bus = `unix:path=${join(lab.folder, 'bus')}`;
    await writeFile(
      config,
      `<busconfig><type>system</type><listen>${bus}</listen><auth>EXTERNAL</auth><policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`,
    );
    const daemon = lab.start(n2.ns, ['dbus-daemon', `--config-file=${config}`, '--nofork', '--print-address']);
    await once(daemon.stdout ?? daemon, 'data');
    lab.start(n2.ns, [
      'env',
      `DBUS_SYSTEM_BUS_ADDRESS=${bus}`,
      'firewalld',
      '--nofork',
      '--nopid',
      `--system-config=${settings}`,
    ]);
    await until('firewalld runs', async () => (await firewall('--state').catch(() => '')).includes('running'));
  });
  after(() => lab.close());

  const firewall = (...words: readonly string[]): Promise<string> =>
    lab.nodes[1].ns.sh('env', `DBUS_SYSTEM_BUS_ADDRESS=${bus}`, 'firewall-cmd', ...words);
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    for (const isOver = patience(30_000); !isOver(); await delay(50)) if (await holds()) return;
    assert.fail(`not within 30 s: ${what}`);
  };
  const told = (): string => lab.nodes[1].states.at(-1)?.error ?? '';

  it('is told where it rejects what pods are sent, and what it is told then lets them through', async () => {
    await until('it is told', () => told().includes('inet firewalld filter_FORWARD drops forwarded packets'));
    const commands = /Accept them there: (.*)$/.exec(told())?.[1]?.split('; ') ?? [];
    assert.equal(commands.length, 2, told());
    assert.notEqual((await ask(lab.nodes[0].ns, pods.b.address, 8080)).charAt(0), 'b');
    for (const command of commands) await firewall(...command.split(' ').slice(1));
    await until('the end is told', () => told() === '');
    assert.match(await ask(pods.a.ns, pods.b.address, 8080), /^b /);
  });

  it('leaves connections, Services and our rules as they are when it is loaded again', async () => {
    const [, n2] = lab.nodes;
    const table = (): Promise<string> => n2.ns.sh('nft', '-s', 'list', 'table', 'ip', 'plumbline');
    const before = { table: await table(), events: n2.events.length };
    const client = lab.start(pods.c.ns, [process.execPath, '-e', loadOf(WEB, 4)]);
    await once(client.stdout ?? client, 'data');
    await firewall('--reload');
    await firewall('--complete-reload');
    await firewall('--zone=trusted', '--add-source=192.0.2.0/24');
    const report = once(client.stdout ?? client, 'data');
    client.kill('SIGTERM');
    const { done, failed } = JSON.parse(String((await report)[0])) as { done: number; failed: string[] };
    assert.deepEqual(failed, []);
    assert.ok(done > 10, `${done} requests`);
    assert.equal(await table(), before.table);
    assert.deepEqual(n2.events.slice(before.events), []);
    assert.match(await ask(pods.c.ns, WEB, 80), /^[ab] /);
    // Its own rules are there, and ours took nothing of them.
    assert.match(await n2.ns.sh('nft', 'list', 'table', 'inet', 'firewalld'), /192\.0\.2\.0\/24/);
  });

  it('has our rules back when all of the machine are flushed', async () => {
    const [, n2] = lab.nodes;
    const before = n2.events.length;
    await n2.ns.sh('nft', 'flush', 'ruleset');
    await until('the repair is told', () => n2.events.length > before);
    assert.match(await ask(pods.c.ns, WEB, 80), /^[ab] /);
  });
});
