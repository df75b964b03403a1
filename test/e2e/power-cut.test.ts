/**
 * A power cut of all hosts while no control plane runs: the nodes bring everything back alone. PLUMB_E2E_REPEAT=N runs
 * it N times on one fleet.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PodReport } from '../../contracts/agent/index.ts';
import { findCondition } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp } from './manifests.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const NODES = ['node-1', 'node-2'] as const;
const NODE_PORT = 30_080;
const PODS = 4;

describe('a power cut of all hosts without a control plane', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'e2epow',
      subnet: '198.18.21.0/24',
      podCIDR: '198.18.240.0/20',
      serviceCIDR: '198.19.224.0/19',
      nodes: NODES.length,
    });
    await fleet.write('apps/web.yaml', helloApp({ name: 'web', replicas: PODS, nodePort: NODE_PORT }));
    await fleet.commitAndPush('Add web');
    const pods = await fleet.podsReady('web', PODS);
    assert.equal(new Set(pods.map((pod) => pod.spec.nodeName)).size, NODES.length, 'every host has pods of it');
  });
  after(async () => {
    await fleet?.close();
  });

  /** As the hosts' agents see them. */
  async function podsOnHosts(): Promise<readonly PodReport[]> {
    const pods = (await Promise.all(NODES.map((node) => fleet.podsOn(node)))).flat();
    return pods.sort((a, b) => a.name.localeCompare(b.name));
  }
  const addresses = (pods: readonly PodReport[]): readonly string[] =>
    pods.map((pod) => `${pod.name} ${pod.uid} ${pod.status?.podIP}`);
  const containers = (pods: readonly PodReport[]): readonly string[] =>
    pods.flatMap((pod) =>
      (pod.status?.containerStatuses ?? []).map((c) => `${pod.name} ${c.containerID} ${c.restartCount}`),
    );

  /** From each host, at the port of each host, until every pod has answered; a request without an answer fails. */
  async function answerEverywhere(): Promise<void> {
    for (const from of NODES) {
      for (const { address } of fleet.lab.nodes) {
        const heard = new Set<string>();
        for (let asked = 0; heard.size < PODS; asked += 1) {
          assert.ok(asked < 200, `of ${PODS} pods only ${[...heard].join(', ')} answered`);
          const answer = await fleet.httpFrom(from, `http://${address}:${NODE_PORT}/`);
          const pod = /hello from v1, pod (web-\S+)/.exec(answer ?? '')?.[1];
          assert.ok(pod, `${from} asked ${address} and got ${answer ?? 'no answer'}`);
          heard.add(pod);
        }
      }
    }
  }

  for (let round = 1; round <= REPEAT; round += 1) {
    it(`${REPEAT > 1 ? `round ${round}: ` : ''}every pod keeps its address, Services answer on every host, and nothing restarts when the control plane is back`, async () => {
      // A host's rules follow its own pods, and those of others, a moment after they are Ready.
      await eventually('every pod answers through every host', 30, () => answerEverywhere().then(() => true));
      const before = await podsOnHosts();
      let alone: readonly PodReport[];
      await fleet.stopControlPlane();
      try {
        for (const node of NODES) await fleet.powerOff(node);
        for (const node of NODES) await fleet.powerOn(node);
        alone = await eventually('all pods are Ready again', 90, async () => {
          const pods = await podsOnHosts();
          return (
            pods.length === PODS &&
            pods.every((pod) => findCondition(pod.status?.conditions, 'Ready')?.status === 'True') &&
            pods
          );
        });
        assert.deepEqual(addresses(alone), addresses(before));
        await eventually('every pod answers through every host', 60, () => answerEverywhere().then(() => true));
      } finally {
        await fleet.startControlPlane();
      }
      await fleet.nodesReady(NODES);
      const status = await fleet.plumb('status', '--wait', '--timeout', '60');
      assert.equal(status.code, 0, status.stdout + status.stderr);
      await answerEverywhere();
      assert.deepEqual(containers(await podsOnHosts()), containers(alone));
    });
  }
});
