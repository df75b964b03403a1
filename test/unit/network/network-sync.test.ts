import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { limitSignals, type JoinedSignal } from '../../../contracts/signals.ts';
import { MemoryPacketFilter } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import type { NetworkState } from '../../../nodeagent/core/assignment.ts';
import type { Bridge } from '../../../nodeagent/core/cni/bridges.ts';
import type { Link, RoutingStep } from '../../../nodeagent/core/routes/model.ts';
import { startNetworkSync, type NetworkSync } from '../../../nodeagent/loops/network-sync.ts';
import type { CniConfigFile } from '../../../nodeagent/ports/cni-config.ts';
import type { PlanChange, ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import { FilterRefusedError, type FilterWrite, type ForwardDrop } from '../../../nodeagent/ports/packet-filter.ts';
import type { Routing } from '../../../nodeagent/ports/routing.ts';
import { cluster, endpoint, node, pod, podEndpoint, service, slice, TestAssignment, TestLocalPods } from './world.ts';

/** Time that passes only when the test says so. */
class ManualClock {
  private passed = 0;
  private sleepers: { ms: number; end(): void }[] = [];
  private watchers: (() => void)[] = [];
  now(): Date {
    return new Date(0);
  }
  monotonic(): number {
    return this.passed;
  }
  deadline(ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
    const after = (left: number, then: () => void): (() => void) => {
      const over = new AbortController();
      void this.sleep(left, over.signal).then(then, () => undefined);
      return () => {
        over.abort();
      };
    };
    return limitSignals(after, ms, ...signals);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { ms, end: resolve };
      this.sleepers.push(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.sleepers = this.sleepers.filter((s) => s !== sleeper);
          reject(signal.reason as Error);
        },
        { once: true },
      );
      for (const watcher of this.watchers.splice(0)) watcher();
    });
  }
  /** Waits until the loop sleeps, and tells for how long. */
  async asleep(): Promise<number> {
    while (this.sleepers.length === 0)
      await new Promise<void>((resolve) => {
        this.watchers.push(resolve);
      });
    return this.sleepers[0]?.ms ?? 0;
  }
  async pass(): Promise<void> {
    this.passed += Math.max(0, await this.asleep());
    for (const sleeper of this.sleepers.splice(0)) sleeper.end();
  }
  /** Time goes by; who sleeps sleeps on. */
  elapse(ms: number): void {
    this.passed += ms;
  }
}

class Filter extends MemoryPacketFilter {
  failures: Error[] = [];
  hold: Promise<void> = Promise.resolve();
  drops: string[] = [];
  override async replace(plan: ServicePlan, generation: string, signal: AbortSignal): Promise<FilterWrite> {
    await this.mayFail();
    return super.replace(plan, generation, signal);
  }
  override async change(change: PlanChange, generation: string, signal: AbortSignal): Promise<FilterWrite> {
    await this.mayFail();
    return super.change(change, generation, signal);
  }
  override forwardDrops(): Promise<readonly ForwardDrop[]> {
    return Promise.resolve(this.drops.map((chain) => ({ chain, remedy: `open ${chain}` })));
  }
  /** Who gets new connections to the Service `web`. */
  web(): readonly string[] | undefined {
    return this.leads('TCP', { at: 'service-address', address: '198.19.128.10', port: 80 });
  }
  private async mayFail(): Promise<void> {
    await this.hold;
    const failure = this.failures.shift();
    if (failure) throw failure;
  }
}

interface World {
  assignment: TestAssignment;
  pods: TestLocalPods;
  filter: Filter;
  clock: ManualClock;
  states: NetworkState[];
  events: string[];
  steps: RoutingStep[];
  cniText: string | undefined;
  cniWrites: number;
  /** Whether portmap's rules are there. */
  portMappings: boolean;
  routingError: string | undefined;
  bridges: readonly Bridge[];
  sync: NetworkSync;
}

const LINKS: readonly Link[] = [
  { name: 'eth0', up: true, mtu: 1500, addresses: [{ address: '198.18.0.1', prefixLength: 24 }] },
];
const web = service('web', '198.19.128.10', [{ port: 80 }]);
const BASE = [cluster(), node('n1', '198.18.0.1', '198.19.1.0/24'), web, slice(web, [endpoint('198.19.1.2')])];
let open: NetworkSync[] = [];

function start(objects: readonly KubeObject[] = BASE): World {
  const world = {
    assignment: new TestAssignment('n1', objects),
    pods: new TestLocalPods(),
    filter: new Filter(),
    clock: new ManualClock(),
    states: [],
    events: [],
    steps: [],
    cniText: undefined,
    cniWrites: 0,
    portMappings: true,
    routingError: undefined,
    bridges: [],
  } as unknown as World;
  const routing: Routing = {
    inspect: async () => {
      if (world.routingError !== undefined) throw new Error(world.routingError);
      return { links: LINKS, routes: [], vxlan: undefined, sysctls: {} };
    },
    bridges: async () => world.bridges,
    prepareWireGuard: async () => ({ publicKey: '' }),
    apply: async (steps) => {
      world.steps.push(...steps);
    },
  };
  const cni: CniConfigFile = {
    dataDir: '/state/cni',
    read: async () => world.cniText,
    removePortMappings: async () => {
      world.portMappings = false;
    },
    write: async (text) => {
      world.cniText = text;
      world.cniWrites += 1;
    },
    remove: async () => {
      world.cniText = undefined;
    },
  };
  world.sync = startNetworkSync({
    assignment: world.assignment,
    pods: world.pods,
    filter: world.filter,
    routing,
    cni,
    clock: world.clock,
    log: () => undefined,
    onState: (s) => world.states.push(s),
    onEvent: (event) => world.events.push(event.reason),
  });
  open.push(world.sync);
  return world;
}

describe('network loop', () => {
  afterEach(async () => {
    await Promise.all(open.map((sync) => sync.close()));
    open = [];
  });

  it('brings everything into force and says which version', async () => {
    const w = start();
    await w.sync.synced();
    assert.deepEqual(w.states, [{ version: '1', error: null }]);
    assert.deepEqual(w.filter.web(), ['198.19.1.2:8080']);
    assert.ok(w.cniText?.includes('198.19.1.0/24'));
    assert.ok(w.steps.some((s) => s.tool === 'sysctl' && s.path === 'net/ipv4/ip_forward'));
  });

  it('makes one more pass for any number of changes during one', async () => {
    const w = start();
    await w.sync.synced();
    let release: () => void = () => undefined;
    w.filter.hold = new Promise((resolve) => {
      release = resolve;
    });
    w.assignment.set(slice(web, [endpoint('198.19.1.3')]));
    await Promise.resolve();
    for (let i = 4; i < 50; i += 1) w.assignment.set(slice(web, [endpoint(`198.19.1.${i}`)]));
    const before = w.filter.writes.length;
    release();
    await w.sync.synced();
    assert.ok(w.filter.writes.length - before <= 2);
    assert.equal(w.states.at(-1)?.version, w.assignment.current().version);
    assert.ok(w.filter.web()?.includes('198.19.1.49:8080'));
  });

  it('writes nothing for a change that concerns it not, and moves the version', async () => {
    const w = start();
    await w.sync.synced();
    w.assignment.set({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'default' } });
    await w.sync.synced();
    assert.equal(w.filter.writes.length, 1);
    assert.equal(w.cniWrites, 1);
    assert.deepEqual(w.states.at(-1), { version: '2', error: null });
  });

  it('writes all rules when a delta is refused', async () => {
    const w = start();
    await w.sync.synced();
    w.filter.failures.push(new FilterRefusedError('no such chain'));
    w.assignment.set(slice(web, [endpoint('198.19.1.3')]));
    await w.sync.synced();
    assert.equal(w.filter.writes.at(-1)?.whole, true);
    assert.deepEqual(w.states.at(-1), { version: '2', error: null });
  });

  it('tries again with longer pauses, tells why, and keeps the last version', async () => {
    const w = start();
    await w.sync.synced();
    w.filter.failures.push(...Array.from({ length: 6 }, () => new FilterRefusedError('kernel says no')));
    w.assignment.set(slice(web, [endpoint('198.19.1.3')]));
    const pauses: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      while (w.states.at(-1)?.error === null)
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      pauses.push(await w.clock.asleep());
      await w.clock.pass();
    }
    await w.sync.synced();
    assert.deepEqual(pauses, [250, 500, 1000]);
    assert.deepEqual(w.states.slice(1), [
      { version: '1', error: 'packet filter: kernel says no' },
      { version: '2', error: null },
    ]);
  });

  it('keeps Services going while routes fail', async () => {
    const w = start();
    await w.sync.synced();
    w.routingError = 'no ip program';
    w.assignment.set(node('n2', '198.18.0.2', '198.19.2.0/24'), slice(web, [endpoint('198.19.1.9')]));
    assert.equal(
      await new Promise((resolve) => {
        const look = (): void => {
          if (w.states.at(-1)?.error) resolve(w.states.at(-1)?.error);
          else setImmediate(look);
        };
        look();
      }),
      'routes: no ip program',
    );
    assert.ok(w.filter.web()?.includes('198.19.1.9:8080'));
    assert.equal(w.states.at(-1)?.version, '1');
    w.routingError = undefined;
    await w.clock.pass();
    await w.sync.synced();
    assert.deepEqual(w.states.at(-1), { version: '2', error: null });
  });

  it('repairs the table on the slow beat', async () => {
    const w = start();
    await w.sync.synced();
    assert.equal(await w.clock.asleep(), 60_000);
    // Nobody heard of it.
    w.filter.watchers.clear();
    w.filter.deleteRules();
    await w.clock.pass();
    await w.clock.asleep();
    assert.ok(w.filter.web());
  });

  it('looks at its beat although changes keep coming', async () => {
    const w = start();
    await w.sync.synced();
    // Nobody heard of it.
    w.filter.watchers.clear();
    w.filter.deleteRules();
    w.steps.length = 0;
    for (let i = 3; i < 6; i += 1) {
      await w.clock.asleep();
      w.clock.elapse(30_000);
      w.assignment.set({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `x${i}`, namespace: 'default' } });
      await w.sync.synced();
    }
    assert.ok(w.filter.web());
    assert.ok(w.steps.length > 0, 'routes were looked at');
  });

  it('repairs the table as soon as it hears of a change, and tells it', async () => {
    const w = start();
    await w.sync.synced();
    w.filter.deleteRules();
    await w.sync.synced();
    assert.ok(w.filter.web());
    assert.deepEqual(w.events, ['PacketFilterRepaired']);
    assert.deepEqual(w.states, [{ version: '1', error: null }]);
  });

  it('does not let others keep it busy: changes of a second are repaired together', async () => {
    const w = start();
    await w.sync.synced();
    for (let i = 0; i < 5; i += 1) {
      w.filter.deleteRules();
      await w.sync.synced();
    }
    assert.equal(w.filter.writes.length, 2);
    assert.equal(w.filter.plan, undefined);
    await w.clock.pass();
    await w.sync.synced();
    assert.ok(w.filter.plan);
    assert.equal(w.filter.writes.length, 3);
  });

  it('tells of foreign drops as soon as it hears of them, and of their end', async () => {
    const w = start();
    await w.sync.synced();
    for (const drops of [['inet firewalld filter_FORWARD'], []]) {
      w.filter.drops = drops;
      for (const tell of w.filter.watchers) tell('others');
      await w.sync.synced();
      await w.clock.pass();
    }
    assert.match(
      w.states[1]?.error ?? '',
      /^chain inet firewalld filter_FORWARD drops .* Accept them there: open inet firewalld filter_FORWARD$/,
    );
    assert.deepEqual(w.states[2], { version: '1', error: null });
  });

  it('names UDP flows to forget when an endpoint goes', async () => {
    const dns = service('dns', '198.19.128.53', [{ port: 53, protocol: 'UDP' }]);
    const w = start([...BASE, dns, slice(dns, [endpoint('198.19.1.5'), endpoint('198.19.1.6')])]);
    await w.sync.synced();
    w.filter.forgotten.length = 0;
    w.assignment.set(slice(dns, [endpoint('198.19.1.6')]));
    await w.sync.synced();
    assert.deepEqual(w.filter.forgotten, [
      { protocol: 'UDP', address: '198.19.128.53', port: 53, endpoint: '198.19.1.5' },
    ]);
  });

  it('forgets TCP connections that wait for the answer of an endpoint that gets no new ones, when it leaves', async () => {
    const w = start([...BASE, slice(web, [endpoint('198.19.1.2'), endpoint('198.19.1.3')])]);
    await w.sync.synced();
    const flow = { protocol: 'TCP', address: '198.19.128.10', port: 80 } as const;
    w.filter.tracked.push(
      { ...flow, endpoint: '198.19.1.2' },
      { ...flow, endpoint: '198.19.1.3' },
      { ...flow, port: 81, endpoint: '198.19.1.2' },
    );
    w.assignment.set(slice(web, [endpoint('198.19.1.2', 'unready'), endpoint('198.19.1.3')]));
    await w.sync.synced();
    assert.deepEqual(w.filter.forgotten, [{ ...flow, endpoint: '198.19.1.2', unanswered: true }]);
  });

  it('forgets at its start only the UDP flows that lead nowhere now', async () => {
    const dns = service('dns', '198.19.128.53', [{ port: 53, protocol: 'UDP', nodePort: 30053 }]);
    const w = start([...BASE, dns, slice(dns, [endpoint('198.19.1.5')])]);
    const protocol = 'UDP';
    w.filter.tracked.push(
      { protocol, address: '198.19.128.53', port: 53, endpoint: '198.19.1.5' },
      { protocol, address: '198.19.128.53', port: 53, endpoint: '198.19.1.4' },
      { protocol, address: '198.18.0.1', port: 30053, endpoint: '198.19.1.3' },
      { protocol, address: '192.0.2.1', port: 53, endpoint: '192.0.2.1' },
    );
    await w.sync.synced();
    assert.deepEqual(w.filter.forgotten, [
      { protocol, address: '198.19.128.53', port: 53, endpoint: '198.19.1.4' },
      { protocol, address: '198.18.0.1', port: 30053, endpoint: '198.19.1.3' },
    ]);
  });

  it('waits for the first assignment, and tells of foreign drops without holding the version back', async () => {
    const w = start([]);
    w.filter.drops = ['ip filter FORWARD'];
    const synced = w.sync.synced();
    await w.clock.asleep();
    assert.equal(w.states.length, 0);
    w.assignment.set(...BASE);
    await synced;
    assert.equal(w.states[0]?.version, '1');
    assert.match(w.states[0]?.error ?? '', /^chain ip filter FORWARD drops forwarded packets that no rule of it takes/);
  });

  it('tells that it forwards by other means than asked, and is in force all the same', async () => {
    const w = start(BASE);
    w.filter.substituted = 'goes on with nftables';
    await w.sync.synced();
    assert.deepEqual(w.states, [{ version: '1', error: 'goes on with nftables' }]);
  });

  it('leaves the CNI file alone until the node has a range', async () => {
    const w = start([cluster(), node('n1', '198.18.0.1', undefined)]);
    await w.sync.synced();
    assert.equal(w.cniWrites, 0);
    w.assignment.set(node('n1', '198.18.0.1', '198.19.1.0/24'));
    await w.sync.synced();
    assert.equal(w.cniWrites, 1);
  });

  it('opens a host port when its pod has an address, and closes it when the pod is gone', async () => {
    const hosted = pod('p', [{ containerPort: 80, hostPort: 8080 }]);
    const w = start([...BASE, hosted]);
    await w.sync.synced();
    const anywhere = (): boolean => w.filter.leads('TCP', { at: 'host-port', port: 8080 }) !== undefined;
    assert.equal(anywhere(), false);
    w.pods.see(hosted, '198.19.1.7', false);
    await w.sync.synced();
    assert.equal(anywhere(), true);
    w.pods.see(hosted, undefined);
    await w.sync.synced();
    assert.equal(anywhere(), false);
    w.pods.see(hosted, '198.19.1.8');
    await w.sync.synced();
    w.assignment.remove('pods/default/p');
    await w.sync.synced();
    assert.equal(anywhere(), false);
  });

  it('follows its own pods without a new assignment, one small transaction each', async () => {
    const own = pod('own');
    const w = start([...BASE, own, slice(web, [podEndpoint(own, 'n1', '198.19.1.2'), endpoint('198.19.2.2')])]);
    await w.sync.synced();
    w.pods.see(own, '198.19.1.9');
    await w.sync.synced();
    assert.ok(w.filter.web()?.includes('198.19.1.9:8080'));
    w.pods.see(own, '198.19.1.9', false);
    await w.sync.synced();
    assert.deepEqual(w.filter.web(), ['198.19.2.2:8080']);
    assert.deepEqual(
      w.filter.writes.slice(1).map((write) => write.whole),
      [false, false],
    );
    assert.deepEqual(w.states, [{ version: '1', error: null }]);
  });

  it('removes what the portmap plugin left, once', async () => {
    const w = start();
    w.cniText = '{ "plugins": [{ "type": "portmap" }] }';
    await w.sync.synced();
    assert.equal(w.portMappings, false);
    assert.ok(!w.cniText.includes('portmap'));
    w.portMappings = true;
    w.assignment.set(node('n2', '198.18.0.2', '198.19.2.0/24'));
    await w.sync.synced();
    assert.equal(w.portMappings, true);
  });

  it('leaves pods to a CNI plugin: takes its configuration away, writes none, and keeps Services', async () => {
    const w = start();
    await w.sync.synced();
    assert.ok(w.cniText);
    w.assignment.set(cluster({ overlay: 'cni' }));
    await w.sync.synced();
    assert.equal(w.cniText, undefined);
    w.assignment.set(node('n2', '198.18.0.2', '198.19.2.0/24'));
    await w.sync.synced();
    assert.deepEqual([w.cniText, w.cniWrites], [undefined, 1]);
    assert.deepEqual(w.filter.web(), ['198.19.1.2:8080']);
    w.assignment.set(cluster());
    await w.sync.synced();
    assert.ok(w.cniText);
  });

  it('tells of a bridge of a plugin that passes on packets between pods by the rules, and stops when it does not', async () => {
    const w = start([...BASE, cluster({ overlay: 'cni' })]);
    await w.sync.synced();
    assert.equal(w.states.at(-1)?.error, null);
    // With the first pod the plugin makes it.
    w.bridges = [{ name: 'mine0', addresses: ['198.19.1.1'], ruled: ['IPv6'] }];
    const own = pod('own');
    w.assignment.set(own);
    w.pods.see(own, '198.19.1.7');
    await w.sync.synced();
    assert.match(w.states.at(-1)?.error ?? '', /bridge mine0.*Set net\.bridge\.bridge-nf-call-iptables to 1/);
    assert.equal(w.states.at(-1)?.version, w.assignment.current().version);
    w.bridges = [{ name: 'mine0', addresses: ['198.19.1.1'], ruled: ['IPv4'] }];
    await w.clock.pass();
    await w.clock.asleep();
    assert.equal(w.states.at(-1)?.error, null);
    w.bridges = [{ name: 'mine0', addresses: ['198.19.1.1'], ruled: [] }];
    w.assignment.set(cluster());
    await w.sync.synced();
    assert.equal(w.states.at(-1)?.error, null);
  });

  it('keeps what changed during a pass that ended early', async () => {
    const w = start();
    await w.sync.synced();
    const current = w.assignment.current.bind(w.assignment);
    w.assignment.current = () => ({
      ...current(),
      get: () => {
        throw new Error('no view');
      },
    });
    w.assignment.set(slice(web, [endpoint('198.19.1.9')]));
    while (w.states.at(-1)?.error === null)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    w.assignment.current = current;
    await w.clock.pass();
    await w.sync.synced();
    assert.ok(w.filter.web()?.includes('198.19.1.9:8080'));
  });

  it('rejects those who wait when it is closed', async () => {
    const w = start([]);
    const synced = w.sync.synced();
    await Promise.all([assert.rejects(synced, /closed before/), w.sync.close()]);
    await assert.rejects(w.sync.synced(), /is closed/);
  });
});
