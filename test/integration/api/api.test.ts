import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { join } from 'node:path';
import { Duplex as DuplexStream, PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EXEC_UPGRADE } from '../../../contracts/agent/index.ts';
import { objectKey, PodSpec, type Pod, type Secret } from '../../../contracts/objects/index.ts';
import { type ApiServer, type HistoryReport, startApi, type StatusReport } from '../../../reconciler/api/index.ts';
import type {
  BlameReport,
  ErrorStatus,
  ExplainReport,
  ObjectList,
  PlanReport,
  RebalanceReport,
} from '../../../reconciler/api/types.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { rebalance } from '../../../reconciler/controllers/descheduling/rebalance.ts';
import type { PlacementExplanation } from '../../../reconciler/core/scheduling/explain.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { planRevision } from '../../../reconciler/controllers/sync/index.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import type { NodeConnection } from '../../../reconciler/ports/node-transport.ts';
import { node } from '../../unit/controllers/objects.ts';
import { makeFolder } from '../../support/folder.ts';
import { CLUSTER, deployment, type SyncBench, syncBench } from '../git/sync-bench.ts';
import { crowd } from './crowd.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);
/** Asks for more than any node has. */
const big = `${deployment('big', 'x:1')}          resources: {requests: {cpu: "64"}}\n`;

describe('API on a Unix socket', () => {
  let bench: SyncBench;
  let api: ApiServer;
  let home: string;
  let asked: string[];

  /** A node whose agent answers logs and echoes exec. */
  const connection = {
    async httpStream(_socket: string, path: string) {
      asked.push(path);
      return { status: 200, body: Readable.from(['line one\n', 'line two\n']) };
    },
    async httpUpgrade(_socket: string, path: string): Promise<Duplex> {
      asked.push(path);
      const [near, far] = [new PassThrough(), new PassThrough()];
      near.pipe(far);
      return DuplexStream.from({ writable: near, readable: far });
    },
  } as unknown as NodeConnection;

  beforeEach(async () => {
    bench = await syncBench();
    home = makeFolder('plumb-api-');
    asked = [];
    const { git, cache, sync, writer } = bench;
    api = await startApi(join(home, 'control.sock'), {
      view: cache,
      git,
      sourceName: 'main',
      info: { version: '0', pid: 1, startedAt: '2026-01-01T00:00:00Z', home, warnings: [] },
      keySet: { keys: [] },
      storeProblem: () => undefined,
      measure: async () => new Map(),
      clock: new SystemClock(),
      log: SILENT_LOG,
      plan: (rev, format, s) => planRevision(sync.reader, git, cache, 'main', { rev, format, now: new Date() }, s),
      explainPlacement: (pod) => PendingPods.of(cache).explain(pod),
      rollback: (order, s) => sync.rollBack(order, s),
      rebalance: (order, s) =>
        rebalance(
          {
            view: cache,
            clock: new SystemClock(),
            execute: (steps, during) => writer.attempt(steps, 'descheduler', during),
          },
          order,
          s,
        ),
      submit: (steps, by, s) => writer.submit(steps, by, s),
      connectionTo: (node) => (node === 'node-1' ? connection : undefined),
      onChange: (listener) => cache.subscribe(listener),
    });
  });
  afterEach(async () => {
    await api.close();
    await bench.close();
    assert.equal(existsSync(api.socket), false);
    rmSync(home, { recursive: true, force: true });
  });

  async function ask<T>(
    path: string,
    method = 'GET',
    body?: unknown,
  ): Promise<{ status: number; body: T; text: string }> {
    const call = request({
      socketPath: api.socket,
      path,
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    return { status: answer.statusCode ?? 0, body: parsed as T, text };
  }

  function pod(name: string, node?: string): Pod {
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: 'web' } },
      spec: PodSpec.parse({
        containers: [{ name: 'web', image: 'x:1' }],
        ...(node !== undefined && { nodeName: node }),
      }),
    };
  }

  async function appliedCommit(replicas = 0): Promise<string> {
    const sha = bench.repository.commit([
      { path: 'plumbline.yaml', content: CLUSTER },
      { path: 'web.yaml', content: deployment('web', 'x:1', replicas) },
    ]);
    await bench.until(() => bench.status()?.appliedRevision === sha, 'applied');
    return sha;
  }

  it('is open to nobody else', () => {
    assert.equal(statSync(api.socket).mode & 0o777, 0o600);
  });

  it('tells those who verify tokens of pods the issuer and its keys', async () => {
    await appliedCommit();
    const { body } = await ask<Record<string, unknown>>('/.well-known/openid-configuration');
    const issuer = 'https://kubernetes.default.svc.cluster.local';
    assert.deepEqual([body['issuer'], body['jwks_uri']], [issuer, `${issuer}/openid/v1/jwks`]);
    assert.deepEqual((await ask('/openid/v1/jwks')).body, { keys: [] });
  });

  it('lists and gets objects as Kubernetes does, and says no as Kubernetes does', async () => {
    await appliedCommit();
    const list = await ask<ObjectList>('/apis/apps/v1/namespaces/default/deployments');
    assert.deepEqual(
      list.body.items.map((o) => o.metadata.name),
      ['web'],
    );
    assert.equal((await ask<ObjectList>('/apis/apps/v1/deployments?labelSelector=app%3Dother')).body.items.length, 0);
    assert.equal((await ask<{ kind: string }>('/apis/plumbline.dev/v1alpha1/sources/main')).body.kind, 'Source');
    const missing = await ask<{ kind: string; reason: string; code: number }>(
      '/apis/apps/v1/namespaces/default/deployments/none',
    );
    assert.deepEqual([missing.status, missing.body.kind, missing.body.reason], [404, 'Status', 'NotFound']);
    assert.equal((await ask('/apis/example.com/v1/things')).status, 404);
    assert.equal((await ask('/api/v1/namespaces/default/pods/x', 'PUT')).status, 405);
  });

  it("leaves out a Secret's values unless it is asked for by name", async () => {
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'default' },
      type: 'Opaque',
      data: { password: 'aHVudGVyMg==' },
    };
    await bench.writer.submit([{ do: 'create', object: secret }], 'test', signal);
    for (const path of [
      '/api/v1/secrets',
      '/api/v1/secrets?reveal=true',
      '/api/v1/namespaces/default/secrets/key',
      '/plumbline/v1/status',
      '/plumbline/v1/explain?kind=secret&name=key',
    ]) {
      const { text, status } = await ask(path);
      assert.equal(status, 200, path);
      assert.equal(text.includes('aHVudGVyMg'), false, path);
    }
    assert.deepEqual((await ask<Secret>('/api/v1/namespaces/default/secrets/key?reveal=true')).body.data, {
      password: 'aHVudGVyMg==',
    });
  });

  it('tells the status, and holds the answer back until something changed', async () => {
    const before = (await ask<StatusReport>('/plumbline/v1/status')).body;
    assert.equal(before.synced, false);
    const held = ask<StatusReport>(
      `/plumbline/v1/status?wait=20&seen=${encodeURIComponent(JSON.stringify(before.missing))}`,
    );
    const sha = await appliedCommit(2);
    const after = (await held).body;
    assert.notDeepEqual(after.missing, before.missing);
    const { body } = await ask<StatusReport>('/plumbline/v1/status');
    assert.deepEqual([body.source.head, body.synced, body.healthy], [sha, true, false]);
    assert.match(body.missing.join(), /Deployment default\/web is Progressing/);
  });

  it('blames an object on the commit in force that changed it, and nobody for what is in no manifest', async () => {
    const sha = await appliedCommit();
    const { body } = await ask<BlameReport>('/plumbline/v1/blame?kind=deploy&name=web');
    assert.deepEqual(
      [body.commit.revision, body.change, body.origin, body.manifestOf, body.owners],
      [sha, 'added', { file: 'web.yaml', line: 1 }, 'Deployment web', []],
    );
    await bench.writer.submit([{ do: 'create', object: pod('alone') }], 'test', signal);
    for (const [query, status, words] of [
      ['kind=pod&name=alone', 404, /comes from no manifest/],
      ['kind=pod&name=none', 404, /there is no Pod default\/none/],
      ['kind=wombat&name=a', 400, /no built-in kind/],
    ] as const) {
      const answer = await ask<ErrorStatus>(`/plumbline/v1/blame?${query}`);
      assert.equal(answer.status, status, query);
      assert.match(answer.body.message, words);
    }
  });

  it('is not synced while the newest commit is refused, and says where', async () => {
    await appliedCommit();
    const bad = bench.repository.commit([
      { path: 'web.yaml', content: deployment('web').replace('replicas', 'replica') },
    ]);
    await bench.until(() => bench.record(bad)?.outcome === 'Refused', 'refused');
    const { body } = await ask<StatusReport>('/plumbline/v1/status');
    assert.equal(body.synced, false);
    assert.match(body.missing[0] ?? '', /was refused: web\.yaml:6:3 UnknownField/);
    const explained = (await ask<ExplainReport>('/plumbline/v1/explain?kind=deploy&name=web')).body;
    assert.match(explained.broken ?? '', /refused: web\.yaml:6:3/);
  });

  it('plans a revision against the live state, and refuses one that is not there', async () => {
    await appliedCommit();
    bench.repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: deployment('web', 'x:2', 0) },
      ],
      { branch: 'next' },
    );
    const report = (await ask<PlanReport>('/plumbline/v1/plan?rev=next')).body;
    assert.equal(report.refused, false);
    assert.match(report.plan ?? '', /x:1 -> x:2/);
    const none = await ask<{ reason: string; message: string }>('/plumbline/v1/plan?rev=nothing');
    assert.deepEqual([none.status, none.body.reason], [422, 'RevisionNotFound']);
    assert.match(none.body.message, /; it was looked for in .*: push it there first$/);
  });

  it('plans where new pods would go, and warns of those that would not fit', async () => {
    await bench.writer.submit(
      [
        { do: 'create', object: node('node-1') },
        { do: 'create', object: node('node-2') },
      ],
      'test',
      signal,
    );
    await appliedCommit();
    bench.repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: deployment('web', 'x:1', 3) },
        { path: 'big.yaml', content: big },
      ],
      { branch: 'next' },
    );
    const { plan, refused } = (await ask<PlanReport>('/plumbline/v1/plan?rev=next')).body;
    assert.equal(refused, false);
    assert.match(
      plan ?? '',
      /\nPlacement: 3 pods get a place, 1 would not fit \(on the present state of 2 nodes\)\n {2}Deployment\/default\/web: node-1 x\d, node-2 x\d\n/,
    );
    assert.match(
      plan ?? '',
      /\n {2}warning: 1 of 1 pod of Deployment\/default\/big would not fit: 0\/2 nodes are available: 2 Insufficient cpu\.\n/,
    );
    const json = JSON.parse((await ask<PlanReport>('/plumbline/v1/plan?rev=next&format=json')).body.plan ?? '') as {
      placement: Forecast;
    };
    assert.deepEqual(
      json.placement.unplaced.map(({ workload, verdicts }) => [workload, verdicts.length]),
      [['Deployment/default/big', 2]],
    );
    const markdown = (await ask<PlanReport>('/plumbline/v1/plan?rev=next&format=markdown')).body.plan;
    assert.match(markdown ?? '', /\n\*\*Placement:\*\* 3 pods get a place, 1 would not fit/);
  });

  it('tells why a pod is where it is, or nowhere', async () => {
    await bench.writer.submit(
      [
        { do: 'create', object: node('node-1') },
        { do: 'create', object: pod('a', 'node-1') },
        { do: 'create', object: pod('b') },
      ],
      'test',
      signal,
    );
    const placed = (await ask<PlacementExplanation>('/api/v1/namespaces/default/pods/a/placement')).body;
    assert.equal(placed.is === 'placed' && placed.ranking[0]?.own, true);
    const waiting = (await ask<PlacementExplanation>('/api/v1/namespaces/default/pods/b/placement')).body;
    assert.equal(waiting.is === 'waiting' && waiting.queue?.part, 'active');
    assert.equal((await ask('/api/v1/namespaces/default/pods/c/placement')).status, 404);
    const explained = (await ask<ExplainReport>('/plumbline/v1/explain?kind=pod&name=b')).body;
    assert.deepEqual(explained.pods[0]?.placement, waiting);
  });

  it('rolls back to what was in force before, by a commit', async () => {
    const first = await appliedCommit(0);
    const second = await appliedCommit(1);
    const author = { name: 'Ada', email: 'ada@example.test' };
    const prepared = await ask<{ commit?: unknown; restored: string; message: string }>(
      '/plumbline/v1/rollback',
      'POST',
      { author, message: 'Back', prepare: true },
    );
    assert.deepEqual(prepared.body, { restored: first, message: 'Back' });
    const { body, status } = await ask<{ commit: { sha: string; parents: string[] }; restored: string }>(
      '/plumbline/v1/rollback',
      'POST',
      { author },
    );
    assert.equal(status, 200);
    assert.deepEqual([body.restored, body.commit.parents], [first, [second]]);
    await bench.until(() => bench.status()?.appliedRevision === body.commit.sha, 'rolled back');
    assert.equal(bench.cache.get('deployments.apps/default/web')?.spec.replicas, 0);
    const { history } = (await ask<HistoryReport>('/plumbline/v1/history')).body;
    assert.deepEqual(
      history.map((r) => r.revision),
      [body.commit.sha, second, first],
    );
    assert.equal((await ask('/plumbline/v1/rollback', 'POST', { revision: body.commit.sha, author })).status, 422);
    assert.equal((await ask('/plumbline/v1/rollback', 'POST', { revision: 3 })).status, 400);
  });

  it("passes a pod's log and exec through to its node", async () => {
    await bench.writer.submit(
      [
        { do: 'create', object: pod('a', 'node-1') },
        { do: 'create', object: pod('b', 'node-2') },
        { do: 'create', object: pod('c') },
      ],
      'test',
      signal,
    );
    const log = await ask('/api/v1/namespaces/default/pods/a/log?tailLines=2&previous=true');
    assert.equal(log.text, 'line one\nline two\n');
    assert.equal(asked[0], '/v1/logs?namespace=default&pod=a&container=web&previous=true&tail=2');
    assert.equal((await ask('/api/v1/namespaces/default/pods/b/log')).status, 503);
    assert.equal((await ask('/api/v1/namespaces/default/pods/c/log')).status, 409);
    assert.equal((await ask('/api/v1/namespaces/default/pods/d/log')).status, 404);
    assert.equal((await ask('/api/v1/namespaces/default/pods/a/log?container=nope')).status, 400);

    const call = request({
      socketPath: api.socket,
      path: '/api/v1/namespaces/default/pods/a/exec?command=echo&command=a%20b&stdin=true',
      headers: { connection: 'Upgrade', upgrade: EXEC_UPGRADE },
    });
    call.end();
    const [, socket] = (await once(call, 'upgrade')) as [unknown, Duplex];
    socket.write('ping');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    assert.equal(echo.toString(), 'ping');
    assert.equal(asked.at(-1), '/v1/exec?namespace=default&pod=a&container=web&stdin=true&command=echo&command=a+b');
    socket.destroy();
    const refused = request({
      socketPath: api.socket,
      path: '/api/v1/namespaces/default/pods/b/exec?command=x',
      headers: { connection: 'Upgrade', upgrade: EXEC_UPGRADE },
    });
    refused.end();
    const [answer] = (await once(refused, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 503);
    answer.resume();
  });

  it("sets a pod's conditions that others own, and no other", async () => {
    await bench.writer.submit([{ do: 'create', object: pod('a', 'node-1') }], 'test', signal);
    const path = '/api/v1/namespaces/default/pods/a/status';
    const set = (type: string, status: unknown = 'True') =>
      ask<Pod>(path, 'PATCH', { status: { conditions: [{ type, status }] } });
    const done = await set('example.com/in-rotation');
    assert.deepEqual(
      [done.status, done.body.status?.conditions?.map(({ type }) => type)],
      [200, ['example.com/in-rotation']],
    );
    assert.equal((await set('Ready')).status, 422);
    assert.equal((await set('example.com/in-rotation', 'Maybe')).status, 400);
    assert.equal((await ask(path, 'PATCH', { status: { phase: 'Running' } })).status, 400);
    assert.equal((await ask(path.replace('/a/', '/b/'), 'PATCH', { status: { conditions: [] } })).status, 400);
    assert.equal(bench.cache.get('pods/default/a')?.status?.conditions?.length, 1);
  });

  it('puts containers into a pod, past Git', async () => {
    await bench.writer.submit([{ do: 'create', object: pod('a', 'node-1') }], 'test', signal);
    const path = '/api/v1/namespaces/default/pods/a/ephemeralcontainers';
    const put = (container: object) => ask<Pod>(path, 'PATCH', { spec: { ephemeralContainers: [container] } });
    const done = await put({ name: 'look', image: 'x:1', targetContainerName: 'web' });
    assert.deepEqual([done.status, done.body.spec.ephemeralContainers?.map(({ name }) => name)], [200, ['look']]);
    assert.equal(done.body.metadata.generation, 2);
    assert.equal((await put({ name: 'look', image: 'x:2' })).status, 422);
    assert.equal((await put({ name: 'more', image: 'x:1', ports: [{ containerPort: 80 }] })).status, 400);
    assert.equal(bench.cache.get('pods/default/a')?.spec.ephemeralContainers?.length, 1);
  });

  it('deletes a pod and nothing else', async () => {
    await appliedCommit();
    await bench.writer.submit([{ do: 'create', object: pod('a') }], 'test', signal);
    const path = '/api/v1/namespaces/default/pods/a';
    assert.equal((await ask(`${path}?propagationPolicy=Sideways`, 'DELETE')).status, 400);
    assert.equal((await ask(`${path}?propagationPolicy=Orphan`, 'DELETE')).status, 200);
    assert.deepEqual(bench.cache.get(objectKey('Pod', 'default', 'a'))?.metadata.finalizers, ['orphan']);
    assert.equal((await ask(`${path}?propagationPolicy=Background`, 'DELETE')).status, 200);
    assert.equal(bench.cache.get('pods/default/a'), undefined);
    assert.equal((await ask('/api/v1/namespaces/default/pods/a', 'DELETE')).status, 404);
    assert.equal((await ask('/apis/apps/v1/namespaces/default/deployments/web', 'DELETE')).status, 405);
  });

  it('lets a pod on a node have another grace period, and with none forgets it without the word of its node', async () => {
    await appliedCommit();
    await bench.writer.submit([{ do: 'create', object: pod('a', 'node-1') }], 'test', signal);
    const path = '/api/v1/namespaces/default/pods/a';
    const seconds = (): number | undefined =>
      bench.cache.get(objectKey('Pod', 'default', 'a'))?.metadata.deletionGracePeriodSeconds;
    for (const wrong of ['-1', 'x', '3000000000'])
      assert.equal((await ask(`${path}?gracePeriodSeconds=${wrong}`, 'DELETE')).status, 400);
    assert.equal((await ask(`${path}?gracePeriodSeconds=7`, 'DELETE')).status, 200);
    assert.equal(seconds(), 7);
    assert.equal((await ask(`${path}?gracePeriodSeconds=0`, 'DELETE')).status, 200);
    assert.equal(bench.cache.get('pods/default/a'), undefined);
  });

  it('shows which pods should be elsewhere, and evicts them within their budget when told to', async () => {
    await bench.writer.submit(crowd(4), 'test', signal);
    const plan = (
      await ask<RebalanceReport>('/plumbline/v1/rebalance?plugin=RemoveDuplicates&plugin=LowNodeUtilization')
    ).body;
    assert.deepEqual([plan.policy, plan.plugins], [undefined, ['RemoveDuplicates', 'LowNodeUtilization']]);
    assert.deepEqual(
      plan.moves.map(
        ({ pod: { namespace, name }, from, to, plugin: by }) => `${namespace}/${name} ${from} ${to} ${by}`,
      ),
      ['default/web-0 node-1 node-2 RemoveDuplicates'],
    );
    assert.match(plan.skipped[0]?.obstacle ?? '', /disruption budget web/);
    assert.equal(
      bench.cache.list('Pod').some(({ metadata }) => metadata.deletionTimestamp !== undefined),
      false,
    );
    const done = (await ask<RebalanceReport>('/plumbline/v1/rebalance', 'POST', { plugins: ['RemoveDuplicates'] }))
      .body;
    assert.deepEqual([done.evicted, done.refused], [[{ namespace: 'default', name: 'web-0' }], []]);
    assert.notEqual(bench.cache.get('pods/default/web-0')?.metadata.deletionTimestamp, undefined);
    assert.deepEqual(
      Object.keys(bench.cache.get('poddisruptionbudgets.policy/default/web')?.status?.disruptedPods ?? {}),
      ['web-0'],
    );
    assert.deepEqual(
      (await ask<RebalanceReport>('/plumbline/v1/rebalance', 'POST', {})).body.evicted,
      [],
      'the budget is used up',
    );
    assert.equal((await ask('/plumbline/v1/rebalance?plugin=Nothing')).status, 400);
    assert.equal((await ask('/plumbline/v1/rebalance', 'POST', { plugins: ['Nothing'] })).status, 400);
  });

  it('leaves nothing of a request on a connection that serves many', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => {
      warnings.push(warning);
    };
    process.on('warning', listen);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (let n = 0; n < 30; n += 1) {
        const answered = once(
          request({ socketPath: api.socket, path: '/plumbline/v1/status', agent }).end(),
          'response',
        ) as Promise<[IncomingMessage]>;
        const [answer] = await answered;
        assert.equal(answer.statusCode, 200);
        await once(answer.resume(), 'end');
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      assert.deepEqual(
        warnings.map(({ name, message }) => `${name}: ${message}`),
        [],
      );
    } finally {
      agent.destroy();
      process.off('warning', listen);
    }
  });

  it('refuses a second server on the same socket, and replaces one that is dead', async () => {
    await assert.rejects(startApi(api.socket, {} as never), /already answers/);
  });
});
