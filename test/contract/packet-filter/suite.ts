/** What everything that is a PacketFilter does. */
import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import fc from 'fast-check';
import type { ForwardingMeans, NodePolicy, PlanChange } from '../../../nodeagent/core/data-plane/plan.ts';
import { FilterRefusedError, type PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import { planBetween, planRandom, randomCluster } from '../../unit/network/random-cluster.ts';
import { cluster, endpoint, node, service, slice } from '../../unit/network/world.ts';

const { signal } = new AbortController();

export interface Subject {
  readonly filter: PacketFilter;
  /** Our rules, whatever they are made of, without order, handles and counters. */
  content(): Promise<unknown>;
  deleteRules(): Promise<void>;
}

/** A Service of two endpoints, and what follows when one of them is not ready any more. */
export const web = service('web', '198.19.128.10', [{ port: 80, nodePort: 30080 }]);
export const BOTH = [
  cluster(),
  node('n1', '198.18.0.1', '198.19.1.0/24'),
  web,
  slice(web, [endpoint('198.19.1.5'), endpoint('198.19.2.5')]),
];
const ONE = [...BOTH.slice(0, 3), slice(web, [endpoint('198.19.1.5', 'unready'), endpoint('198.19.2.5')])];
export const plan = planRandom(BOTH);
const oneLeaves = planBetween(BOTH, ONE);
export const goes: PlanChange = { forwardings: new Map([['services/default/web', []]]) };

/** The same filter, with all plans asking for these means of forwarding. */
export function asking(filter: PacketFilter, forwardBy: ForwardingMeans): PacketFilter {
  const asked = (policy: NodePolicy): NodePolicy => ({ ...policy, forwardBy });
  return {
    ...filter,
    replace: (whole, generation, at) => filter.replace({ ...whole, policy: asked(whole.policy) }, generation, at),
    change: ({ policy, ...change }, generation, at) =>
      filter.change({ ...change, ...(policy && { policy: asked(policy) }) }, generation, at),
  };
}

export function packetFilterContract(make: () => Subject): void {
  let subject: Subject;
  before(() => {
    subject = make();
  });

  it('has no generation before the first write, and nothing that could be changed', async () => {
    assert.equal((await subject.filter.survey(signal)).generation, undefined);
    assert.equal(await subject.filter.present(signal), false);
    await assert.rejects(subject.filter.change(oneLeaves, '1', signal), FilterRefusedError);
    assert.equal(await subject.filter.present(signal), false);
  });

  it('reads back what it wrote', async () => {
    await subject.filter.replace(plan, '1', signal);
    assert.deepEqual(await subject.filter.survey(signal), { generation: '1', damage: undefined });
    assert.equal(await subject.filter.present(signal), true);
    await subject.filter.change(oneLeaves, '2', signal);
    assert.deepEqual(await subject.filter.survey(signal), { generation: '2', damage: undefined });
  });

  it('writes nothing where nothing changes', async () => {
    const before = await subject.content();
    assert.deepEqual(await subject.filter.change(oneLeaves, '3', signal), { commands: 0 });
    assert.deepEqual(await subject.content(), before);
    assert.equal((await subject.filter.survey(signal)).generation, '2');
  });

  it('notices that the rules were deleted, refuses a change until it may write all of them', async () => {
    await subject.deleteRules();
    assert.equal(await subject.filter.present(signal), false);
    const { generation, damage } = await subject.filter.survey(signal);
    assert.equal(generation, undefined);
    assert.notEqual(damage, undefined);
    for (const next of ['4', '5']) {
      await assert.rejects(subject.filter.change(goes, next, signal), FilterRefusedError);
      assert.equal(await subject.filter.present(signal), false);
    }
    await subject.filter.replace(plan, '6', signal);
    assert.deepEqual(await subject.filter.survey(signal), { generation: '6', damage: undefined });
  });

  it('is the same after a change as after writing the whole', async () => {
    await fc.assert(
      fc.asyncProperty(randomCluster, randomCluster, async (a, b) => {
        await subject.filter.replace(planRandom(a), 'a', signal);
        const { commands } = await subject.filter.change(planBetween(a, b), 'b', signal);
        const stepped = await subject.content();
        await subject.filter.replace(planRandom(b), commands === 0 ? 'a' : 'b', signal);
        assert.deepEqual(stepped, await subject.content());
        assert.equal((await subject.filter.survey(signal)).damage, undefined);
      }),
      { numRuns: 25 },
    );
  });

  it('forgets flows that are not there', async () => {
    assert.equal(
      await subject.filter.forgetFlows(
        [
          { protocol: 'UDP', address: '198.19.128.53', port: 53, endpoint: '198.19.1.2' },
          { protocol: 'TCP', port: 30053, endpoint: '198.19.1.2' },
          { protocol: 'TCP', port: 30053, endpoint: '198.19.1.2', unanswered: true },
          { protocol: 'SCTP', port: 30053 },
        ],
        signal,
      ),
      'done',
    );
  });

  it('tells of what others do to the rules, and of nothing that it does itself', { timeout: 600_000 }, async () => {
    const stop = new AbortController();
    let heard: (change: string) => void = () => undefined;
    const told: string[] = [];
    const watch = subject.filter.watch((change) => {
      told.push(change);
      heard(change);
    }, stop.signal);
    const generations = ['w1', 'w2', 'w3'];
    // Until the watch has begun nothing is heard: write again until the deletion before it is.
    const first = new Promise<string>((resolve) => {
      heard = resolve;
    });
    let over = false;
    void first.then(() => {
      over = true;
    });
    for (let pauseMs = 1500; !over; pauseMs *= 2) {
      await subject.filter.replace(plan, 'w0', signal);
      await subject.deleteRules();
      // One that looks for changes from time to time needs some for that, on a slow machine more: a write meanwhile has it begin anew.
      await Promise.race([
        first,
        new Promise((resolve) => {
          setTimeout(resolve, pauseMs);
        }),
      ]);
    }
    assert.equal(await first, 'own-rules');
    for (const generation of generations) await subject.filter.replace(plan, generation, signal);
    told.length = 0;
    const second = new Promise<string>((resolve) => {
      heard = resolve;
    });
    await subject.deleteRules();
    assert.equal(await second, 'own-rules');
    assert.deepEqual(told, ['own-rules']);
    stop.abort(new Error('enough'));
    await assert.rejects(watch, /enough/);
  });

  it('names nobody who drops forwarded packets where nobody does', async () => {
    assert.deepEqual(await subject.filter.forwardDrops('198.19.0.0/17', signal), []);
  });
}

/**
 * Chains, sets and maps of a listing by their first line, each with its lines; elements sorted, as nft lists them in
 * the kernel's order.
 */
export function blocksOf(listing: string): Map<string, string[]> {
  const blocks = new Map<string, string[]>();
  let open: string[] | undefined;
  for (const line of listing.replaceAll(/,\n\s+/g, ', ').split('\n')) {
    const name = /^\t(\S+ \S+) \{$/.exec(line)?.[1];
    if (name !== undefined) blocks.set(name, (open = []));
    else if (line === '\t}') open = undefined;
    else
      open?.push(
        /^\t\telements = /.test(line)
          ? line.replace(/\{ (.*) \}/, (_, list: string) => list.split(', ').sort().join(', ')).trim()
          : line.trim(),
      );
  }
  return new Map([...blocks].sort(([a], [b]) => (a < b ? -1 : 1)));
}
