import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import {
  DeschedulerPolicyManifest,
  DRAIN_TAINT,
  objectKey,
  PodSpec,
  type Node,
  type Pod,
  type StoredNode,
} from '../../../contracts/objects/index.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import type { RebalanceReport } from '../../../reconciler/api/types.ts';
import { crowd } from '../api/crowd.ts';
import type { ExplainReport } from '../../../reconciler/api/types.ts';
import { node } from '../../unit/controllers/objects.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { CLUSTER, deployment, type SyncBench } from '../git/sync-bench.ts';
import { apiBench, type ApiBench } from './api-bench.ts';
import { git, plumb, run as runIn, type Ran } from './cli-bench.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

describe('commands about a running cluster', () => {
  let bench: SyncBench;
  let api: ApiBench;
  let home: string;
  const run = (...args: string[]): Promise<Ran> => api.run(...args);

  before(buildCli);
  beforeEach(async () => {
    api = await apiBench();
    ({ bench, home } = api);
  });
  afterEach(() => api.close());

  async function applied(image: string, replicas = 0): Promise<string> {
    const sha = bench.repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: deployment('web', image, replicas) },
      ],
      { message: `Use ${image}` },
    );
    await bench.until(() => bench.status()?.appliedRevision === sha, 'applied');
    return sha;
  }

  async function settle(replicas: number): Promise<void> {
    const object = bench.cache.get('deployments.apps/default/web');
    assert.ok(object);
    const status = {
      observedGeneration: object.metadata.generation,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      unavailableReplicas: 0,
    };
    await bench.writer.submit([{ do: 'updateStatus', object: { ...object, status } }], 'test', signal);
  }

  it('status is 0 only when the newest revision is applied and healthy, and --wait waits for that', async () => {
    assert.equal((await run('status')).code, 1);
    await applied('x:1', 2);
    const unhealthy = await run('status');
    assert.equal(unhealthy.code, 1);
    assert.match(unhealthy.stdout, /Deployment\/web +default +Progressing/);
    const waiting = run('status', '--wait', '--timeout', '30');
    const gaveUp = await run('status', '--wait', '--timeout', '1');
    assert.equal(gaveUp.code, 1);
    assert.match(
      gaveUp.stderr,
      /waiting: \w{12} Applied, 1\/2 healthy: Deployment default\/web[\s\S]*gave up after 1 s/,
    );
    await settle(2);
    const done = await waiting;
    assert.equal(done.code, 0, done.stderr);
    const json = JSON.parse((await run('status', '-o', 'json')).stdout) as StatusReport;
    assert.deepEqual([json.synced, json.healthy, json.missing], [true, true, []]);
  });

  it('status --wait ends at once for a refused commit, with its place', async () => {
    const sha = bench.repository.commit([
      { path: 'web.yaml', content: deployment('web').replace('replicas', 'replica') },
    ]);
    await bench.until(() => bench.record(sha)?.outcome === 'Refused', 'refused');
    const { code, stdout, stderr } = await run('status', '--wait', '--timeout', '60');
    assert.equal(code, 1);
    assert.match(stdout, /web\.yaml:6:3 UnknownField/);
    assert.match(stderr, /waiting changes nothing/);
  });

  it('get prints columns, YAML and JSON, and says what is not there', async () => {
    await applied('x:1', 2);
    await api.makePod();
    assert.match((await run('get', 'deploy')).stdout, /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2/);
    assert.match(
      (await run('get', 'pods', '-A', '-o', 'wide')).stdout,
      /default +web-1 +0\/1 +CrashLoopBackOff +3 .*node-1/,
    );
    const inAll = await run('get', 'pod', 'web-1', '-A');
    assert.deepEqual([inAll.code, inAll.stdout], [2, '']);
    assert.equal((await run('get', 'source', 'main', '-A')).code, 0);
    const asYaml = (await run('get', 'deploy/web', '-o', 'yaml')).stdout;
    assert.match(asYaml, /kind: Deployment/);
    assert.doesNotMatch(asYaml, /managedFields/);
    const web = bench.cache.get(objectKey('Deployment', 'default', 'web'));
    assert.ok(web);
    const annotations = { ...web.metadata.annotations, 'deployment.kubernetes.io/revision': '1' };
    const marked = { ...web, metadata: { ...web.metadata, annotations } };
    const { signal } = new AbortController();
    await bench.writer.submit([{ do: 'update', object: marked }], 'deployment-controller', signal);
    const withOwners = (await run('get', 'deploy/web', '-o', 'yaml', '--show-managed-fields')).stdout;
    assert.match(withOwners, /managedFields:\n[\s\S]*manager: deployment-controller/);
    assert.equal((JSON.parse((await run('get', 'all', '-n', 'none')).stdout || '[]') as unknown[]).length, 0);
    const none = await run('get', 'pod', 'nothing');
    assert.equal(none.code, 1);
    assert.match(none.stderr, /pods "nothing" not found in namespace default/);
  });

  it('history and rollback', async () => {
    const first = await applied('x:1');
    await settle(0);
    const second = await applied('x:2');
    const back = await run('rollback');
    assert.equal(back.code, 0, back.stderr);
    const sha = back.stdout.slice(0, 40);
    await bench.until(() => bench.status()?.appliedRevision === sha, 'rolled back');
    assert.equal(bench.cache.get('deployments.apps/default/web')?.spec.template.spec.containers[0]?.image, 'x:1');
    const { stdout } = await run('history');
    assert.match(stdout, new RegExp(`\\* +${sha.slice(0, 12)} .*Roll back to "Use x:1"`));
    assert.match(stdout, new RegExp(`${first.slice(0, 12)} `));
    const one = await run('history', first.slice(0, 7));
    assert.deepEqual([one.code, one.stderr], [0, '']);
    assert.match(
      one.stdout,
      new RegExp(
        `^revision +${first}\\nsubject +Use x:1\\nauthor +Ada <ada@example.test>\\nseen +\\S+\\noutcome +.*\\nchanges +.*\\nmessage +replaced by \\w{12}\\nat its end +Healthy\\n`,
      ),
    );
    assert.equal(
      (JSON.parse((await run('history', first, '-o', 'json')).stdout) as { revision: string }).revision,
      first,
    );
    const at = await run('status', '--at', first.slice(0, 7));
    assert.deepEqual([at.code, at.stdout], [0, one.stdout]);
    // Its rollout was not over when it was replaced.
    assert.equal((await run('status', '--at', second)).code, 1);
    assert.equal((await run('status', '--at', second, '--wait')).code, 2);
    const unknown = await run('history', 'ffffffff');
    assert.deepEqual(
      [unknown.code, unknown.stdout, unknown.stderr],
      [1, '', 'error: no revision in the history begins with "ffffffff"\n  see `plumb history` for what there is\n'],
    );
    assert.equal((await run('rollback', 'nothing')).code, 1);
  });

  it('status --at tells git bisect which commit it was', async () => {
    const good = await applied('x:1');
    await settle(0);
    const [bad, worse] = [await applied('x:2'), await applied('x:3')];
    const clone = join(home, 'clone');
    await git(['clone', '-q', bench.repository.dir, clone], home);
    await git(['bisect', 'start', worse, good], clone);
    const command = `exec '${process.execPath}' '${PLUMB}' status --at "$(git rev-parse HEAD)"`;
    const { code, stdout, stderr } = await runIn('git', ['bisect', 'run', 'sh', '-c', command], clone, {
      PLUMB_HOME: home,
    });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, new RegExp(`^${bad} is the first bad commit$`, 'm'));
  });

  it('explain follows the chain to the container and its last lines', async () => {
    await applied('x:1');
    await api.makePod();
    const pod = await run('explain', 'pod/web-1');
    assert.equal(pod.code, 1);
    assert.match(pod.stdout, /CrashLoopBackOff: back-off 40s \(last run: Error, exit code 3\)/);
    assert.match(pod.stdout, /last run +first\n +second/);
    const web = await run('explain', 'deploy/web');
    assert.match(web.stdout, /commit +\w{12} Use x:1/);
    assert.match(web.stdout, /manifest +web\.yaml:1/);
  });

  it('node drain --wait says what keeps the pods, and ends when they are gone', async () => {
    const made: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' }, spec: {} };
    await bench.writer.submit([{ do: 'create', object: made }], 'test', signal);
    const node = (): StoredNode => bench.cache.get('nodes//node-1') ?? assert.fail('no node');
    const condition = (status: 'True' | 'False', message: string): Promise<void> =>
      bench.writer.submit(
        [
          {
            do: 'updateStatus',
            object: {
              ...node(),
              status: {
                conditions: [
                  { type: 'Ready', status: 'True' },
                  { type: 'Drained', status, message },
                ],
              },
            },
          },
        ],
        'test',
        signal,
      );
    const early = await run('node', 'drain', 'node-1', '--wait', '--timeout', '1');
    assert.equal(early.code, 1);
    assert.match(
      early.stderr,
      /waiting: node node-1 is not being drained yet: push the change[\s\S]*not drained after 1 s/,
    );
    await bench.writer.submit(
      [{ do: 'update', object: { ...node(), spec: { taints: [{ key: DRAIN_TAINT, effect: 'NoExecute' }] } } }],
      'test',
      signal,
    );
    await condition(
      'False',
      "1 pod is left; pod default/web-1: Cannot evict pod as it would violate the pod's disruption budget.",
    );
    assert.match(
      (await run('node', 'ls')).stdout,
      /node-1 .*True .*draining: 1 pod is left; pod default\/web-1: Cannot evict/,
    );
    const waiting = run('node', 'drain', 'node-1', '--wait', '--timeout', '60');
    const gaveUp = await run('node', 'drain', 'node-1', '--wait', '--timeout', '1');
    assert.equal(gaveUp.code, 1);
    assert.match(
      gaveUp.stderr,
      /waiting: 1 pod is left; pod default\/web-1: Cannot evict pod as it would violate the pod's disruption budget/,
    );
    await condition('True', 'no pod is left that has to leave');
    const done = await waiting;
    assert.deepEqual([done.code, done.stdout], [0, 'node node-1 is drained\n'], done.stderr);
    assert.equal((await run('node', 'drain', 'nothing', '--wait')).code, 1);
  });

  it('get and explain know what decides over placement', async () => {
    const budget =
      'apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec:\n  minAvailable: 1\n  selector: {matchLabels: {app: web}}\n';
    const settings =
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{}, {schedulerName: batch}]\n---\n' +
      'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 100\n';
    const sha = bench.repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: budget },
        { path: 'settings.yaml', content: settings },
      ],
      { message: 'Guard web' },
    );
    await bench.until(() => bench.status()?.appliedRevision === sha, 'applied');
    assert.match(
      (await run('get', 'pdb')).stdout,
      /^NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE\nweb +1 +N\/A +0 /,
    );
    assert.match(
      (await run('get', 'priorityclasses')).stdout,
      /^NAME +VALUE +GLOBAL-DEFAULT +AGE +PREEMPTIONPOLICY\nhigh +100 +false +\d+s +PreemptLowerPriority/,
    );
    assert.match((await run('get', 'kubeschedulerconfigurations')).stdout, /\ndefault +default-scheduler,batch /);
    assert.match((await run('explain', 'pc/high')).stdout, /commit +\w{12} Guard web[\s\S]*manifest +settings\.yaml:5/);
    const explained = await run('explain', 'pdb/web');
    assert.match(explained.stdout, /manifest +web\.yaml:1/);
    assert.match(explained.stdout, /its pods have not been counted yet/);
  });

  it('rebalance shows a plan, and evicts with --apply', async () => {
    assert.equal((await run('rebalance')).stdout, 'Nothing to move.\n');
    await bench.writer.submit(crowd(2), 'test', signal);
    const shown = await run('rebalance');
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(
      shown.stdout,
      /^POD +FROM +TO +WHY\ndefault\/web-0 +node-1 +node-2 +RemoveDuplicates: 2 of 2 pods of ReplicaSet web are on node-1, .*\n\nNothing was changed: evict them with --apply\.\n$/,
    );
    const json = JSON.parse(
      (await run('rebalance', '--plugin', 'LowNodeUtilization', 'RemoveDuplicates', '-o', 'json')).stdout,
    ) as RebalanceReport;
    assert.deepEqual([json.plugins, json.moves.length], [['RemoveDuplicates', 'LowNodeUtilization'], 1]);
    const unknown = await run('rebalance', '--plugin', 'Nothing');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no plugin Nothing\n {2}known: RemovePodsViolatingNodeTaints, /);
    const applied = await run('rebalance', '--apply');
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /Evicted 1 pod; /);
    assert.notEqual(bench.cache.get('pods/default/web-0')?.metadata.deletionTimestamp, undefined);
  });

  it('rebalance ends with 1 where the policy has mistakes, and evicts nothing then', async () => {
    const object = DeschedulerPolicyManifest.parse({
      apiVersion: 'descheduler/v1alpha2',
      kind: 'DeschedulerPolicy',
      profiles: [{ name: 'p', pluginConfig: [{ name: 'LowNodeUtilization', args: { numberOfNode: 1 } }] }],
    });
    await bench.writer.submit([...crowd(2), { do: 'create', object }], 'test', signal);
    const shown = await run('rebalance');
    assert.deepEqual([shown.code, shown.stdout], [1, 'Nothing to do: the DeschedulerPolicy enables no plugin.\n']);
    assert.match(
      shown.stderr,
      /DeschedulerPolicy default: profiles\[0\]\.pluginConfig\[0\]\.args has no field numberOfNode/,
    );
    const applied = await run('rebalance', '--apply', '--plugin', 'RemoveDuplicates');
    assert.equal(applied.code, 1);
    assert.match(applied.stderr, /error: nothing was evicted/);
    assert.equal(bench.cache.get('pods/default/web-0')?.metadata.deletionTimestamp, undefined);
  });

  it('explain tells where a pod could go, node by node, and how good its own node is', async () => {
    const tainted = node('node-2', { spec: { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' }] } });
    const waiting: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'big', namespace: 'default' },
      spec: PodSpec.parse({ containers: [{ name: 'web', image: 'x:1', resources: { requests: { cpu: '4' } } }] }),
    };
    await bench.writer.submit(
      [
        { do: 'create', object: node('node-1') },
        { do: 'create', object: tainted },
        { do: 'create', object: waiting },
      ],
      'test',
      signal,
    );
    await api.makePod();
    const big = await run('explain', 'pod/big');
    assert.equal(big.code, 1);
    assert.match(
      big.stdout,
      /\n {2}placement +0\/2 nodes are available: 1 Insufficient cpu, 1 node\(s\) had untolerated taint \{gpu: true\}\.\n {13}1 Insufficient cpu\n {15}node-1: cpu: asks for 4000m, 2000m of 2000m is free\n/,
    );
    assert.match(
      big.stdout,
      /\n {2}queue +active: it is tried as soon as it is its turn; there for \d+s, not tried yet\n/,
    );
    const web = await run('explain', 'pod/web-1');
    assert.match(
      web.stdout,
      /\n {2}placement +if it were placed again now, 1 of 2 nodes would have it, and node-1 would be the best\n/,
    );
    assert.match(web.stdout, /\n {13}RANK +NODE +TOTAL .*NodeResourcesFit x1.*\n {13}1 +node-1 \(its node\) +\d+\.\d/);
    const json = JSON.parse((await run('explain', 'pod/big', '-o', 'json')).stdout) as ExplainReport;
    assert.deepEqual(
      json.pods[0]?.placement?.is === 'waiting' &&
        json.pods[0].placement.verdicts.map(({ node: name, plugin }) => `${name} ${plugin}`),
      ['node-1 NodeResourcesFit', 'node-2 TaintToleration'],
    );
  });

  it('plan --live shows where new pods would go, and is 0 even if some would not fit', async () => {
    await bench.writer.submit([{ do: 'create', object: node('node-1') }], 'test', signal);
    await applied('x:1');
    bench.repository.commit(
      [
        { path: 'plumbline.yaml', content: CLUSTER },
        { path: 'web.yaml', content: deployment('web', 'x:1', 200) },
      ],
      { branch: 'next' },
    );
    const planned = await run('plan', '--live', '--to', 'next');
    assert.equal(planned.code, 0, planned.stderr);
    assert.match(
      planned.stdout,
      /\nPlacement: 110 pods get a place, 90 would not fit \(on the present state of 1 node\)\n {2}Deployment\/default\/web: node-1 x110\n {2}warning: 90 of 200 pods of .*: 0\/1 nodes are available: 1 Too many pods\.\n/,
    );
    assert.doesNotMatch((await run('plan', '--live')).stdout, /Placement/);
  });

  it('plan --live says first of which commit it is, in a checkout that has something else', async () => {
    const pushed = await applied('x:1');
    const checkout = join(home, 'checkout');
    await git(['clone', '--quiet', bench.repository.dir, checkout], home);
    const live = (...more: string[]): Promise<Ran> =>
      plumb(['plan', '--live', ...more], checkout, { PLUMB_HOME: home });
    const same = await live();
    assert.deepEqual([same.stdout, same.stderr], ['no changes\n', '']);
    appendFileSync(join(checkout, 'web.yaml'), '# changed\n');
    writeFileSync(join(checkout, 'new.yaml'), '');
    assert.equal(
      (await live()).stdout,
      `this is the plan of ${pushed.slice(0, 12)}, which was pushed; new.yaml, web.yaml here are not committed\nno changes\n`,
    );
    await git(['add', '.'], checkout);
    await git(['commit', '--quiet', '-m', 'Ahead'], checkout);
    const head = (await git(['rev-parse', 'HEAD'], checkout)).stdout.slice(0, 12);
    const first = `this is the plan of ${pushed.slice(0, 12)}, which was pushed; HEAD here is ${head}: push it to a branch, and name that with --to\n`;
    assert.equal((await live()).stdout, `${first}no changes\n`);
    const json = await live('-o', 'json');
    assert.equal(json.stderr, `note: ${first}`);
    assert.deepEqual((JSON.parse(json.stdout) as { counts: unknown }).counts, { create: 0, update: 0, delete: 0 });
    const later = await applied('x:2');
    assert.match(
      (await live()).stdout,
      new RegExp(
        `^this is the plan of ${later.slice(0, 12)}, which was pushed; the repository here does not have that commit\n`,
      ),
    );
  });

  it('explain and get say what they leave out, and since when they know nothing', async () => {
    const silent = {
      ...node('node-1'),
      status: {
        conditions: [
          {
            type: 'Ready',
            status: 'Unknown',
            reason: 'NodeStatusUnknown',
            lastHeartbeatTime: new Date(Date.now() - 300_000).toISOString(),
          },
        ],
      },
    } as Node;
    await bench.writer.submit([{ do: 'create', object: silent }], 'test', signal);
    for (let i = 0; i < 7; i++) {
      await bench.writer.submit(
        [
          {
            do: 'create',
            object: {
              apiVersion: 'v1',
              kind: 'Pod',
              metadata: { name: `p${i}`, namespace: 'default' },
              spec: PodSpec.parse({ nodeName: 'node-1', containers: [{ name: 'web', image: 'x:1' }] }),
            },
          },
        ],
        'test',
        signal,
      );
    }
    const regarding = bench.cache.get('nodes//node-1') ?? assert.fail('no node');
    for (let i = 0; i < 12; i++)
      await bench.writer.submit(
        [{ do: 'event', regarding, type: i === 0 ? 'Warning' : 'Normal', reason: `Reason${i}`, message: 'm' }],
        'test',
        signal,
      );
    const { stdout } = await run('explain', 'node/node-1');
    assert.match(stdout, /\n {2}pods +and 2 more\n/);
    assert.match(stdout, /Reason0: m\n[\s\S]* {2}events +and 4 more\n/);
    const got = await run('get', 'pods');
    assert.match(got.stdout, /\np0 +0\/1 +Unknown /);
    assert.equal(got.stderr, 'node node-1 was last heard 5m ago (Unknown): its pods are shown as they were then\n');
    const named = await run('get', 'pods', '-o', 'name');
    assert.deepEqual([named.stdout.split('\n')[0], named.stderr], ['pod/p0', '']);
  });
});
