/** What counts for a quota, which pods its scopes are about, and that it is never exceeded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isCustomKey,
  keyOf,
  PersistentVolumeClaimManifest,
  PodManifest,
  ResourceQuotaManifest,
  ServiceManifest,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type ResourceQuota,
  type Stored,
  type StoredAt,
  type StoredOf,
  type StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import { CustomTable } from '../../../reconciler/controllers/runtime/custom-table.ts';
import { write, type StepProblem } from '../../../reconciler/controllers/runtime/writer.ts';
import type { AdmissionView } from '../../../reconciler/core/admission/request.ts';
import { listOf } from '../../../reconciler/core/quota/amounts.ts';
import { planQuota, standingOf } from '../../../reconciler/core/quota/ledger.ts';
import { concerns } from '../../../reconciler/core/quota/scopes.ts';
import { usageOf } from '../../../reconciler/core/quota/usage.ts';
import type { Step } from '../../../reconciler/core/step.ts';
import { applyWrite, type WriteOp } from '../../../reconciler/core/storage/apply-write.ts';
import type { WriteResult } from '../../../reconciler/ports/object-store.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const at = (ms: number): Date => new Date(NOW.getTime() + ms);
const quota = (spec: object, name = 'q'): ResourceQuota =>
  ResourceQuotaManifest.parse({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name, namespace: 'default' },
    spec,
  });
const pod = (name: string, spec: object = {}, resources: object = {}): ReturnType<typeof PodManifest.parse> =>
  PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'x', resources }], ...spec },
  });
const ASKING = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1' } };

describe('what an object uses', () => {
  const cases: readonly (readonly [what: string, KubeObject, Readonly<Record<string, string>>])[] = [
    ['a pod that says nothing', pod('a'), { 'count/pods': '1', pods: '1' }],
    [
      'a pod: requests under both names, limits, and an extended resource as a request alone',
      pod('a', {}, { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '1Gi', 'example.com/gpu': '2' } }),
      {
        'count/pods': '1',
        pods: '1',
        cpu: '100m',
        'requests.cpu': '100m',
        memory: '1Gi',
        'requests.memory': '1Gi',
        'requests.example.com/gpu': '2',
        'limits.cpu': '1',
        'limits.memory': '1Gi',
      },
    ],
    [
      'a pod that takes something besides its containers: with its limits where they have some',
      pod('a', { overhead: { cpu: '250m', memory: '1Mi' } }, { requests: { memory: '1Mi' }, limits: { cpu: '1' } }),
      {
        'count/pods': '1',
        pods: '1',
        cpu: '1250m',
        'requests.cpu': '1250m',
        memory: '2Mi',
        'requests.memory': '2Mi',
        'limits.cpu': '1250m',
      },
    ],
    [
      'a pod with an init container that asks for more',
      pod('a', { initContainers: [{ name: 'i', image: 'x', resources: { requests: { cpu: '2' } } }] }, ASKING),
      {
        'count/pods': '1',
        pods: '1',
        cpu: '2',
        'requests.cpu': '2',
        memory: '64Mi',
        'requests.memory': '64Mi',
        'limits.cpu': '1',
      },
    ],
    ['a pod that has ended', { ...pod('a', {}, ASKING), status: { phase: 'Succeeded' } }, { 'count/pods': '1' }],
    [
      'a Service with ports of nodes',
      ServiceManifest.parse({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          type: 'NodePort',
          ports: [
            { name: 'a', port: 1 },
            { name: 'b', port: 2 },
          ],
        },
      }),
      { 'count/services': '1', services: '1', 'services.nodeports': '2', 'services.loadbalancers': '0' },
    ],
    [
      'a claim, also under its class',
      PersistentVolumeClaimManifest.parse({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'a', namespace: 'default' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } },
      }),
      {
        'count/persistentvolumeclaims': '1',
        persistentvolumeclaims: '1',
        'requests.storage': '1Gi',
        'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
        'fast.storageclass.storage.k8s.io/requests.storage': '1Gi',
      },
    ],
  ];
  for (const [what, object, uses] of cases)
    it(what, () => {
      assert.deepEqual(listOf(usageOf(object, NOW)), uses);
    });

  it('counts a pod whose time to end is over as an object alone (QuotaV1Pod)', () => {
    const ending = pod('a');
    const metadata = { ...ending.metadata, deletionTimestamp: NOW.toISOString(), deletionGracePeriodSeconds: 30 };
    assert.equal(usageOf({ ...ending, metadata }, at(29_999)).get('pods'), 1);
    assert.equal(usageOf({ ...ending, metadata }, at(30_000)).get('pods'), undefined);
  });
});

describe('scopes', () => {
  const elsewhere = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', namespaces: ['other'] }],
      },
    },
  };
  const byClass = (operator: string, ...values: readonly string[]): object => ({
    scopeSelector: {
      matchExpressions: [{ scopeName: 'PriorityClass', operator, ...(values.length > 0 && { values }) }],
    },
  });
  const cases: readonly (readonly [object, ReturnType<typeof pod>, boolean])[] = [
    [{ scopes: ['BestEffort'] }, pod('a'), true],
    [{ scopes: ['BestEffort'] }, pod('a', {}, ASKING), false],
    [{ scopes: ['NotBestEffort'] }, pod('a', {}, ASKING), true],
    [{ scopes: ['Terminating'] }, pod('a', { activeDeadlineSeconds: 5 }), true],
    [{ scopes: ['Terminating'] }, pod('a'), false],
    [{ scopes: ['NotTerminating'] }, pod('a'), true],
    [{ scopes: ['NotTerminating', 'BestEffort'] }, pod('a', { activeDeadlineSeconds: 5 }), false],
    [{ scopes: ['PriorityClass'] }, pod('a', { priorityClassName: 'high' }), true],
    [{ scopes: ['PriorityClass'] }, pod('a'), false],
    [byClass('In', 'high', 'low'), pod('a', { priorityClassName: 'high' }), true],
    [byClass('In', 'low'), pod('a', { priorityClassName: 'high' }), false],
    [byClass('NotIn', 'low'), pod('a', { priorityClassName: 'high' }), true],
    [byClass('NotIn', 'low'), pod('a'), true],
    [byClass('Exists'), pod('a'), false],
    [byClass('DoesNotExist'), pod('a'), true],
    [{ scopes: ['CrossNamespacePodAffinity'] }, pod('a', elsewhere), true],
    [{ scopes: ['CrossNamespacePodAffinity'] }, pod('a'), false],
  ];
  for (const [spec, object, is] of cases)
    it(`${JSON.stringify(spec)} ${is ? 'is' : 'is not'} about ${JSON.stringify(object.spec.containers[0]?.resources)}, ${object.spec.priorityClassName ?? '-'}`, () => {
      assert.equal(concerns(quota({ hard: { pods: 1 }, ...spec }).spec, object), is);
    });
  it('a quota with scopes is about pods alone', () => {
    const claim = { ...pod('a'), kind: 'Secret', type: 'Opaque' } as unknown as KubeObject;
    assert.equal(concerns(quota({ hard: { 'count/secrets': 1 }, scopes: ['BestEffort'] }).spec, claim), false);
  });
});

/** One store, and what each of several processes has seen of it. */
class Store {
  readonly objects = new Map<ObjectKey, Stored>();
  readonly changes: { readonly key: ObjectKey; readonly object: Stored | undefined }[] = [];
  #version = 0;

  do(op: WriteOp): WriteResult {
    const key = op.op === 'delete' ? op.key : keyOf(op.object);
    const applied = applyWrite(op, this.objects.get(key), {
      uid: () => `uid-${key}-${++this.#version}`,
      version: () => String(++this.#version),
      now: NOW,
    });
    if (applied.is === 'refused') return { ok: false, reason: applied.reason, message: applied.message };
    const object = applied.is === 'delete' ? undefined : applied.object;
    if (object) this.objects.set(key, object);
    else this.objects.delete(key);
    this.changes.push({ key, object });
    return { ok: true, object: applied.object, resourceVersion: applied.object.metadata.resourceVersion };
  }
}

class Seen implements AdmissionView {
  readonly custom = new CustomTable();
  readonly #objects = new Map<ObjectKey, Stored>();
  #position = 0;

  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Of the changes that others made. */
  hear(count: number): void {
    for (const { key, object } of this.store.changes.slice(this.#position, this.#position + count)) {
      this.#position += 1;
      const known = this.#objects.get(key);
      // What it wrote itself shows at once, and is not overwritten with what was before.
      if (object && known && Number(known.metadata.resourceVersion) > Number(object.metadata.resourceVersion)) continue;
      if (object) this.#objects.set(key, object);
      else this.#objects.delete(key);
    }
  }
  show(result: WriteResult, op: WriteOp): void {
    if (!result.ok) return;
    const object = result.object as Stored;
    if (op.op === 'delete') this.#objects.delete(keyOf(object));
    else this.#objects.set(keyOf(object), object);
  }
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined {
    return this.#objects.get(key) as StoredAt<Key> | undefined;
  }
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    return [...this.#objects.values()].filter(
      (o) => o.kind === kind && (namespace === undefined || o.metadata.namespace === namespace),
    ) as readonly Stored[] as readonly StoredOf<K>[];
  }
}

type Running = Generator<unknown, readonly StepProblem[], readonly WriteResult[]>;

class Play {
  readonly store = new Store();
  readonly processes = [new Seen(this.store), new Seen(this.store)];
  readonly #running: { readonly of: Seen; readonly turn: Running; next: readonly WriteOp[] }[] = [];
  now = NOW;
  made = 0;

  constructor(spec: object) {
    this.store.do({ op: 'create', object: quota(spec) });
    for (const process of this.processes) process.hear(9);
  }

  begin(which: number, steps: readonly Step[]): void {
    const of = this.processes[which % this.processes.length] as Seen;
    const turn = write(steps, { by: 'test', view: of, now: () => this.now, record: () => undefined }) as Running;
    const first = turn.next([]);
    if (!first.done) this.#running.push({ of, turn, next: first.value as readonly WriteOp[] });
  }

  /** The next round trip of one write that is under way; it may be lost on the way. False where none is. */
  go(which: number, isLost: boolean): boolean {
    const one = this.#running[which % Math.max(1, this.#running.length)];
    if (!one) return false;
    const results = one.next.map((op) => {
      const result = this.store.do(op);
      if (!isLost) one.of.show(result, op);
      return result;
    });
    const turn = isLost ? undefined : one.turn.next(results);
    if (!turn || turn.done) this.#running.splice(this.#running.indexOf(one), 1);
    else one.next = turn.value as readonly WriteOp[];
    return true;
  }

  recount(which: number): void {
    const of = this.processes[which % this.processes.length] as Seen;
    for (const one of of.list('ResourceQuota')) this.begin(which, planQuota(one, of, this.now).steps);
  }

  remove(which: number, nth: number): void {
    const of = this.processes[which % this.processes.length] as Seen;
    const pods = of.list('Pod');
    const one = pods[nth % Math.max(1, pods.length)];
    if (one) this.begin(which, [{ do: 'delete', key: keyOf(one), uid: one.metadata.uid }]);
  }

  pods(): number {
    return [...this.store.objects.keys()].filter((key) => !isCustomKey(key) && key.startsWith('pods/')).length;
  }

  quiesce(): StoredResourceQuota {
    for (let round = 0; round < 8; round += 1) {
      while (this.#running.length > 0) this.go(0, false);
      for (const process of this.processes) process.hear(Infinity);
      this.recount(round);
    }
    return this.processes[0]?.list('ResourceQuota')[0] as StoredResourceQuota;
  }
}

describe('a quota is never exceeded', () => {
  const happening = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        is: fc.constant('make' as const),
        which: fc.nat(1),
        count: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        is: fc.constant('go' as const),
        which: fc.nat(9),
        isLost: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
    },
    { weight: 4, arbitrary: fc.record({ is: fc.constant('hear' as const), which: fc.nat(1), count: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('recount' as const), which: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('remove' as const), which: fc.nat(1), nth: fc.nat(9) }) },
  );

  it('whoever makes pods at once, in whatever order writes arrive, are seen or are lost', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), fc.array(happening, { maxLength: 80 }), (hard, happened) => {
        const play = new Play({ hard: { pods: hard, 'requests.cpu': `${hard * 100}m` } });
        for (const one of happened) {
          switch (one.is) {
            case 'make':
              play.begin(
                one.which,
                Array.from({ length: one.count }, () => ({
                  do: 'create' as const,
                  object: pod(`p${++play.made % 6}`, {}, { requests: { cpu: '100m' } }),
                })),
              );
              break;
            case 'go':
              play.go(one.which, one.isLost);
              break;
            case 'hear':
              play.processes[one.which]?.hear(one.count);
              break;
            case 'recount':
              play.recount(one.which);
              break;
            case 'remove':
              play.remove(one.which, one.nth);
          }
          assert.ok(play.pods() <= hard, `${play.pods()} pods, and ${hard} are allowed`);
        }
        // What was lost on the way holds its room for a while, and no longer.
        play.quiesce();
        play.now = at(61_000);
        const { status } = play.quiesce();
        assert.deepEqual([status?.used['pods'], status?.booked], [String(play.pods()), undefined]);
        play.begin(0, [{ do: 'create', object: pod('last', {}, { requests: { cpu: '100m' } }) }]);
        play.quiesce();
        assert.equal(play.pods(), Math.min(hard, Number(status?.used['pods']) + 1));
      }),
      { numRuns: 300 },
    );
  });

  it('books many pods in several goes, and says of the rest what the quota allows', () => {
    const play = new Play({ hard: { pods: 450 } });
    const of = play.processes[0] as Seen;
    const writing = write(
      Array.from({ length: 500 }, (_, n) => ({ do: 'create' as const, object: pod(`p${n}`) })),
      { by: 'test', view: of, now: () => NOW, record: () => undefined },
    );
    let problems: readonly StepProblem[];
    for (let turn = writing.next(); ;) {
      if (turn.done) {
        problems = turn.value;
        break;
      }
      const ops = turn.value as readonly WriteOp[];
      turn = writing.next(
        ops.map((op) => {
          const result = play.store.do(op);
          of.show(result, op);
          return result;
        }),
      );
    }
    assert.deepEqual([play.pods(), problems.length], [450, 50]);
    assert.match(
      problems[0]?.message ?? '',
      /^create Pod\/default\/p450: exceeded quota: q, requested: pods=1, used: pods=450, limited: pods=450$/,
    );
    const [left] = of.list('ResourceQuota');
    assert.equal(left && standingOf(left, of, NOW).booked.size, 0);
  });

  it('takes what a try before it booked for its own: of two quotas, and after a write that was lost', () => {
    const play = new Play({ hard: { pods: 1 } });
    play.store.do({ op: 'create', object: quota({ hard: { 'count/pods': 1 } }, 'other') });
    const [one] = play.processes as [Seen, Seen];
    one.hear(Infinity);
    const steps = [{ do: 'create' as const, object: pod('web-0') }];
    play.begin(0, steps);
    const [other] = one.list('ResourceQuota').filter(({ metadata }) => metadata.name === 'other');
    assert.ok(other);
    // Somebody else writes the second quota first.
    play.store.do({ op: 'updateStatus', object: { ...other, status: { hard: {}, used: {} } } });
    play.go(0, false);
    assert.equal(play.pods(), 0);
    const [asked] = one.list('ResourceQuota').filter(({ metadata }) => metadata.name === 'q');
    assert.deepEqual(Object.keys(asked?.status?.booked ?? {}), ['pods/default/web-0']);
    one.hear(Infinity);
    play.begin(0, steps);
    while (play.pods() === 0) assert.ok(play.go(0, false), 'the pod is refused');
  });
});
