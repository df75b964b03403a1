/** What control planes tell each other of their nodes, by way of the table of members. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, objectKey } from '../../../contracts/objects/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { Exchange, type OtherPlanes } from '../../../reconciler/controllers/nodes/other-planes.ts';
import { shardLease } from '../../../reconciler/core/leases/shards.ts';
import { AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import type { LeaseView, LetGo, Member } from '../../../reconciler/ports/leases.ts';
import { Counter } from '../../contract/work-queue/waiting.ts';
import { machine, pod as podOf } from '../controllers/objects.ts';
import { world } from '../runtime/world.ts';
import { ending, slice } from './endpoints.ts';
import { bringUp } from './model-agent.ts';
import { boundPod, changed, sliceOf } from './stored.ts';
import { startSync } from './sync.ts';

const OWN = 0;
const OTHERS = 1;

/** The table of members, as this control plane has it. */
class Table implements OtherPlanes {
  view: LeaseView = { members: [], holders: new Map() };
  others: readonly Member[] = [];
  readonly looks = new Counter();
  readonly #listeners = new Set<(view: LeaseView) => void>();
  #letGo: () => LetGo = () => assert.fail('nothing is told');

  get told(): LetGo {
    return this.#letGo();
  }

  tells(letGo: () => LetGo): void {
    this.#letGo = letGo;
  }

  onLook(listener: (view: LeaseView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lookSoon(): void {
    this.looks.hit('all');
    for (const listener of this.#listeners) listener(this.view);
  }

  /** The other one holds its shard and says this of those. */
  otherSays(letGo: LetGo): void {
    const other = { id: 'other', label: 'other', beat: 1, ready: true, letGo };
    this.others = [other];
    this.view = { members: [other], holders: new Map([[shardLease(OTHERS), 'other']]) };
  }
}

interface Scene {
  readonly table: Table;
  readonly tracker: AssignmentTracker;
  readonly exchange: Exchange;
  /** Of the newest change that was observed. */
  readonly version: number;
  readonly told: string[];
}

/** Pod `a` on n1 ends; n1 is ours, another node is not. n1 has let go of it. */
function scene(): Scene {
  const table = new Table();
  const pod = boundPod('a', 'n1');
  const ready = slice({ a: 'ready' });
  const tracker = new AssignmentTracker('store', Number(ready.metadata.resourceVersion));
  tracker.join('n1', 0);
  tracker.joinShard(OTHERS);
  const last = changed(ending(pod), {});
  const withdrawn = slice({ a: 'terminating' });
  for (const object of [ready, pod, last, withdrawn]) tracker.observe('put', object, 0);
  tracker.inForce('n1', bringUp(tracker, 'n1').version);
  const version = Number(withdrawn.metadata.resourceVersion);
  const told: string[] = [];
  const exchange = new Exchange({
    planes: table,
    tracker,
    clock: new SystemClock(),
    held: () => [OWN],
    elsewhere: () => [OTHERS],
    position: () => version,
    changed: (nodes) => told.push(...nodes),
  });
  return { table, tracker, exchange, version, told };
}

describe('control planes that tell each other of their nodes', () => {
  it('say up to where the nodes they hold let go, and nothing once they end', async () => {
    const { table, exchange, version } = scene();
    assert.deepEqual(table.told, { upTo: version, shards: [OWN] });
    await exchange.close();
    assert.deepEqual(table.told, { upTo: 0, shards: [] });
  });

  it('hear whoever holds a shard, when it speaks for it', async () => {
    const { table, exchange, version, told } = scene();
    table.lookSoon();
    assert.deepEqual(told, [], 'nobody holds it');
    table.otherSays({ upTo: version, shards: [] });
    table.lookSoon();
    assert.deepEqual(told, [], 'it has taken it and knows nothing of its nodes');
    table.otherSays({ upTo: version - 1, shards: [OTHERS] });
    table.lookSoon();
    assert.deepEqual(told, [], 'its nodes are behind');
    table.otherSays({ upTo: version, shards: [OTHERS] });
    table.lookSoon();
    assert.deepEqual(told, ['n1']);
    await exchange.close();
  });

  it('look at the table again and again while a pod waits, and no longer', async () => {
    const { table, tracker, exchange, version } = scene();
    exchange.begin();
    assert.equal(table.looks.count('all'), 0, 'there is nobody to ask');
    table.otherSays({ upTo: 0, shards: [OTHERS] });
    exchange.begin();
    await table.looks.reach('all', 3);
    assert.notEqual(tracker.nextExpiry(), undefined);
    table.otherSays({ upTo: version, shards: [OTHERS] });
    await table.looks.reach('all', 4);
    assert.equal(tracker.nextExpiry(), undefined);
    await exchange.close();
  });

  it('look often from the start where a pod waits already', async () => {
    const w = await world();
    await w.cache.write([
      { op: 'create', object: machine('n1') },
      { op: 'create', object: podOf('a', { nodeName: 'n1' }) },
    ]);
    const pod = w.cache.get(objectKey('Pod', 'default', 'a'));
    assert.ok(pod);
    await w.cache.write([{ op: 'create', object: sliceOf(pod, true) }]);
    const { uid } = pod.metadata;
    await w.writer.submit([{ do: 'delete', key: keyOf(pod), uid, graceSeconds: 30 }], 'test', w.signal);
    const table = new Table();
    table.otherSays({ upTo: 0, shards: [] });
    const sync = await startSync(w, new MemoryNodeTransport(), { planes: table });
    await table.looks.reach('all', 2);
    await sync.close();
    await w.close();
  });
});
