/** Processes propose places at the same time, each on its own view of the cluster; one commits them. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { ZONE_LABEL, type Node, type StoredPod } from '../../../contracts/objects/index.ts';
import { node, pod } from '../controllers/objects.ts';
import { asksFor, forbids } from './oracle.ts';
import type { Order, Proposal } from './proposer.ts';
import { asking, schedulerFor, stored } from './situation.ts';

const WORKERS = 3;
/** Pods of one order: a worker proposes places for them all before it hears of what others took. */
const ORDER = 8;

type Taken = Order['taken'][number];

interface Race {
  readonly nodes: readonly Node[];
  readonly pods: readonly StoredPod[];
}

describe('places that many workers propose', () => {
  const workers: ChildProcess[] = [];
  after(() => {
    for (const worker of workers) worker.disconnect();
  });

  /**
   * Rounds in which all propose at once, until every pod has a place or is refused by one who knows of all that was
   * taken.
   */
  async function race({
    nodes,
    pods,
  }: Race): Promise<{ placed: ReadonlyMap<string, string>; refused: number; lost: number }> {
    const committer = schedulerFor({ nodes });
    const byUid = new Map(pods.map((one) => [one.metadata.uid, one]));
    const placed = new Map<string, string>();
    let waiting = [...pods];
    let refused = 0;
    let lost = 0;
    const proposers = Array.from({ length: WORKERS }, (_, at) => ({
      worker: fork(new URL('./proposer.ts', import.meta.url), [`worker ${at}`], { serialization: 'advanced' }),
      lost: [] as StoredPod[],
      taken: [] as Taken[],
    }));
    workers.push(...proposers.map(({ worker }) => worker));

    for (let first = true; waiting.length > 0; first = false) {
      const answers = await Promise.all(
        proposers.map(async (proposer) => {
          const order: Order = {
            ...(first && { nodes }),
            taken: proposer.taken.splice(0),
            lost: proposer.lost.splice(0),
            wanted: waiting.splice(0, ORDER),
          };
          proposer.worker.send(order);
          const [proposals] = (await once(proposer.worker, 'message')) as [readonly Proposal[]];
          return { proposer, proposals };
        }),
      );
      const refusals: StoredPod[] = [];
      const before = placed.size;
      for (const { proposer, proposals } of answers) {
        for (const { uid, node: name } of proposals) {
          const one = byUid.get(uid);
          assert.ok(one);
          if (name === undefined) refusals.push(one);
          else if (committer.commit(one, name)) {
            placed.set(uid, name);
            for (const other of proposers) if (other !== proposer) other.taken.push({ pod: one, node: name });
          } else {
            lost += 1;
            proposer.lost.push(one);
            waiting.push(one);
          }
        }
      }
      // What was taken in the meantime may have made a place right, as affinity does.
      if (placed.size > before) waiting = [...waiting, ...refusals];
      else refused += refusals.length;
    }
    return { placed, refused, lost };
  }

  const nodes = Array.from({ length: 12 }, (_, i) =>
    node(`n${i}`, { labels: { [ZONE_LABEL]: `z${i % 3}` }, allocatable: { cpu: '2', memory: '4Gi', pods: '110' } }),
  );
  const pods = (count: number, app: string, spec: object): StoredPod[] =>
    Array.from({ length: count }, (_, i) => stored(pod(`${app}-${i}`, spec, { labels: { app } })) as StoredPod);
  const self = { labelSelector: { matchLabels: { app: 'web' } } };

  it('are never given twice: nodes are full, and no fuller', { timeout: 300_000 }, async () => {
    const all = pods(60, 'web', asking({ cpu: '500m' }));
    const { placed, refused, lost } = await race({ nodes, pods: all });
    assert.deepEqual([placed.size, refused], [48, 12]);
    assert.ok(lost > 0, "workers were in each other's way");
    for (const {
      metadata: { name },
    } of nodes) {
      const used = all
        .filter(({ metadata: { uid } }) => placed.get(uid) === name)
        .reduce((sum, one) => sum + asksFor(one, 'cpu'), 0);
      assert.equal(used, 2, name);
    }
  });

  it('break no rule, whoever was first', { timeout: 300_000 }, async () => {
    const all = [
      ...pods(40, 'web', {
        ...asking({ cpu: '100m' }),
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: ZONE_LABEL, whenUnsatisfiable: 'DoNotSchedule', ...self },
        ],
      }),
      ...pods(20, 'db', {
        ...asking({ cpu: '100m' }),
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } },
            ],
          },
        },
      }),
    ];
    const { placed, refused, lost } = await race({ nodes, pods: all });
    assert.deepEqual([placed.size, refused], [52, 8]);
    assert.ok(lost > 0, "workers were in each other's way");
    const there = all.flatMap((one) => {
      const name = placed.get(one.metadata.uid);
      return name === undefined ? [] : [{ pod: one, node: name }];
    });
    for (const { pod: one, node: name } of there) {
      const on = nodes.find(({ metadata }) => metadata.name === name);
      assert.ok(on);
      const others = there.filter((entry) => entry.pod !== one);
      if (one.metadata.labels?.['app'] === 'db')
        assert.equal(forbids({ nodes, placed: others, namespaces: {} }, one, on), undefined);
    }
    const perZone = [0, 1, 2].map(
      (zone) =>
        there.filter(
          ({ pod: one, node: name }) => one.metadata.labels?.['app'] === 'web' && Number(name.slice(1)) % 3 === zone,
        ).length,
    );
    assert.deepEqual(perZone.sort(), [13, 13, 14]);
  });
});
