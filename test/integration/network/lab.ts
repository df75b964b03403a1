/**
 * Two nodes on a bridge and a host that is no node, as network namespaces of this machine; pods are namespaces behind
 * routed veth pairs, laid out as the `ptp` plugin does it. Nothing has a route out of here.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createCniConfigFile } from '../../../nodeagent/adapters/cni/file.ts';
import { wireGuardKey } from '../../../nodeagent/adapters/disk/wireguard-key.ts';
import { createIpRouting } from '../../../nodeagent/adapters/ip/ip-routing.ts';
import { createIpvsForwarder } from '../../../nodeagent/adapters/ipvs/ipvs-forwarder.ts';
import { createIptablesForwarder } from '../../../nodeagent/adapters/iptables/iptables-forwarder.ts';
import { createNodePacketFilter } from '../../../nodeagent/adapters/nft/node-packet-filter.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import type { NetworkState } from '../../../nodeagent/core/assignment.ts';
import { startNetworkSync, type NetworkSync } from '../../../nodeagent/loops/network-sync.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import type { PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import type { Cluster, KubeObject, Node, ObjectKey } from '../../../contracts/objects/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { tied } from '../../support/tied.ts';
import { node, TestAssignment, TestLocalPods } from '../../unit/network/world.ts';
import { makeNamespace, type Namespace } from './namespace.ts';

export interface TestPod {
  readonly ns: Namespace;
  readonly address: string;
}

export interface TestNode {
  readonly object: Node;
  readonly address: string;
  readonly ns: Namespace;
  readonly assignment: TestAssignment;
  readonly pods: TestLocalPods;
  readonly sync: NetworkSync;
  readonly states: NetworkState[];
  /** Reasons of the node's events. */
  readonly events: readonly string[];
  /** Resolves when the loop heard of a change to the packet filter that this makes: it hears of later ones too. */
  watches(): Promise<void>;
  readonly cniPath: string;
  /** By which others encrypt what they send it; undefined before it told. */
  readonly wireguardKey: () => string | undefined;
  /** Where its own half is. */
  readonly keyFolder: string;
  /** Transactions so far. */
  readonly writes: { readonly commands: number; readonly whole: boolean }[];
  pod(host: number): Promise<TestPod>;
}

export interface Lab {
  readonly nodes: readonly [TestNode, TestNode];
  readonly outside: Namespace;
  /** Gives every node these objects and waits until both have them in force. */
  set(...objects: readonly KubeObject[]): Promise<void>;
  remove(...keys: readonly ObjectKey[]): Promise<void>;
  /** A process in a namespace; ended by `close`. */
  start(ns: Namespace, argv: readonly string[]): ChildProcess;
  /** An HTTP server that answers with `text`, the client's address and its own, and ends no connection by itself. */
  serve(ns: Namespace, port: number, text: string): Promise<void>;
  /** A UDP server that answers each datagram with `text`. */
  answerUdp(ns: Namespace, port: number, text: string): Promise<void>;
  /** A UDP server that answers `list` with all other datagrams that it got. */
  recordUdp(ns: Namespace, port: number): Promise<void>;
  /** For files of the test; gone with the lab. */
  readonly folder: string;
  close(): Promise<void>;
}

export interface LabOptions {
  readonly cluster: Cluster;
  readonly verifyEveryMs?: number;
  /** Puts the nodes in different subnets with a router between. */
  readonly apart?: boolean;
  /** Which of Debian's two kinds of iptables the nodes' programs are. */
  readonly iptables?: IptablesKind;
}

export type IptablesKind = 'iptables-nft' | 'iptables-legacy';

/** Runs this kind's programs in the place of those that have no kind in their name. */
export function asKind(run: RunCommand, kind: IptablesKind): RunCommand {
  const suffix = kind.slice('iptables'.length);
  return ([program = '', ...rest], options) =>
    run([program.replace(/^ip6?tables(?=-restore$|-save$)/, (name) => `${name}${suffix}`), ...rest], options);
}

export async function makeLab(
  label: string,
  { cluster, verifyEveryMs, apart = false, iptables = 'iptables-nft' }: LabOptions,
): Promise<Lab> {
  const folder = makeFolder('pnet-');
  const hub = makeNamespace(`${label}-hub`);
  const children: ChildProcess[] = [];
  const nodes: TestNode[] = [];
  const outside = makeNamespace(`${label}-out`);
  const addresses = apart ? ['198.18.1.1', '198.18.2.1'] : ['198.18.0.1', '198.18.0.2'];
  const objects = addresses.map((address, i) => node(`n${i + 1}`, address, `198.19.${i + 1}.0/24`));
  await hub.sh('ip', 'link', 'set', 'lo', 'up');
  await hub.run(['tee', '/proc/sys/net/ipv4/ip_forward'], { signal: new AbortController().signal, input: '1' });
  await hub.sh('ip', 'link', 'add', 'br0', 'type', 'bridge');
  await hub.sh('ip', 'link', 'set', 'br0', 'up');
  for (const gateway of ['198.18.0.254/24', ...(apart ? ['198.18.1.254/24', '198.18.2.254/24'] : [])])
    await hub.sh('ip', 'address', 'add', gateway, 'dev', 'br0');
  await plug(hub, outside, '198.18.0.9/24');
  for (const range of apart ? ['198.18.1.0/24', '198.18.2.0/24'] : [])
    await outside.sh('ip', 'route', 'add', range, 'via', '198.18.0.254');

  for (const [i, object] of objects.entries()) {
    const address = addresses[i] ?? '';
    const ns = makeNamespace(`${label}-n${i + 1}`);
    await plug(hub, ns, `${address}/24`);
    if (apart) await ns.sh('ip', 'route', 'add', '198.18.0.0/16', 'via', address.replace(/\d+$/, '254'));
    const assignment = new TestAssignment(object.metadata.name, [cluster, ...objects]);
    const pods = new TestLocalPods();
    const states: NetworkState[] = [];
    const events: string[] = [];
    const writes: { commands: number; whole: boolean }[] = [];
    const cniPath = join(folder, `${object.metadata.name}.conflist`);
    let heard: () => void = () => undefined;
    let wireguardKey: string | undefined;
    const run = join(folder, object.metadata.name);
    const keyFolder = join(run, 'wireguard');
    await mkdir(run);
    const real = createNodePacketFilter({
      ...ns,
      folder: run,
      forwarders: {
        iptables: createIptablesForwarder({ family: 'IPv4', run: asKind(ns.run, iptables), clock: systemClock }),
        ipvs: createIpvsForwarder({ family: 'IPv4', run: ns.run, clock: systemClock }),
      },
    });
    const filter: PacketFilter = {
      ...real,
      watch: (tell, signal) =>
        real.watch((change) => {
          heard();
          tell(change);
        }, signal),
    };
    const watches = async (): Promise<void> => {
      let over = false;
      heard = () => {
        over = true;
      };
      for (; !over; await delay(20)) await ns.sh('nft', 'add table inet lab-mark; delete table inet lab-mark');
    };
    const sync = startNetworkSync({
      assignment,
      pods,
      clock: systemClock,
      filter,
      routing: createIpRouting({ run: ns.run, key: () => wireGuardKey(keyFolder) }),
      cni: createCniConfigFile({ run: ns.run, path: cniPath, dataDir: join(folder, 'cni') }),
      log: (_level, message, fields) => {
        if (message === 'packet filter written') writes.push(fields as { commands: number; whole: boolean });
      },
      onState: (state) => {
        states.push(state);
      },
      onWireGuardKey: (publicKey) => {
        wireguardKey = publicKey;
      },
      onEvent: (event) => {
        events.push(event.reason);
      },
      ...(verifyEveryMs !== undefined && { verifyEveryMs }),
    });
    nodes.push({
      object,
      address,
      ns,
      assignment,
      pods,
      sync,
      states,
      events,
      watches,
      writes,
      cniPath,
      wireguardKey: () => wireguardKey,
      keyFolder,
      pod: (host) => makePod(label, ns, `198.19.${i + 1}`, host),
    });
  }
  const [first, second] = nodes;
  if (!first || !second) throw new Error('a lab has two nodes');
  await Promise.all(nodes.map((n) => n.sync.synced()));

  const start = (ns: Namespace, argv: readonly string[]): ChildProcess => {
    const [program, ...args] = tied(...ns.enter, ...argv);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
  const startScript = async (ns: Namespace, script: string): Promise<void> => {
    const child = start(ns, [process.execPath, '-e', script]);
    const up = await Promise.race([
      once(child.stdout ?? child, 'data').then(() => true),
      once(child, 'exit').then(() => false),
    ]);
    if (!up) throw new Error('a test server did not start');
  };
  return {
    nodes: [first, second],
    outside,
    folder,
    async set(...changed) {
      for (const n of nodes) n.assignment.set(...changed);
      await Promise.all(nodes.map((n) => n.sync.synced()));
    },
    async remove(...keys) {
      for (const n of nodes) n.assignment.remove(...keys);
      await Promise.all(nodes.map((n) => n.sync.synced()));
    },
    start,
    serve: (ns, port, text) =>
      startScript(
        ns,
        `require('http').createServer((q, s) => s.end(['${text}', q.socket.remoteAddress, q.socket.localAddress].join(' '))).listen(${port}, '0.0.0.0', () => console.log('up')).keepAliveTimeout = 0`,
      ),
    answerUdp: (ns, port, text) =>
      startScript(
        ns,
        `const s = require('dgram').createSocket('udp4'); s.on('message', (m, r) => s.send('${text}', r.port, r.address)); s.bind(${port}, () => console.log('up'))`,
      ),
    recordUdp: (ns, port) =>
      startScript(
        ns,
        `const heard = []; const s = require('dgram').createSocket('udp4');
      s.on('message', (m, r) => { if (String(m) === 'list') s.send(heard.join(), r.port, r.address); else heard.push(m); }); s.bind(${port}, () => console.log('up'))`,
      ),
    async close() {
      await Promise.all(nodes.map((n) => n.sync.close()));
      await Promise.all(
        children
          .filter((c) => c.exitCode === null && c.signalCode === null)
          .map(async (c) => {
            const gone = once(c, 'exit');
            c.kill('SIGKILL');
            await gone;
          }),
      );
      for (const ns of made.splice(0)) ns.remove();
      for (const n of nodes) n.ns.remove();
      outside.remove();
      hub.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const made: Namespace[] = [];
let plugs = 0;

async function plug(hub: Namespace, ns: Namespace, address: string): Promise<void> {
  plugs += 1;
  await hub.sh('ip', 'link', 'add', `p${plugs}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns.name);
  await hub.sh('ip', 'link', 'set', `p${plugs}`, 'master', 'br0', 'up');
  await ns.sh('ip', 'link', 'set', 'lo', 'up');
  await ns.sh('ip', 'address', 'add', address, 'dev', 'eth0');
  await ns.sh('ip', 'link', 'set', 'eth0', 'up');
}

/**
 * As `ptp` with our configuration: the node's end has the gateway's address as a /32, the pod has a default route by
 * it.
 */
async function makePod(label: string, at: Namespace, net: string, host: number): Promise<TestPod> {
  const ns = makeNamespace(`${label}-${net.split('.')[2] ?? ''}-${host}`);
  made.push(ns);
  const address = `${net}.${host}`;
  const gateway = `${net}.1`;
  await at.sh('ip', 'link', 'add', `veth${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns.name);
  await at.sh('ip', 'address', 'add', `${gateway}/32`, 'dev', `veth${host}`);
  await at.sh('ip', 'link', 'set', `veth${host}`, 'up');
  await at.sh('ip', 'route', 'add', `${address}/32`, 'dev', `veth${host}`, 'scope', 'host');
  await ns.sh('ip', 'link', 'set', 'lo', 'up');
  await ns.sh('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
  await ns.sh('ip', 'link', 'set', 'eth0', 'up');
  await ns.sh('ip', 'route', 'delete', `${net}.0/24`, 'dev', 'eth0');
  await ns.sh('ip', 'route', 'add', gateway, 'dev', 'eth0', 'src', address);
  await ns.sh('ip', 'route', 'add', 'default', 'via', gateway, 'src', address);
  return { ns, address };
}

/**
 * One HTTP request: the answer's words, or curl's-like reason (`refused`, `timeout`, ...). Each is a new connection.
 */
export async function ask(ns: Namespace, host: string, port: number): Promise<string> {
  const script =
    `require('http').get({ host: '${host}', port: ${port}, agent: false, timeout: 3000 }, (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => console.log(t)); })` +
    ".on('timeout', function () { this.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })); }).on('error', (e) => console.log(e.code))";
  return (await ns.sh(process.execPath, '-e', script)).trim();
}

/** One UDP datagram from a fixed port: the answer, or the error's code. */
export async function askUdp(ns: Namespace, host: string, port: number, from: number, question = '?'): Promise<string> {
  const script = `const s = require('dgram').createSocket('udp4'); const t = setTimeout(() => { console.log('ETIMEDOUT'); s.close(); }, 2000);
    const end = (x) => { console.log(x); clearTimeout(t); s.close(); };
    s.on('error', (e) => end(e.code)); s.on('message', (m) => end(String(m))); s.bind(${from}, () => s.connect(${port}, '${host}', () => s.send('${question}')))`;
  return (await ns.sh(process.execPath, '-e', script)).trim();
}

export async function readCni(
  path: string,
): Promise<{ plugins: { type: string; mtu: number; ipam: { ranges: { subnet: string; gateway: string }[][] } }[] }> {
  return JSON.parse(await readFile(path, 'utf8')) as Awaited<ReturnType<typeof readCni>>;
}

/**
 * A program for node that asks over and over, `workers` at a time, each time by a new connection. Says `up` after the first answer,
 * and on SIGTERM `{done, failed}`.
 */
export function loadOf(host: string, workers: number): string {
  return `
const http = require('http'); let done = 0, stop = false; const failed = [];
const one = () => new Promise((end) => http.get({ host: '${host}', port: 80, agent: false, timeout: 5000 }, (r) => { r.resume(); r.on('end', () => { if (++done === 1) console.log('up'); end(); }); })
  .on('timeout', function () { this.destroy(new Error('timeout')); }).on('error', (e) => { failed.push(e.code || e.message); end(); }));
process.on('SIGTERM', () => { stop = true; });
Promise.all(Array.from({ length: ${workers} }, async () => { while (!stop) await one(); })).then(() => { console.log(JSON.stringify({ done, failed })); process.exit(); });`;
}
