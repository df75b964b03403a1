/**
 * Two control planes on one Redis, one Git source and the same hosts, one of which is killed or ended at any time. A
 * Service is called from every host all the while. PLUMB_E2E_REPEAT=N does everything N times, with kills at other
 * moments.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { SHARDS, shardLease } from '../../reconciler/core/leases/shards.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp } from './manifests.ts';
import type { Plane } from './plane.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const NODES = ['node-1', 'node-2', 'node-3', 'node-4'] as const;
const REPLICAS = 3;
const STILL = 4;
const RATE = 25;
/** A rollout of three pods lasts about so long: kills are spread over it. */
const ROLLOUT_MS = 6000;
/** It ends at once when it is asked to: a request that still reaches it fails. */
const AT_ONCE = 'env: [{name: DRAIN_SECONDS, value: "0"}]';
const FIRST_AND_SECOND = [0, 1] as const;

describe('two control planes', () => {
  let fleet: Fleet;
  let redis: Redis;
  let version = 1;
  /** Containers of pods that nothing is done to. */
  let still: readonly string[];

  before(async () => {
    fleet = await Fleet.start({
      name: 'twocp',
      subnet: '198.18.28.0/24',
      podCIDR: '198.19.128.0/20',
      serviceCIDR: '198.19.144.0/20',
      nodes: NODES.length,
      controlPlanes: 2,
    });
    redis = new Redis({ path: fleet.redisSocket, maxRetriesPerRequest: 1 });
    await fleet.write('apps/still.yaml', helloApp({ name: 'still', replicas: STILL }));
    await fleet.write('apps/web.yaml', helloApp({ name: 'web', replicas: REPLICAS, container: AT_ONCE }));
    await fleet.commitAndPush('Run two apps');
    await fleet.podsReady('web', REPLICAS);
    await fleet.podsReady('still', STILL);
    still = await containersOf('still');
    assert.equal(still.length, STILL);
  });
  after(async () => {
    redis?.disconnect();
    await fleet?.close();
  });

  function planeAt(index: number): Plane {
    const plane = fleet.planes[index];
    assert.ok(plane);
    return plane;
  }

  /** Containers that run on the nodes, as the nodes' own agents tell. */
  async function containersOf(app: string): Promise<readonly string[]> {
    const reports = await Promise.all(NODES.map((node) => fleet.podsOn(node)));
    return reports
      .flatMap((pods, index) =>
        pods
          .filter(({ name, gone }) => name.startsWith(`${app}-`) && !gone)
          .flatMap((pod) =>
            (pod.status?.containerStatuses ?? []).map(
              (c) => `${NODES[index]} ${pod.name} ${pod.uid} ${c.containerID} ${c.restartCount}`,
            ),
          ),
      )
      .sort();
  }

  async function eachHoldsHalf(): Promise<void> {
    await eventually('each holds half of the shards', 60, async () => {
      const holders = await redis.hmget(
        '{plumb:main}:meta',
        ...Array.from({ length: SHARDS }, (_, shard) => `lease:${shardLease(shard)}`),
      );
      const [one] = holders;
      const ofOne = holders.filter((holder) => holder === one).length;
      return !holders.includes(null) && new Set(holders).size === 2 && ofOne === SHARDS / 2;
    });
  }

  async function pushWeb(replicas: number): Promise<void> {
    await fleet.write(
      'apps/web.yaml',
      helloApp({ name: 'web', replicas, version: String(version), container: AT_ONCE }),
    );
    await fleet.commitAndPush(`web: version ${version}, ${replicas} pods`);
  }

  /** What runs on the nodes is what was asked for, once, and nobody touched the rest. */
  async function allIsOnce(replicas: number): Promise<void> {
    const pods = await fleet.podsReady('web', replicas, { image: `registry.lab/hello:${version}`, seconds: 90 });
    const wanted = pods
      .flatMap(({ metadata, spec, status }) =>
        (status?.containerStatuses ?? []).map(
          (c) => `${spec.nodeName} ${metadata.name} ${metadata.uid} ${c.containerID} 0`,
        ),
      )
      .sort();
    await eventually('the nodes run these containers and no others', 60, async () => {
      assert.deepEqual(await containersOf('web'), wanted);
      return true;
    });
    assert.deepEqual(await containersOf('still'), still);
  }

  async function statusIsGood(plane: Plane): Promise<void> {
    const { code, stdout, stderr } = await fleet.plumbAt(plane, 'status', '--wait', '--timeout', '90');
    assert.equal(code, 0, stdout + stderr);
  }

  /** Failed requests while all pods are replaced by ones of the other version and `meanwhile` happens. */
  async function failuresWhileReplaced(meanwhile: () => Promise<void>): Promise<readonly string[]> {
    const url = `http://${await fleet.clusterIP('web')}/`;
    const loads = await Promise.all(NODES.map((node) => fleet.load(node, url, RATE)));
    version = 3 - version;
    await pushWeb(REPLICAS);
    await meanwhile();
    await fleet.podsReady('web', REPLICAS, { image: `registry.lab/hello:${version}`, seconds: 90 });
    const results = await Promise.all(loads.map((load) => load.stop()));
    assert.ok(
      results.every(({ answers }) => (answers[`v${version}`] ?? 0) > 0),
      'the new version answers everywhere',
    );
    await allIsOnce(REPLICAS);
    return results.flatMap(({ failures }, index) =>
      failures.map(({ startedAt, failure }) => `${NODES[index]} ${startedAt} ${failure}`),
    );
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }

  for (let round = 1; round <= REPEAT; round += 1) {
    it(`share the work and fail no request in a rolling update, round ${round}`, async () => {
      await eachHoldsHalf();
      assert.deepEqual(await failuresWhileReplaced(async () => undefined), []);
      for (const plane of fleet.planes) {
        await statusIsGood(plane);
        const nodes = await fleet.plumbAt(plane, 'get', 'nodes', '-o', 'name');
        assert.deepEqual([nodes.code, nodes.stdout.trim().split('\n').length], [0, NODES.length], nodes.stderr);
      }
    });

    for (const index of FIRST_AND_SECOND) {
      const afterMs = Math.round((ROLLOUT_MS * (2 * round - 2 + index + 0.5)) / (2 * REPEAT));
      const which = ['first', 'second'][index] ?? '';

      it(`fail no request where the ${which} is killed after ${afterMs} ms of it and started again, round ${round}`, async () => {
        await eachHoldsHalf();
        const failures = await failuresWhileReplaced(async () => {
          await pause(afterMs);
          await planeAt(index).stop('SIGKILL');
          await planeAt(index).start();
        });
        assert.deepEqual(failures, []);
      });

      it(`fail no request where the ${which} is killed after ${afterMs} ms of it and stays dead; the other goes on, round ${round}`, async () => {
        await eachHoldsHalf();
        const other = planeAt(1 - index);
        try {
          const failures = await failuresWhileReplaced(async () => {
            await pause(afterMs);
            await planeAt(index).stop('SIGKILL');
          });
          assert.deepEqual(failures, []);
          await pushWeb(REPLICAS + 3);
          await allIsOnce(REPLICAS + 3);
          await pushWeb(REPLICAS);
          await allIsOnce(REPLICAS);
          await fleet.write('apps/more.yaml', helloApp({ name: 'more', replicas: 2 }));
          await fleet.commitAndPush('Add more');
          await fleet.podsReady('more', 2);
          await fleet.removeFiles('apps/more.yaml');
          await eventually('more is gone', 60, async () => (await containersOf('more')).length === 0);
          await statusIsGood(other);
        } finally {
          await planeAt(index).start();
        }
        await statusIsGood(planeAt(index));
      });

      it(`fail no request where the ${which} is ended after ${afterMs} ms of it and started again, round ${round}`, async () => {
        await eachHoldsHalf();
        const failures = await failuresWhileReplaced(async () => {
          await pause(afterMs);
          await planeAt(index).stop('SIGTERM');
          await planeAt(index).start();
        });
        assert.deepEqual(failures, []);
      });
    }
  }
});
