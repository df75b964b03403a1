/** Two control planes on one Redis: each does its share, and one does the other's when that is gone. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { controlPlane } from '../../../cli/control-plane.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import { type ControlPlane, startControlPlane } from '../../../reconciler/main.ts';
import { scratchRepository, type ScratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { FakeAgent, PAYLOADS } from '../../unit/nodes/fake-agent.ts';
import { CLUSTER, deployment } from '../git/sync-bench.ts';
import { inPatience, polled } from '../../support/patience.ts';

const PATIENCE_MS = 60_000;
const NODES = 12;
const META = '{plumb:main}:meta';

class Plane {
  readonly home = makeFolder('plumb-home-');
  readonly said: string[] = [];
  failed: Error | undefined;
  #plane: ControlPlane | undefined;

  async start(repo: string, redis: TestRedis, agents: ReadonlyMap<string, FakeAgent>): Promise<void> {
    const transport = new MemoryNodeTransport();
    for (const [address, agent] of agents) transport.machines.set(`${address}:22`, agent.machine);
    this.#plane = await startControlPlane({
      home: this.home,
      repo,
      branch: 'main',
      sourceName: 'main',
      version: '0',
      redis: `unix://${redis.connection.path ?? ''}`,
      transport,
      payloads: PAYLOADS,
      progress: (line) => this.said.push(line),
      signal: inPatience(PATIENCE_MS),
    });
    void this.#plane.failed.then((error) => {
      this.failed = error;
    });
  }

  status(): Promise<StatusReport | undefined> {
    return controlPlane(this.home)
      .get<StatusReport>('/plumbline/v1/status')
      .catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#plane?.close();
  }
}

describe('two control planes on one Redis', () => {
  let redis: TestRedis;
  let repository: ScratchRepository;
  let agents: Map<string, FakeAgent>;
  let planes: readonly [Plane, Plane];
  let newest: string;

  const push = (replicas: number): void => {
    const machines = [...agents.keys()].map((address, index) => ({
      path: `machines/n${index}.yaml`,
      content: [
        'apiVersion: plumbline.dev/v1alpha1',
        'kind: Machine',
        `metadata: { name: n${index} }`,
        `spec: { address: ${address}, hostKey: "ssh-ed25519 AAAA", user: root }`,
        '',
      ].join('\n'),
    }));
    newest = repository.commit([
      { path: 'plumbline.yaml', content: CLUSTER.replace('3600', '1') },
      { path: 'web.yaml', content: deployment('web', 'registry.lab/web:1', replicas) },
      ...machines,
    ]);
  };
  const held = (): number[] => [...agents.values()].map((agent) => agent.listeners);
  const eachNodeIsHeldOnce = (what: string): Promise<unknown> =>
    polled(
      () => `${what}: every node is held by one, not ${held().join(' ')}`,
      () => held().every((n) => n === 1) || undefined,
      {
        timeoutMs: PATIENCE_MS,
      },
    );
  /** Pods on the nodes, by uid. */
  const pods = (): string[] =>
    [...agents.values()].flatMap((agent) =>
      [...agent.objects.values()].flatMap((object) =>
        object.kind === 'Pod' && object.metadata.deletionTimestamp === undefined ? [object.metadata.uid ?? ''] : [],
      ),
    );
  const podsAre = (count: number): Promise<unknown> =>
    polled(
      () => `${count} pods are on the nodes, not ${pods().length}`,
      () => pods().length === count || undefined,
      {
        timeoutMs: PATIENCE_MS,
      },
    );

  beforeEach(async () => {
    redis = await startTestRedis();
    repository = scratchRepository();
    agents = new Map(Array.from({ length: NODES }, (_, index) => [`198.18.0.${index + 10}`, new FakeAgent()]));
    planes = [new Plane(), new Plane()];
    push(6);
    await planes[0].start(repository.dir, redis, agents);
    await eachNodeIsHeldOnce('alone');
    // The key that the second one needs.
    mkdirSync(planes[1].home, { recursive: true });
    copyFileSync(join(planes[0].home, 'seal.key'), join(planes[1].home, 'seal.key'));
  });
  afterEach(async () => {
    await Promise.all(planes.map((plane) => plane.close()));
    await redis.close();
    repository.remove();
    for (const { home } of planes) rmSync(home, { recursive: true, force: true });
  });

  it('share the nodes, do what a commit asks once, and hand over when one stops', async () => {
    await podsAre(6);
    await planes[1].start(repository.dir, redis, agents);
    const shares = (): Promise<(string | null)[]> =>
      redis.client.hmget(META, ...Array.from({ length: 16 }, (_, shard) => `lease:shard-${shard}`));
    await polled(
      'each has half of the shards',
      async () => {
        const holders = await shares();
        return (new Set(holders).size === 2 && !holders.includes(null)) || undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
    await eachNodeIsHeldOnce('together');
    for (const replicas of [20, 3, 15]) {
      push(replicas);
      await podsAre(replicas);
    }
    assert.equal(new Set(pods()).size, 15);
    await planes[0].close();
    await eachNodeIsHeldOnce('after one stopped');
    push(9);
    await podsAre(9);
    assert.equal((await planes[1].status())?.source.appliedRevision, newest);
  });

  it('when the store is lost, one rebuilds it and the other waits', async () => {
    await planes[1].start(repository.dir, redis, agents);
    await podsAre(6);
    await eachNodeIsHeldOnce('together');
    const before = new Set(pods());
    for (const { said } of planes) said.length = 0;
    await redis.client.flushall();
    await polled(
      () => `both go on; said: ${planes.map(({ said }) => said.join('; ')).join(' | ')}`,
      async () => planes.every(({ said }) => said.some((line) => line.startsWith('rebuilt'))) || undefined,
      { timeoutMs: PATIENCE_MS },
    );
    await eachNodeIsHeldOnce('rebuilt');
    await podsAre(6);
    assert.deepEqual(new Set(pods()), before, 'no pod was made anew');
    const recovered = planes.flatMap(({ said }) => said.filter((line) => line.startsWith('recovered from')));
    assert.equal(recovered.filter((line) => line.startsWith(`recovered from ${NODES} of`)).length, 1, recovered.join());
  });

  it('one that was expelled joins again', async () => {
    await planes[1].start(repository.dir, redis, agents);
    await eachNodeIsHeldOnce('together');
    const fields = await redis.client.hgetall(META);
    const [member] =
      Object.entries(fields).find(([field, value]) => field.startsWith('member:') && value.includes(planes[0].home)) ??
      [];
    assert.ok(member);
    await redis.client.hdel(META, member);
    await polled('it joins again', () => planes[0].said.includes('joined again') || undefined, {
      timeoutMs: PATIENCE_MS,
    });
    await eachNodeIsHeldOnce('again');
    push(10);
    await podsAre(10);
    assert.deepEqual(
      planes.map(({ failed }) => failed),
      [undefined, undefined],
    );
  });

  it('the second one begins also where a Node outlives all Machines', async () => {
    const store = new RedisObjectStore({
      connection: redis.connection,
      cluster: 'main',
      sealKey: readFileSync(join(planes[0].home, 'seal.key')),
      clock: new SystemClock(),
      ids: new CryptoIds(),
    });
    try {
      await store.open(inPatience(PATIENCE_MS));
      const metadata = { name: 'kept', finalizers: ['example.com/keep'] };
      const [made] = await store.write([
        { op: 'create', object: { apiVersion: 'v1', kind: 'Node', metadata, spec: {} } },
      ]);
      assert.ok(made?.ok);
    } finally {
      await store.close();
    }
    for (const left of [NODES / 2, 0]) {
      agents = new Map([...agents].slice(0, left));
      push(0);
      await polled(
        `${left} machines are left`,
        async () => (await planes[0].status())?.source.appliedRevision === newest || undefined,
        {
          timeoutMs: PATIENCE_MS,
        },
      );
    }
    await planes[1].start(repository.dir, redis, agents);
    // The Nodes of Machines that are gone follow those.
    let nodes: readonly string[] | undefined;
    await polled(
      () => `one Node is left, not ${nodes?.join()}`,
      async () => (nodes = (await planes[1].status())?.nodes.map(({ name }) => name))?.join() === 'kept',
      { timeoutMs: PATIENCE_MS },
    );
  });

  it('one with another seal key is told what it needs', async () => {
    rmSync(join(planes[1].home, 'seal.key'));
    await assert.rejects(planes[1].start(repository.dir, redis, agents), {
      code: 'SealBroken',
      message: /share a seal\.key: copy it from that control plane's home/,
    });
    await eachNodeIsHeldOnce('still');
  });
});
