import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  IPAddressPoolManifest,
  L2AdvertisementManifest,
  type Endpoint,
  type IPAddressPool,
  type Kind,
  type KubeObject,
  type L2Advertisement,
  type Node,
  type Service,
} from '../../../contracts/objects/index.ts';
import { announcedAddresses, holds, type AnnouncedAddress } from '../../../nodeagent/core/load-balancer/holders.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { startAddressHolder } from '../../../nodeagent/loops/address-holder.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from './world.ts';

const nodes: readonly Node[] = Array.from({ length: 5 }, (_, i) =>
  node(`n${i + 1}`, `198.18.0.${i + 1}`, `198.19.${i + 1}.0/24`),
);

function pool(spec: object = {}, labels: Record<string, string> = {}): IPAddressPool {
  return IPAddressPoolManifest.parse({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: { name: 'home', namespace: 'default', labels },
    spec: { addresses: ['198.18.50.0/24'], ...spec },
  });
}
function advertisement(spec: object = {}): L2Advertisement {
  return L2AdvertisementManifest.parse({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'L2Advertisement',
    metadata: { name: 'home', namespace: 'default' },
    spec,
  });
}
function balancer(name: string, address: string, spec: object = {}): Service {
  const made = service(name, '198.19.128.10', [{ port: 80 }], { type: 'LoadBalancer', ...spec });
  return { ...made, status: { loadBalancer: { ingress: [{ ip: address }] } } };
}
const VIP = '198.18.50.7';
const web = balancer('web', VIP);

function announced(of: Partial<Parameters<typeof announcedAddresses>[0]>): readonly AnnouncedAddress[] {
  return announcedAddresses({
    services: [web],
    slices: [],
    pools: [pool()],
    advertisements: [advertisement()],
    nodes,
    ...of,
  });
}
const orderOf = (of: Partial<Parameters<typeof announcedAddresses>[0]>): readonly string[] =>
  announced(of)[0]?.order.map((one) => one.node) ?? [];

describe('who holds an address', () => {
  const order = orderOf({});

  it('is told by the same order everywhere', () => {
    assert.deepEqual([...order].sort(), ['n1', 'n2', 'n3', 'n4', 'n5']);
    assert.deepEqual(orderOf({ nodes: nodes.toReversed() }), order);
  });

  it('stays when another node goes', () => {
    const last = order.at(-1);
    assert.deepEqual(orderOf({ nodes: nodes.filter(({ metadata }) => metadata.name !== last) }), order.slice(0, -1));
  });

  it('differs from address to address', () => {
    const services = Array.from({ length: 60 }, (_, i) => balancer(`s${i}`, `198.18.50.${i}`));
    const firsts = announced({ services }).map((one) => one.order[0]?.node ?? '');
    assert.equal(new Set(firsts).size, 5);
  });

  it('is the first that can be reached, and nobody else', () => {
    const [one] = announced({});
    assert.ok(one);
    for (const gone of [0, 1, 2]) {
      const isReachable = (name: string): boolean => order.indexOf(name) >= gone;
      const there = order.slice(gone);
      assert.deepEqual(
        there.filter((name) => holds(one, name, isReachable)),
        there.slice(0, 1),
      );
    }
  });

  it('is nobody without an advertisement, or for a pool of another one', () => {
    assert.deepEqual(announced({ advertisements: [] }), []);
    assert.deepEqual(announced({ advertisements: [advertisement({ ipAddressPools: ['other'] })] }), []);
    assert.deepEqual(announced({ pools: [] }), []);
    const selected = advertisement({ ipAddressPoolSelectors: [{ matchLabels: { site: 'a' } }] });
    assert.deepEqual(announced({ advertisements: [selected] }), []);
    assert.equal(announced({ advertisements: [selected], pools: [pool({}, { site: 'a' })] }).length, 1);
  });

  it('is a node that may', () => {
    const only = advertisement({ nodeSelectors: [{ matchLabels: { 'kubernetes.io/hostname': 'n2' } }] });
    assert.deepEqual(orderOf({ advertisements: [only] }), ['n2']);
    const excluded = nodes.map((one) =>
      one.metadata.name === 'n3'
        ? one
        : {
            ...one,
            metadata: { ...one.metadata, labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } },
          },
    );
    assert.deepEqual(orderOf({ nodes: excluded }), ['n3']);
  });

  it('has an endpoint where connections stay on their node', () => {
    const local = balancer('web', VIP, { externalTrafficPolicy: 'Local' });
    const at = (name: string, state: Parameters<typeof endpoint>[1]): Endpoint => ({
      ...endpoint('198.19.1.5', state),
      nodeName: name,
    });
    const given = (...endpoints: Endpoint[]): readonly string[] =>
      [...orderOf({ services: [local], slices: [slice(local, endpoints)] })].sort();
    assert.deepEqual(given(at('n2', 'ready'), at('n4', 'terminating'), at('n5', 'unready')), ['n2']);
    assert.deepEqual(given(at('n4', 'terminating')), ['n4']);
    assert.deepEqual(given(), []);
  });
});

describe('a node that holds addresses', () => {
  const order = orderOf({});
  const [first = '', second = ''] = order;
  const addressOf = (name: string): string =>
    nodes.find(({ metadata }) => metadata.name === name)?.status?.addresses?.[0]?.address ?? '';

  async function until(holdsTrue: () => boolean): Promise<void> {
    for (let i = 0; i < 1000 && !holdsTrue(); i += 1) await sleep(10);
    assert.ok(holdsTrue());
  }

  function world(
    self: string,
    objects: readonly KubeObject[],
    before: readonly string[] = [],
    others: 'answer' | 'silent' = 'answer',
  ): {
    /** Whoever was silent answers from now on. */
    answer(): void;
    readonly assignment: TestAssignment;
    readonly down: Set<string>;
    readonly asked: Set<string>;
    readonly announced: string[];
    readonly holder: ReturnType<typeof startAddressHolder>;
  } {
    const assignment = new TestAssignment(self, objects);
    const [down, asked] = [new Set<string>(), new Set<string>()];
    const told: string[] = [];
    let answer = (): void => undefined;
    const speak = new Promise<void>((resolve) => {
      answer = resolve;
    });
    if (others === 'answer') answer();
    const holder = startAddressHolder({
      assignment,
      clock: systemClock,
      log: () => undefined,
      before,
      neighbourhood: {
        reaches: (address) => {
          asked.add(address);
          return speak.then(() => !down.has(address));
        },
        announce: (address) => {
          told.push(address);
          return Promise.resolve('done');
        },
      },
    });
    return { assignment, down, asked, announced: told, holder, answer };
  }
  const all = [cluster(), ...nodes, pool(), advertisement(), web];

  it('asks nobody when it is the first, and tells its neighbours once the address is in force', async () => {
    const w = world(first, all);
    try {
      assert.deepEqual(w.holder.current(), [VIP]);
      assert.deepEqual(w.announced, []);
      w.holder.inForce([VIP]);
      await until(() => w.announced.length > 0);
      assert.deepEqual([...w.asked], []);
    } finally {
      await w.holder.close();
    }
  });

  it('takes the address of one that is gone, and gives it back', async () => {
    const w = world(second, all);
    try {
      assert.deepEqual(w.holder.current(), []);
      w.down.add(addressOf(first));
      await until(() => w.holder.current().includes(VIP));
      assert.deepEqual([...w.asked], [addressOf(first)]);
      w.down.clear();
      await until(() => w.holder.current().length === 0);
    } finally {
      await w.holder.close();
    }
  });

  it('keeps one that an agent before it took over until it knows who is there', async () => {
    const w = world(second, all, [VIP], 'silent');
    try {
      assert.deepEqual(w.holder.current(), [VIP]);
      await until(() => w.asked.size > 0);
      assert.deepEqual(w.holder.current(), [VIP]);
      w.answer();
      await until(() => w.holder.current().length === 0);
    } finally {
      await w.holder.close();
    }
  });

  it('follows the endpoints of a Service that keeps connections on their node, and reads no list for those of others', async () => {
    const web = balancer('web', VIP, { externalTrafficPolicy: 'Local' });
    const other = service('other', '198.19.128.11', [{ port: 80 }]);
    const at = (of: Service, name: string) => slice(of, [{ ...endpoint('198.19.1.5'), nodeName: name }]);
    const w = world('n3', [...all, web, other, at(web, 'n3'), at(other, 'n3')]);
    const lists: Kind[] = [];
    const current = w.assignment.current.bind(w.assignment);
    w.assignment.current = () => {
      const view = current();
      return {
        ...view,
        list: (kind) => {
          lists.push(kind);
          return view.list(kind);
        },
      };
    };
    try {
      assert.deepEqual(w.holder.current(), [VIP]);
      w.assignment.set(at(other, 'n4'));
      assert.equal(lists.length, 0);
      w.assignment.set(at(web, 'n4'));
      assert.deepEqual(w.holder.current(), []);
      w.assignment.set(at(web, 'n3'));
      assert.deepEqual(w.holder.current(), [VIP]);
      assert.equal(lists.includes('EndpointSlice'), false);
      w.assignment.set(balancer('web', VIP));
      assert.deepEqual(w.holder.current(), 'n3' === first ? [VIP] : []);
      w.assignment.set(at(web, 'n4'));
      w.assignment.set(web);
      assert.deepEqual(w.holder.current(), []);
      w.assignment.set(at(web, 'n3'));
      assert.deepEqual(w.holder.current(), [VIP]);
    } finally {
      await w.holder.close();
    }
  });

  it('takes nobody for gone because it is busy itself', async () => {
    const clock = { ...systemClock, ahead: 0, monotonic: () => systemClock.monotonic() + clock.ahead };
    const assignment = new TestAssignment(second, all);
    let asked = 0;
    const holder = startAddressHolder({
      assignment,
      clock,
      log: () => undefined,
      neighbourhood: {
        reaches: () => {
          asked += 1;
          clock.ahead += 1000;
          return Promise.resolve(false);
        },
        announce: () => Promise.resolve('done'),
      },
    });
    try {
      await until(() => asked > 5);
      assert.deepEqual(holder.current(), []);
    } finally {
      await holder.close();
    }
  });

  it('follows the Service', async () => {
    const w = world(first, all);
    try {
      let changes = 0;
      w.holder.onChange(() => {
        changes += 1;
      });
      w.assignment.remove('services/default/web');
      assert.deepEqual(w.holder.current(), []);
      w.assignment.set(web);
      assert.deepEqual(w.holder.current(), [VIP]);
      assert.equal(changes, 2);
    } finally {
      await w.holder.close();
    }
  });
});
