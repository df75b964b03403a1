/** The agent's speaker with a real BIRD, and a router that is another BIRD, each in a namespace of its own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { BgpReport } from '../../../contracts/agent/index.ts';
import {
  BGPAdvertisementManifest,
  BGPPeerManifest,
  IPAddressPoolManifest,
  SecretManifest,
  type BGPPeer,
  type Service,
} from '../../../contracts/objects/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { createBird } from '../../../nodeagent/adapters/bird/bird.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { startBgpSpeaker, type BgpSpeaker } from '../../../nodeagent/loops/bgp-speaker.ts';
import { makeFolder } from '../../support/folder.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { tied } from '../../support/tied.ts';
import { endpoint, node, service, slice, TestAssignment, TestLocalPods } from '../../unit/network/world.ts';
import { cannotRun, makeNamespace, type Namespace } from './namespace.ts';
import { polled } from '../../support/patience.ts';

const NODE = '198.18.9.1';
const ROUTER = '198.18.9.2';
const VIP = '198.18.50.7';
const PASSWORD = "open 'sesame";
const PATIENCE_MS = 60_000;

const metadata = { name: 'home', namespace: 'net' };
const peer = (spec: object = {}): BGPPeer =>
  BGPPeerManifest.parse({
    apiVersion: 'metallb.io/v1beta2',
    kind: 'BGPPeer',
    metadata,
    spec: {
      myASN: 64500,
      peerASN: 64501,
      peerAddress: ROUTER,
      passwordSecret: { name: 'router' },
      enableGracefulRestart: true,
      connectTime: '1s',
      ...spec,
    },
  });
const secret = SecretManifest.parse({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'router', namespace: 'net' },
  type: 'kubernetes.io/basic-auth',
  stringData: { username: '', password: PASSWORD },
});
const advertisement = BGPAdvertisementManifest.parse({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'BGPAdvertisement',
  metadata,
  spec: { communities: ['64500:7', 'large:64500:1:2'] },
});
const pool = IPAddressPoolManifest.parse({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'IPAddressPool',
  metadata,
  spec: { addresses: ['198.18.50.0/24'] },
});
const made = service('web', '198.19.128.10', [{ port: 80 }], { type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
const web: Service = { ...made, status: { loadBalancer: { ingress: [{ ip: VIP }] } } };
const endpoints = (state: 'ready' | 'unready') => slice(web, [{ ...endpoint('198.19.1.5', state), nodeName: 'n1' }]);

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  await polled(what, holds, { timeoutMs: PATIENCE_MS });
}

const cannot = cannotRun() ?? (existsSync('/usr/sbin/bird') ? undefined : 'needs bird2');

/** A session that is made anew is so by more than that. */
const SLEWED_MS = 50;

describe('a node that speaks BGP', { skip: cannot ?? false }, () => {
  const folder = cannot === undefined ? makeFolder('plumbline-bgp-') : '';
  const own = `${folder}/agent`;
  const control = `${folder}/router.ctl`;
  const reports: (BgpReport | undefined)[] = [];
  const events: string[] = [];
  const assignment = new TestAssignment('n1', [
    node('n1', NODE, '198.19.1.0/24'),
    peer(),
    secret,
    advertisement,
    pool,
    web,
    endpoints('ready'),
  ]);
  let here: Namespace;
  let router: Namespace;
  let routing: ChildProcess;
  let speaker: BgpSpeaker;
  let forget = (): void => undefined;

  const daemon = () => createBird({ run: here.run, clock: systemClock, folder: own });
  function start(): void {
    speaker = startBgpSpeaker({
      assignment,
      pods: new TestLocalPods(),
      daemon: daemon(),
      clock: systemClock,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      onState: (state) => reports.push(state),
      onEvent: ({ reason, message }) => events.push(`${reason} ${message}`),
    });
  }
  const pid = (): number => Number(readFileSync(`${own}/run/bird.pid`, 'utf8'));
  const isEstablished = (): boolean => reports.at(-1)?.sessions[0]?.established === true;
  /** What the router's kernel has of the address. */
  const way = (): Promise<string> => router.sh('ip', '-4', 'route', 'show', `${VIP}/32`);
  const isTold = async (): Promise<boolean> => (await way()).includes(`via ${NODE}`);
  const ask = (...question: readonly string[]): Promise<string> => router.sh('birdc', '-s', control, ...question);
  /** Segments whose signature (RFC 2385) was not that of the router's password, as its kernel counts them. */
  const refusals = async (): Promise<number> => {
    const [names = '', counts = ''] = (await router.sh('cat', '/proc/net/netstat'))
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'));
    return Number(counts.split(' ')[names.split(' ').indexOf('TCPMD5Failure')]);
  };
  /** Of the session, at the router: another one began at another time. */
  const since = async (): Promise<string> => (await ask('show', 'protocols', 'n1')).split('\n').at(-2) ?? '';
  /** BIRD reckons the time of day from how long ago it was: where the clock is slewed, another millisecond is shown. */
  async function isStill(session: string): Promise<void> {
    const now = await since();
    const [before, after] = [session, now].map((line) =>
      Date.parse(`1970-01-01T${/[\d:.]{12}/.exec(line)?.[0] ?? ''}Z`),
    );
    assert.ok(Math.abs((after ?? Number.NaN) - (before ?? Number.NaN)) <= SLEWED_MS, `${session} is ${now}`);
    assert.match(now, /up .* Established/);
  }

  async function end(): Promise<void> {
    await speaker.close();
    await daemon().stop(new AbortController().signal);
    routing.kill('SIGKILL');
  }

  before(async () => {
    here = makeNamespace('speaker');
    router = makeNamespace('router');
    await here.sh('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', router.name);
    for (const [ns, address] of [
      [here, NODE],
      [router, ROUTER],
    ] as const) {
      await ns.sh('ip', 'link', 'set', 'lo', 'up');
      await ns.sh('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await ns.sh('ip', 'link', 'set', 'eth0', 'up');
    }
    const config = `${folder}/router.conf`;
    await writeFile(
      config,
      `router id ${ROUTER};
log stderr { warning, error, fatal, bug };
protocol device {}
protocol kernel { ipv4 { export all; import none; }; }
protocol bgp n1 {
  local ${ROUTER} as 64501; neighbor ${NODE} as 64500; password "${PASSWORD}"; strict bind on;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export none; };
}
`,
    );
    const [program, ...args] = tied(...router.enter, 'bird', '-f', '-c', config, '-s', control);
    routing = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await until('the router runs', () => existsSync(control));
    start();
    forget = whenInterrupted('the speaker', end);
  });
  after(async () => {
    await end();
    if (routing.exitCode === null && routing.signalCode === null) await once(routing, 'exit');
    forget();
    here.remove();
    router.remove();
    await removeFolder(folder);
  });

  it('does nothing before the machine has its rules', async () => {
    assert.deepEqual(speaker.current(), [VIP]);
    assert.equal(existsSync(own), false);
  });

  it('tells a router of an address, with its communities, by a password that nobody else sees', async () => {
    speaker.inForce([VIP]);
    await until('the router has a way', isTold);
    const route = await ask('show', 'route', 'all', 'for', VIP);
    assert.match(route, /BGP.community: \(64500,7\)\n/);
    assert.match(route, /BGP.large_community: \(64500, 1, 2\)\n/);
    assert.match(route, /BGP.as_path: 64500\n/);
    await until('the session is reported', isEstablished);
    assert.deepEqual(events, [`BGPSessionUp session with BGPPeer net/home (${ROUTER}) is established`]);
    assert.doesNotMatch(readFileSync(`/proc/${pid()}/cmdline`, 'utf8'), /sesame/);
    assert.doesNotMatch(JSON.stringify(reports), /sesame/);
    assert.match(readFileSync(`/proc/${pid()}/status`, 'utf8'), /^Uid:\t(?!0\t)\d+\t/m);
  });

  it('takes an address back without an endpoint, and tells of it again, in the same session', async () => {
    const session = await since();
    assignment.set(endpoints('unready'));
    assert.deepEqual(speaker.current(), []);
    await until('the router has no way', async () => !(await isTold()));
    assignment.set(endpoints('ready'));
    speaker.inForce([VIP]);
    await until('the router has a way again', isTold);
    await isStill(session);
  });

  it('speaks on while the agent is replaced', async () => {
    const [session, process] = [await since(), pid()];
    await speaker.close();
    const seen = reports.length;
    start();
    await delay(0);
    assert.equal(await isTold(), true);
    speaker.inForce([VIP]);
    await until('the new one reports', () => reports.length > seen && isEstablished());
    await isStill(session);
    assert.equal(pid(), process);
  });

  it('is kept by the router while BIRD is started again', async () => {
    const before = pid();
    const changes: string[] = [];
    const [program, ...args] = tied(...router.enter, 'ip', 'monitor', 'route');
    const monitor = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    monitor.stdout.setEncoding('utf8').on('data', (text: string) => changes.push(text));
    // It hears of changes once it tells of one.
    await until('the monitor listens', async () => {
      await router.sh('ip', 'route', 'replace', '198.18.77.0/24', 'dev', 'lo');
      await router.sh('ip', 'route', 'delete', '198.18.77.0/24');
      return changes.join('').includes('198.18.77.0/24');
    });
    changes.length = 0;
    process.kill(before, 'SIGKILL');
    await until('BIRD runs again', () => existsSync(`${own}/run/bird.pid`) && pid() !== before && isEstablished());
    await until('the router has heard all', async () => /Established/.test(await since()) && (await isTold()));
    // With this one all before it have been told.
    await router.sh('ip', 'route', 'add', '198.18.78.0/24', 'dev', 'lo');
    await until('the monitor is done', () => changes.join('').includes('198.18.78.0/24'));
    assert.doesNotMatch(changes.join(''), new RegExp(`Deleted ${VIP}`));
    monitor.kill('SIGKILL');
    await once(monitor, 'exit');
    await until('it is told', () => events.some((event) => event.startsWith('BGPRestarted')));
  });

  it('says what is in the way of a session', async () => {
    assignment.remove('secrets/net/router');
    await until(
      'the secret is missed',
      () => reports.at(-1)?.problems[0]?.message === 'secret net/router is not there',
    );
    await until('the router has no way', async () => !(await isTold()));
    assignment.set({ ...secret, data: { ...secret.data, password: Buffer.from('wrong').toString('base64') } });
    const refused = await refusals();
    await until('the wrong password is tried', async () => (await refusals()) > refused);
    assert.equal(reports.at(-1)?.sessions[0]?.established, false);
    assert.deepEqual(reports.at(-1)?.problems, []);
    assert.equal(await isTold(), false);
    assignment.set(secret);
    await until('the router has a way again', isTold);
  });

  it('leaves at once when the machine goes down, though the router keeps ways of those that are lost', async () => {
    const bird = pid();
    await speaker.leave();
    await until('the router has no way', async () => !(await isTold()));
    await until('BIRD ends', () => !existsSync(`/proc/${bird}`));
    await speaker.close();
    start();
    speaker.inForce([VIP]);
    await until('the next agent tells of it', isTold);
  });

  it('ends with the last BGPPeer', async () => {
    const bird = pid();
    assignment.remove('bgppeers.metallb.io/net/home');
    await until('BIRD ends', () => !existsSync(`/proc/${bird}`));
    await until('nothing is left', () => !existsSync(own));
    await until('nothing is reported', () => reports.at(-1) === undefined);
    assert.equal(await isTold(), false);
  });
});
