/** One suite for everything that is a PacketFilter: the table in memory and the kernel's. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { applyCommands, MemoryPacketFilter } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { createNftPacketFilter } from '../../../nodeagent/adapters/nft/nft-packet-filter.ts';
import { changeRuleset, EMPTY_RULESET, renderWhole } from '../../../nodeagent/core/nftables/delta.ts';
import type { Command, Ruleset } from '../../../nodeagent/core/nftables/model.ts';
import { describeDamage } from '../../../nodeagent/core/nftables/verify.ts';
import { FilterRefusedError, type PacketFilter } from '../../../nodeagent/ports/packet-filter.ts';
import { cannotRun, makeNamespace, removeNamespaces, type Namespace } from '../../integration/network/namespace.ts';
import {
  compileRandom,
  fragmentsBetween,
  randomCluster,
  type RandomCluster,
} from '../../unit/network/random-cluster.ts';

const { signal } = new AbortController();

function rulesetOf(cluster: RandomCluster): Ruleset {
  return changeRuleset(EMPTY_RULESET, compileRandom(cluster)).next;
}

interface Subject {
  readonly filter: PacketFilter;
  /** The table's content without order, handles and counters. */
  content(): Promise<unknown>;
  deleteTable(): Promise<void>;
}

function packetFilterContract(make: () => Subject): void {
  let subject: Subject;
  before(() => {
    subject = make();
  });
  const [sample] = fc.sample(randomCluster, { numRuns: 1, seed: 7 });
  const some = rulesetOf(sample ?? []);

  it('has no generation before the first transaction', async () => {
    assert.equal((await subject.filter.survey(signal)).generation, undefined);
    assert.equal(await subject.filter.present(signal), false);
  });

  it('reads back what it wrote', async () => {
    await subject.filter.apply({ commands: renderWhole(some), generation: '1' }, signal);
    assert.equal(describeDamage(some, '1', await subject.filter.survey(signal)), undefined);
    assert.equal(await subject.filter.present(signal), true);
  });

  it('changes nothing when a transaction is refused', async () => {
    const before = await subject.content();
    const commands: Command[] = [
      { do: 'add-chain', chain: { name: 'fresh' } },
      { do: 'delete-chain', chain: 'not-there' },
    ];
    await assert.rejects(subject.filter.apply({ commands, generation: '2' }, signal), FilterRefusedError);
    assert.deepEqual(await subject.content(), before);
    assert.equal((await subject.filter.survey(signal)).generation, '1');
  });

  it('refuses to remove a chain that is referred to', async () => {
    await assert.rejects(
      subject.filter.apply({ commands: [{ do: 'delete-chain', chain: 'services' }], generation: '2' }, signal),
      FilterRefusedError,
    );
  });

  it('notices that the table was deleted, refuses a delta, and takes a whole one', async () => {
    await subject.deleteTable();
    assert.equal(await subject.filter.present(signal), false);
    assert.notEqual(describeDamage(some, '1', await subject.filter.survey(signal)), undefined);
    await assert.rejects(
      subject.filter.apply(
        { commands: [{ do: 'set-rules', chain: 'services', fresh: false, rules: [] }], generation: '2' },
        signal,
      ),
      FilterRefusedError,
    );
    await subject.filter.apply({ commands: renderWhole(some), generation: '3' }, signal);
    assert.equal(describeDamage(some, '3', await subject.filter.survey(signal)), undefined);
  });

  it('is the same after a delta as after writing the whole', async () => {
    await fc.assert(
      fc.asyncProperty(randomCluster, randomCluster, async (a, b) => {
        const from = rulesetOf(a);
        await subject.filter.apply({ commands: renderWhole(from), generation: 'a' }, signal);
        await subject.filter.apply(
          { commands: changeRuleset(from, fragmentsBetween(a, b)).commands, generation: 'b' },
          signal,
        );
        const stepped = await subject.content();
        await subject.filter.apply({ commands: renderWhole(rulesetOf(b)), generation: 'b' }, signal);
        assert.deepEqual(stepped, await subject.content());
        assert.equal(describeDamage(rulesetOf(b), 'b', await subject.filter.survey(signal)), undefined);
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

  it('tells of what others do to the table, and of nothing that it does itself', async () => {
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
    while (!over) {
      await subject.filter.apply({ commands: renderWhole(some), generation: 'w0' }, signal);
      await subject.deleteTable();
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    assert.equal(await first, 'own-table');
    for (const generation of generations)
      await subject.filter.apply({ commands: renderWhole(some), generation }, signal);
    told.length = 0;
    const second = new Promise<string>((resolve) => {
      heard = resolve;
    });
    await subject.deleteTable();
    assert.equal(await second, 'own-table');
    assert.deepEqual(told, ['own-table']);
    stop.abort(new Error('enough'));
    await assert.rejects(watch, /enough/);
  });

  it('names nobody who drops forwarded packets where nobody does', async () => {
    assert.deepEqual(await subject.filter.forwardDrops('198.19.0.0/17', signal), []);
  });
}

describe('packet filter in memory', () => {
  packetFilterContract(() => {
    const filter = new MemoryPacketFilter();
    return {
      filter,
      content: () => Promise.resolve(filter.table && applyCommands(filter.table, [])),
      deleteTable: () => Promise.resolve(filter.deleteTable()),
    };
  });
});

describe('packet filter of the kernel', { skip: cannotRun() ?? false }, () => {
  let namespace: Namespace;
  const enter = (): Namespace => (namespace ??= makeNamespace('filter'));
  after(removeNamespaces);

  packetFilterContract(() => {
    const ns = enter();
    return {
      filter: createNftPacketFilter(ns),
      content: async () => blocksOf(await ns.sh('nft', '-s', 'list', 'table', 'ip', 'plumbline')),
      deleteTable: async () => {
        await ns.sh('nft', 'delete', 'table', 'ip', 'plumbline');
      },
    };
  });

  it('leaves other tables alone and names the one that drops', async () => {
    const ns = enter();
    await ns.sh(
      'nft',
      'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add table inet other; add chain inet other c',
    );
    const foreign = async (): Promise<string[]> => [
      await ns.sh('nft', '-a', 'list', 'table', 'ip', 'filter'),
      await ns.sh('nft', '-a', 'list', 'table', 'inet', 'other'),
    ];
    const before = await foreign();
    const filter = createNftPacketFilter(ns);
    await filter.apply({ commands: renderWhole(rulesetOf([])), generation: '9' }, signal);
    assert.deepEqual(await foreign(), before);
    assert.deepEqual(await filter.forwardDrops('198.19.0.0/17', signal), ['ip filter FORWARD']);
    await ns.sh('nft', 'add rule ip filter FORWARD ip saddr 198.19.0.0/17 accept');
    assert.deepEqual(await filter.forwardDrops('198.19.0.0/17', signal), []);
  });

  for (const damage of ['delete table ip plumbline', 'flush table ip plumbline', 'flush ruleset']) {
    it(`sees that the table is not as it was after nft ${damage}`, async () => {
      const ns = enter();
      const filter = createNftPacketFilter(ns);
      await filter.apply({ commands: renderWhole(rulesetOf([])), generation: '9' }, signal);
      assert.equal(await filter.present(signal), true);
      await ns.sh('nft', damage);
      assert.equal(await filter.present(signal), false);
    });
  }

  it('tells in one sentence what nft refused', async () => {
    const filter = createNftPacketFilter(enter());
    await assert.rejects(
      filter.apply(
        {
          commands: [
            { do: 'add-elements', container: 'nowhere', elements: [{ container: 'nowhere', key: '198.18.0.1' }] },
          ],
          generation: '1',
        },
        signal,
      ),
      /^FilterRefusedError: nft refused: No such file or directory.* in "add element ip plumbline nowhere/,
    );
  });
});

/**
 * Chains, sets and maps of a listing by their first line, each with its lines; elements sorted, as nft lists them in
 * the kernel's order.
 */
function blocksOf(listing: string): Map<string, string[]> {
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
