/** A host with the agent as it is shipped, many Services, and two pods that are namespaces: one serves, one asks. */
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NetworkReport } from '../../contracts/agent/index.ts';
import type { KubeObject, ObjectKey } from '../../contracts/objects/index.ts';
import { formatAddress, parseRange } from '../../contracts/ipv4.ts';
import { bundle, startAgent, type TestAgent } from '../../test/integration/nodeagent/agent.ts';
import { startHost, type TestHost } from '../../test/integration/nodeagent/host.ts';
import { cluster, endpoint, node, service, slice } from '../../test/unit/network/world.ts';

const RANGES = { podCIDR: '198.19.0.0/17', serviceCIDR: '198.19.128.0/17' };
/** Between looks at what is in force; less often after a while, as a look takes the agent a millisecond, too. */
const POLL_MS = 2;
const LATER_POLL_MS = 20;
const LATER_MS = 60;
const LOCAL = '198.18.78.0/24';
export const SERVER = '198.18.78.2';
const CLIENT = '198.18.78.3';
export const PORT = 8080;

/** As the plugin `ptp` has it: a routed link, and the node's end of it is the way out. */
const PODS = [
  ['srv', SERVER],
  ['cli', CLIENT],
]
  .map(
    ([name, address]) =>
      `ip netns add ${name}; ip link add v${name} type veth peer name eth0 netns ${name}
ip addr add 198.18.78.1/32 dev v${name}; ip link set v${name} up; ip route add ${address}/32 dev v${name}
ip -n ${name} link set lo up; ip -n ${name} addr add ${address}/24 dev eth0; ip -n ${name} link set eth0 up
ip -n ${name} route flush dev eth0; ip -n ${name} route add 198.18.78.1 dev eth0; ip -n ${name} route add default via 198.18.78.1`,
  )
  .join('\n');

const HAPROXY = `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind :${PORT}
  http-request return status 200 content-type text/plain string ok
`;

export class BenchNode {
  readonly host: TestHost;
  readonly agent: TestAgent;
  readonly runtime: string;
  /** Of the last change: when it was on the node's disk. */
  acknowledgedMs = 0;
  private serial = 0;

  private constructor(host: TestHost, agent: TestAgent, runtime: string) {
    this.host = host;
    this.agent = agent;
    this.runtime = runtime;
  }

  static async start(): Promise<BenchNode> {
    const host = await startHost();
    try {
      await host.run(['sh', '-ec', PODS]);
      await writeFile(join(host.folder, 'haproxy.cfg'), HAPROXY);
      host.spawn(['nsenter', '--net=/run/netns/srv', 'haproxy', '-db', '-f', join(host.folder, 'haproxy.cfg')]);
      const runtime = await pinnedRuntime();
      const agent = await startAgent(host, { node: runtime, file: await bundle(host.folder), network: true });
      return new BenchNode(host, agent, runtime);
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /** How long it takes from before the request to when the rules of this version are in force. */
  async assign(change: {
    upsert?: readonly KubeObject[];
    remove?: readonly ObjectKey[];
    whole?: boolean;
  }): Promise<number> {
    const since = performance.now();
    const { status, text } = await this.agent.assign(change);
    if (status !== 200) throw new Error(`the agent answered ${status}: ${text}`);
    const { version } = JSON.parse(text) as { readonly version: string };
    this.acknowledgedMs = performance.now() - since;
    for (;;) {
      const report = JSON.parse((await this.agent.call('GET', '/v1/network')).text) as NetworkReport;
      if (report.networkError !== null) throw new Error(report.networkError);
      if (report.networkVersion === version) return performance.now() - since;
      await delay(performance.now() - since < LATER_MS ? POLL_MS : LATER_POLL_MS);
    }
  }

  /** Processor time of the agent and of the programs that it ran so far, ms (proc(5), in ticks of 10 ms). */
  async cpuMs(): Promise<number> {
    const stat = await this.host.run(['cat', `/proc/${this.agent.pid}/stat`]);
    const fields = stat.replace(/^.*\) /, '').split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  }

  /** Resident, MB. */
  async memory(): Promise<number> {
    const status = await this.host.run(['cat', `/proc/${this.agent.pid}/status`]);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  /** In the network of a pod. */
  inPod(name: 'srv' | 'cli', argv: readonly string[]): Promise<string> {
    return this.host.run(['nsenter', `--net=/run/netns/${name}`, ...argv]);
  }

  async file(text: string): Promise<string> {
    const path = join(this.host.folder, `file-${(this.serial += 1)}`);
    await writeFile(path, text);
    return path;
  }

  async close(): Promise<void> {
    await this.host.close();
  }
}

export const BASE: readonly KubeObject[] = [cluster(RANGES), node('test-node', '198.18.76.1', LOCAL)];

export function addressOf(index: number): string {
  return formatAddress(parseRange(RANGES.serviceCIDR).first + 10 + index);
}

/** A Service with two endpoints on other nodes, or with the pod that serves. */
export function serviceAt(index: number, served = false): readonly KubeObject[] {
  const made = service(`s${index}`, addressOf(index), [{ name: 'http', port: 80, targetPort: PORT }]);
  const first = parseRange(RANGES.podCIDR).first + 512 + ((2 * index) % 30_000);
  const endpoints = served ? [SERVER] : [formatAddress(first), formatAddress(first + 1)];
  return [
    made,
    slice(
      made,
      endpoints.map((address) => endpoint(address)),
    ),
  ];
}

/** The one that agents run on; this process' own where it was not fetched yet. */
async function pinnedRuntime(): Promise<string> {
  const cache = join(import.meta.dirname, '..', '..', '.cache', 'runtime');
  const [folder] = existsSync(cache) ? await readdir(cache) : [];
  const path = folder === undefined ? '' : join(cache, folder, 'node');
  return existsSync(path) ? path : process.execPath;
}
