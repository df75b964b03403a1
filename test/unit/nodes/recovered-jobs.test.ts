/** Jobs after the store was lost: what their pods on nodes tell, and what does not run again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  COMPLETION_INDEX,
  CronJobManifest,
  INDEX_FAILURES,
  JOB_NAME_LABELS,
  JOB_TRACKING,
  JOB_UID_LABELS,
  keyOf,
  objectKey,
  type CronJob,
  type Job,
  type KubeObject,
  type PodTemplateSpec,
  type StoredJob,
} from '../../../contracts/objects/index.ts';
import { Claim, type PodReport } from '../../../contracts/agent/index.ts';
import { cronJobController } from '../../../reconciler/controllers/cronjob.ts';
import { jobController, jobOrphansController } from '../../../reconciler/controllers/job.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { recoverState, type RecoveredState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { unexplainedIn } from '../../../reconciler/core/nodes/claim-sorting.ts';
import { withinPlaces, type NodeWord } from '../../../reconciler/core/nodes/node-word.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { UNHEARD_ANNOTATION } from '../../../reconciler/core/workloads/unheard.ts';
import { cluster, machine } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { job } from '../workloads/jobs.ts';

const NOW = new Date('2026-03-01T12:00:30Z');
const MINUTES = Math.floor(NOW.getTime() / 60_000);

const state = (...objects: readonly KubeObject[]): DesiredState =>
  new Map(
    objects.map((object) => [
      keyOf(object),
      { key: keyOf(object), object, written: { ...object }, position: { file: 'all.yaml', line: 1, column: 1 } },
    ]),
  );

const cronJob = (image = 'task:v1'): CronJob =>
  CronJobManifest.parse({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'report', namespace: 'default' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } } },
      },
    },
  });

interface Told {
  readonly index?: number;
  readonly failures?: number;
  readonly owner?: string;
  readonly template?: PodTemplateSpec;
  readonly node?: string;
}

/** A pod of a Job as its node holds it. */
function claimed(
  name: string,
  { spec }: Job,
  { index, failures, owner = 'task', template, node = 'a' }: Told = {},
): Claim {
  const pod = (template ?? spec.template).spec;
  const mark = index === undefined ? {} : { [COMPLETION_INDEX]: String(index) };
  const env = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } },
  };
  return Claim.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-03-01T11:00:00Z',
      labels: {
        ...Object.fromEntries(JOB_NAME_LABELS.map((label) => [label, owner])),
        ...Object.fromEntries(JOB_UID_LABELS.map((label) => [label, 'what-it-was'])),
        ...mark,
      },
      annotations: { ...mark, ...(failures !== undefined && { [INDEX_FAILURES]: String(failures) }) },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: owner, uid: 'what-it-was', controller: true }],
    },
    spec: {
      ...pod,
      ...(index !== undefined && {
        hostname: `${owner}-${index}`,
        containers: pod.containers.map((container) => ({ ...container, env: [env] })),
      }),
      nodeName: node,
    },
  });
}
const report = (name: string, phase: 'Running' | 'Succeeded' | 'Failed'): PodReport => ({
  namespace: 'default',
  name,
  uid: `uid-${name}`,
  gone: false,
  status: { phase },
});
const word = (claims: readonly Claim[], pods: readonly PodReport[], node = 'a'): NodeWord => ({ node, claims, pods });

function recovered(
  words: readonly NodeWord[],
  inGit: Job | CronJob,
  { silent = [], earlier = [] }: { silent?: readonly string[]; earlier?: readonly PodTemplateSpec[] } = {},
): RecoveredState {
  const present = inGit.kind === 'Job' ? inGit.spec.template : inGit.spec.jobTemplate.spec.template;
  return recoverState({
    words,
    silent,
    machines: ['a', 'b'].map((name) => machine(name, { maxPods: 20 })),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied: state(cluster(), inGit),
    templates: new Map([[keyOf(inGit), [present, ...earlier]]]),
    incarnation: 'i',
    now: NOW,
  });
}

/** The controllers on what was rebuilt. */
function after({ objects }: RecoveredState): World {
  const world = new World([jobController(new NodeMonitor()), jobOrphansController, cronJobController]);
  world.now = NOW;
  for (const object of objects) world.put(object);
  world.settle();
  return world;
}
const theJob = (world: World, name = 'task'): StoredJob => {
  const found = world.get(objectKey('Job', 'default', name));
  assert.ok(found);
  return found;
};

describe('a Job after the store was lost', () => {
  it('that was complete is complete, and runs nothing again', () => {
    const task = job({ completions: 2, parallelism: 2 });
    const words = [
      word([claimed('p1', task)], [report('p1', 'Succeeded')]),
      word([claimed('p2', task, { node: 'b' })], [report('p2', 'Succeeded')], 'b'),
    ];
    const rebuilt = recovered(words, task);
    assert.deepEqual(rebuilt.refused, []);
    const world = after(rebuilt);
    const { status, metadata } = theJob(world);
    assert.deepEqual([status?.succeeded, status?.active], [2, 0]);
    assert.equal(status?.conditions?.at(-1)?.type, 'Complete');
    assert.equal(status?.startTime, '2026-03-01T11:00:00Z');
    assert.equal(world.list('Pod').length, 2);
    for (const pod of world.list('Pod')) {
      assert.equal(pod.metadata.labels?.[JOB_UID_LABELS[0]], metadata.uid);
      assert.deepEqual(pod.metadata.finalizers, []);
    }
  });

  it('counts each pod once, whether it was counted before or not, and goes on with what is left', () => {
    const task = job({ completions: 4, parallelism: 2 });
    const claims = ['p1', 'p2', 'p3'].map((name) => claimed(name, task));
    const told = [report('p1', 'Succeeded'), report('p2', 'Failed'), report('p3', 'Running')];
    const { objects, refused } = recovered([word(claims, told)], task);
    assert.deepEqual(refused, []);
    for (const object of objects)
      if (object.kind === 'Pod') assert.deepEqual(object.metadata.finalizers, [JOB_TRACKING]);
    const world = after({ objects, refused });
    world.advance(10_000);
    world.settle();
    const { status } = theJob(world);
    assert.deepEqual([status?.succeeded, status?.failed, status?.active], [1, 1, 2]);
  });

  it('knows its indexes again, and how often they failed', () => {
    const task = job({ completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 1 });
    const claims = [
      claimed('p0', task, { index: 0, failures: 0 }),
      claimed('p1', task, { index: 1, failures: 1 }),
      claimed('p9', task, { index: 9, failures: 0 }),
    ];
    const told = [report('p0', 'Succeeded'), report('p1', 'Failed'), report('p9', 'Succeeded')];
    const rebuilt = recovered([word(claims, told)], task);
    assert.deepEqual(
      rebuilt.refused.map(({ key }) => key),
      [objectKey('Pod', 'default', 'p9')],
    );
    const { status } = theJob(after(rebuilt));
    assert.deepEqual([status?.completedIndexes, status?.failedIndexes, status?.active], ['0', '1', 1]);
  });

  it('makes nothing while a node that may have its pods is silent', () => {
    const task = job({ completions: 2, parallelism: 2 });
    const rebuilt = recovered([word([claimed('p1', task)], [report('p1', 'Running')])], task, { silent: ['b'] });
    const found = rebuilt.objects.find((object) => object.kind === 'Job');
    assert.equal(found?.metadata.annotations?.[UNHEARD_ANNOTATION], '1');
    assert.equal(theJob(after(rebuilt)).status?.active, 1);
  });

  it('believes no pod of another template, and only so many as can be', () => {
    const task = job({ completions: 1, backoffLimit: 1 });
    const other = job({}, { containers: [{ name: 'main', image: 'evil:v1' }] });
    const refused = recovered([word([claimed('p1', other)], [report('p1', 'Succeeded')])], task).refused;
    assert.equal(refused.length, 1);
    const many = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const claims = many.map((name) => claimed(name, task));
    const told = many.map((name) => report(name, 'Failed'));
    const { objects } = recovered([word(claims, told)], task);
    assert.equal(objects.filter((object) => object.kind === 'Pod').length, 4);
  });

  it('hears of more pods that ended than of those that run', () => {
    const task = job();
    const names = Array.from({ length: 60 }, (_, i) => `p${i}`);
    const claims = names.map((name) => claimed(name, task));
    const told = names.map((name, i) => report(name, i < 10 ? 'Running' : 'Succeeded'));
    assert.equal(withinPlaces(word(claims, told), 3).claims.length, 6 + 50);
    assert.equal(withinPlaces(word(claims, told), 1).claims.length, 2 + 20);
  });
});

describe('a CronJob after the store was lost', () => {
  const run = (minutes: number): string => `report-${minutes}`;
  const { spec } = cronJob().spec.jobTemplate;
  const ofRun = (name: string, minutes: number, more: Told = {}): Claim =>
    claimed(name, { ...job(), spec }, { owner: run(minutes), ...more });

  it('knows its Jobs again by their pods, and runs none of their slots again', () => {
    const claims = [ofRun('p1', MINUTES - 2), ofRun('p2', MINUTES - 1)];
    const rebuilt = recovered([word(claims, [report('p1', 'Succeeded'), report('p2', 'Running')])], cronJob());
    assert.deepEqual(rebuilt.refused, []);
    const world = after(rebuilt);
    assert.deepEqual(
      world.list('Job').map(({ metadata, status }) => [metadata.name, status?.succeeded, status?.active]),
      [
        [run(MINUTES - 2), 1, 0],
        [run(MINUTES - 1), 0, 1],
      ],
    );
    const [found] = world.list('CronJob');
    assert.equal(found?.status?.lastScheduleTime, '2026-03-01T11:59:00Z');
    assert.deepEqual(
      world.list('Job').map(({ metadata }) => metadata.ownerReferences?.[0]?.uid),
      [found.metadata.uid, found.metadata.uid],
    );
    world.advance(31_000);
    world.settle();
    assert.ok(world.get(objectKey('Job', 'default', run(MINUTES + 1))));
    assert.equal(world.list('Job').length, 3, 'the slot of the loss itself does not run: nobody knows whether it has');
  });

  it('without any pod runs no slot from before', () => {
    const world = after(recovered([word([], [])], cronJob()));
    assert.equal(world.list('Job').length, 0);
    world.advance(31_000);
    world.settle();
    assert.deepEqual(
      world.list('Job').map(({ metadata }) => metadata.name),
      [run(MINUTES + 1)],
    );
  });

  it('knows a Job of an earlier template, and none of a slot that has not come', () => {
    const earlier = spec.template;
    const now = cronJob('task:v2');
    const words = [word([ofRun('p1', MINUTES - 1), ofRun('p2', MINUTES + 60)], [report('p1', 'Running')])];
    const unexplained = finish(unexplainedIn(words, state(now)));
    assert.ok(finish(unexplained(new Map([[keyOf(now), [now.spec.jobTemplate.spec.template]]]))));
    const { objects, refused } = recovered(words, now, { earlier: [earlier] });
    assert.deepEqual(
      refused.map(({ key }) => key),
      [objectKey('Pod', 'default', 'p2')],
    );
    const [found] = objects.filter((object) => object.kind === 'Job');
    assert.deepEqual(found?.spec.template, earlier);
  });
});
