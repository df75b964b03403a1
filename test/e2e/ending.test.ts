/**
 * Pods whose application closes at once on SIGTERM, replaced under steady load from every host. PLUMB_E2E_REPEAT=N
 * replaces them N times in each way.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Fleet } from './fleet.ts';
import { helloApp } from './manifests.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const NODES = ['node-1', 'node-2', 'node-3'] as const;
const REPLICAS = 3;
const RATE = 40;
/** A rollout of three pods lasts about so long: kills are spread over it. */
const ROLLOUT_MS = 5000;
const AT_ONCE = 'env: [{name: DRAIN_SECONDS, value: "0"}]';

describe('an application that closes at once when it is asked to end', () => {
  let fleet: Fleet;
  let version = 1;

  before(async () => {
    fleet = await Fleet.start({
      name: 'ending',
      subnet: '198.18.25.0/24',
      podCIDR: '198.19.32.0/20',
      serviceCIDR: '198.19.48.0/20',
      nodes: NODES.length,
    });
    await fleet.write('apps/web.yaml', helloApp({ name: 'web', replicas: REPLICAS, container: AT_ONCE }));
    await fleet.commitAndPush('Run an app');
    await fleet.podsReady('web', REPLICAS);
  });
  after(async () => {
    await fleet?.close();
  });

  /** Failed requests while all pods are replaced by ones of the other version and `meanwhile` happens. */
  async function failuresWhileReplaced(meanwhile: () => Promise<void>): Promise<readonly string[]> {
    const url = `http://${await fleet.clusterIP('web')}/`;
    const loads = await Promise.all(NODES.map((node) => fleet.load(node, url, RATE)));
    version = 3 - version;
    await fleet.write(
      'apps/web.yaml',
      helloApp({ name: 'web', replicas: REPLICAS, version: String(version), container: AT_ONCE }),
    );
    await fleet.commitAndPush(`Version ${version}`);
    await meanwhile();
    await fleet.podsReady('web', REPLICAS, { image: `registry.lab/hello:${version}` });
    const results = await Promise.all(loads.map((load) => load.stop()));
    assert.ok(
      results.every(({ answers }) => (answers[`v${version}`] ?? 0) > 0),
      'the new version answers everywhere',
    );
    return results.flatMap(({ failures }, index) =>
      failures.map(({ startedAt, failure }) => `${NODES[index]} ${startedAt} ${failure}`),
    );
  }

  for (let round = 1; round <= REPEAT; round += 1) {
    it(`fails no request in a rolling update, round ${round}`, async () => {
      assert.deepEqual(await failuresWhileReplaced(async () => undefined), []);
    });

    it(`fails no request while a host is drained, round ${round}`, async () => {
      const url = `http://${await fleet.clusterIP('web')}/`;
      const on = async (): Promise<readonly string[]> =>
        (await fleet.podsReady('web', REPLICAS)).map(({ spec }) => spec.nodeName ?? '');
      const [drained = ''] = await on();
      const loads = await Promise.all(NODES.map((node) => fleet.load(node, url, RATE)));
      try {
        assert.equal((await fleet.plumb('node', 'drain', drained, '--commit')).code, 0);
        assert.equal((await fleet.push()).code, 0);
        const waited = await fleet.plumb('node', 'drain', drained, '--wait', '--timeout', '60');
        assert.equal(waited.code, 0, waited.stderr);
        assert.ok(!(await on()).includes(drained));
      } finally {
        await fleet.plumb('node', 'uncordon', drained, '--commit');
        await fleet.push();
      }
      const results = await Promise.all(loads.map((load) => load.stop()));
      assert.ok(results.every(({ sent }) => sent > RATE));
      assert.deepEqual(
        results.flatMap(({ failures }) => failures),
        [],
      );
    });

    const killedAfterMs = Math.round((ROLLOUT_MS * (round - 0.5)) / REPEAT);
    it(`fails no request where the control plane is killed after ${killedAfterMs} ms of it, round ${round}`, async () => {
      assert.deepEqual(
        await failuresWhileReplaced(async () => {
          await new Promise((resolve) => {
            setTimeout(resolve, killedAfterMs);
          });
          await fleet.stopControlPlane('SIGKILL');
          await fleet.startControlPlane();
        }),
        [],
      );
    });
  }
});
