/** In which order the network loop gives and takes an address of a load balancer, and what guards it. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { keyOf } from '../../../contracts/objects/index.ts';
import { MemoryPacketFilter } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import type { NetworkState } from '../../../nodeagent/core/assignment.ts';
import type { Link, Route, RoutingStep } from '../../../nodeagent/core/routes/model.ts';
import { startNetworkSync, type NetworkSync } from '../../../nodeagent/loops/network-sync.ts';
import { FilterRefusedError, type FilterWrite } from '../../../nodeagent/ports/packet-filter.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from './world.ts';

const LINKS: readonly Link[] = [
  { name: 'eth0', up: true, mtu: 1500, addresses: [{ address: '198.18.0.1', prefixLength: 24 }] },
];
const VIP = '198.18.50.7';
const VIP_ROUTE: Route = { destination: `${VIP}/32`, type: 'local', device: 'lo' };
const web = {
  ...service('web', '198.19.128.10', [{ port: 80 }], { type: 'LoadBalancer' }),
  status: { loadBalancer: { ingress: [{ ip: VIP }] } },
};
const BASE = [cluster(), node('n1', '198.18.0.1', '198.19.1.0/24')];
const WEB = [web, slice(web, [endpoint('198.19.1.2')])];

/** A machine of which every change of address and rules is noted, in order. */
class Machine {
  readonly log: string[] = [];
  readonly states: NetworkState[] = [];
  /** Whether the filter refuses every write. */
  refuses = false;
  private held: readonly string[];
  private readonly listeners = new Set<() => void>();
  private routes: Route[];
  readonly assignment: TestAssignment;
  readonly sync: NetworkSync;

  constructor(objects: ConstructorParameters<typeof TestAssignment>[1], held: readonly string[], routes: Route[] = []) {
    this.assignment = new TestAssignment('n1', objects);
    this.held = held;
    this.routes = routes;
    const noted = (write: FilterWrite, filter: MemoryPacketFilter): FilterWrite => {
      const at = { at: 'external-address', address: VIP, port: 80, guarded: true } as const;
      this.note(filter.leads('TCP', at) === undefined ? 'unguarded' : 'guarded');
      return write;
    };
    const mayRefuse = (): void => {
      if (this.refuses) throw new FilterRefusedError('kernel says no');
    };
    class Filter extends MemoryPacketFilter {
      override async replace(...args: Parameters<MemoryPacketFilter['replace']>): Promise<FilterWrite> {
        mayRefuse();
        return noted(await super.replace(...args), this);
      }
      override async change(...args: Parameters<MemoryPacketFilter['change']>): Promise<FilterWrite> {
        mayRefuse();
        return noted(await super.change(...args), this);
      }
    }
    this.sync = startNetworkSync({
      assignment: this.assignment,
      filter: new Filter(),
      routing: {
        inspect: async () => ({ links: LINKS, routes: this.routes, vxlan: undefined, sysctls: {} }),
        bridges: async () => [],
        prepareWireGuard: async () => ({ publicKey: '' }),
        apply: async (steps) => {
          for (const step of steps) this.apply(step);
        },
      },
      cni: {
        dataDir: '/state/cni',
        read: async () => undefined,
        removePortMappings: async () => undefined,
        write: async () => undefined,
        remove: async () => undefined,
      },
      held: {
        current: () => this.held,
        onChange: (listener) => {
          this.listeners.add(listener);
          return () => this.listeners.delete(listener);
        },
        inForce: () => undefined,
      },
      clock: systemClock,
      log: () => undefined,
      onState: (state) => this.states.push(state),
    });
  }

  hold(...addresses: readonly string[]): void {
    this.held = addresses;
    for (const listener of this.listeners) listener();
  }

  private note(word: string): void {
    if (this.log.at(-1) !== word) this.log.push(word);
  }

  private apply(step: RoutingStep): void {
    if (step.tool !== 'ip' || !step.args.includes(VIP_ROUTE.destination)) return;
    const isThere = step.args[1] === 'replace';
    this.routes = isThere ? [VIP_ROUTE] : [];
    this.note(isThere ? 'given' : 'taken');
  }
}

describe('an address of a load balancer on the machine', () => {
  let open: NetworkSync | undefined;
  afterEach(() => open?.close());
  const start = (...args: ConstructorParameters<typeof Machine>): Machine => {
    const machine = new Machine(...args);
    open = machine.sync;
    return machine;
  };

  it('is given after what guards it, and taken before', async () => {
    const machine = start([...BASE, ...WEB], [VIP]);
    await machine.sync.synced();
    assert.deepEqual(machine.log, ['guarded', 'given']);
    machine.assignment.remove(...WEB.map(keyOf));
    machine.hold();
    await machine.sync.synced();
    assert.deepEqual(machine.log.slice(2), ['taken', 'unguarded']);
  });

  it('is taken before the rules of an agent that starts anew and does not know of it', async () => {
    const machine = start(BASE, [], [VIP_ROUTE]);
    await machine.sync.synced();
    assert.deepEqual(machine.log, ['taken', 'unguarded']);
  });

  it('stays with an agent that starts anew and holds it', async () => {
    const machine = start([...BASE, ...WEB], [VIP], [VIP_ROUTE]);
    await machine.sync.synced();
    assert.deepEqual(machine.log, ['guarded']);
  });

  it('is not given while its rules are refused', async () => {
    const machine = start(BASE, []);
    await machine.sync.synced();
    machine.refuses = true;
    machine.assignment.set(...WEB);
    machine.hold(VIP);
    while (machine.states.at(-1)?.error === null)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    assert.deepEqual(machine.log, ['unguarded']);
    machine.refuses = false;
    await machine.sync.synced();
    assert.deepEqual(machine.log.slice(1), ['guarded', 'given']);
  });
});
