/** What holds of a StatefulSet at every step, whatever befalls its pods and nodes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { objectKey, type StoredPod, type StoredStatefulSet } from '../../../contracts/objects/index.ts';
import { statefulSetController } from '../../../reconciler/controllers/statefulset.ts';
import { ordinalOf, revisionOf } from '../../../reconciler/core/workloads/stateful-pod.ts';
import { isTerminating } from '../../../reconciler/core/workloads/pod-state.ts';
import { mostUnavailable } from '../../../reconciler/core/workloads/statefulset.ts';
import { World } from '../controllers/world.ts';
import { reported, statefulSet } from './stateful.ts';

const KEY = objectKey('StatefulSet', 'default', 'db');

/** Something that happens, to the pod of a number where it is one's. */
type Happening =
  | { readonly is: 'start' | 'ready' | 'unready' | 'fail' | 'delete' | 'gone'; readonly which: number }
  | { readonly is: 'scale'; readonly replicas: number }
  | { readonly is: 'update'; readonly version: number; readonly partition: number }
  | { readonly is: 'pass' | 'resync' };

const which = fc.nat(9);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ is: fc.constantFrom('start', 'ready', 'unready', 'fail', 'delete', 'gone'), which }),
  fc.record({ is: fc.constant('scale'), replicas: fc.nat(6) }),
  fc.record({ is: fc.constant('update'), version: fc.nat(3), partition: fc.nat(4) }),
  fc.record({ is: fc.constantFrom('pass', 'resync') }),
);
const setup = fc.record({
  podManagementPolicy: fc.constantFrom('OrderedReady' as const, 'Parallel' as const),
  maxUnavailable: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom('30%', '100%')),
  start: fc.nat(3),
});
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

/** The StatefulSet with a node that does whatever happens. */
class Machinery {
  readonly world = new World([statefulSetController]);
  readonly #setup: Setup;
  #replicas = 3;
  #version = 0;
  #partition = 0;

  constructor(given: Setup) {
    this.#setup = given;
    this.#write();
  }

  get set(): StoredStatefulSet {
    return this.world.get(KEY) as StoredStatefulSet;
  }
  get pods(): readonly StoredPod[] {
    return this.world.list('Pod');
  }

  happens(what: Happening): void {
    switch (what.is) {
      case 'scale':
        this.#replicas = what.replicas;
        return this.#write();
      case 'update':
        [this.#version, this.#partition] = [what.version, what.partition];
        return this.#write();
      case 'pass':
        this.world.step();
        return;
      case 'resync':
        this.world.resync();
        return;
      default:
        this.#befall(what.is, this.pods[what.which % Math.max(1, this.pods.length)]);
    }
  }

  #befall(what: 'start' | 'ready' | 'unready' | 'fail' | 'delete' | 'gone', pod: StoredPod | undefined): void {
    if (!pod || pod.status?.phase === 'Failed') return;
    const key = objectKey('Pod', 'default', pod.metadata.name);
    const { uid } = pod.metadata;
    const bound = { ...pod, spec: { ...pod.spec, nodeName: 'n1' } };
    switch (what) {
      case 'start':
      case 'unready':
        this.world.put(reported(bound, 'Running', false));
        return;
      case 'ready':
        this.world.put(reported(bound, 'Running', true));
        return;
      case 'fail':
        this.world.put(reported(bound, 'Failed'));
        return;
      case 'delete':
        this.world.apply({ steps: [{ do: 'delete', key, uid }] });
        return;
      case 'gone':
        if (isTerminating(pod)) this.world.apply({ steps: [{ do: 'delete', key, uid, gone: true }] });
    }
  }

  /** From now on all pods run, and end when they are told to. */
  rest(): void {
    for (let round = 0; round < 200; round += 1) {
      this.world.settle();
      const pod = this.pods.find((one) => isTerminating(one) || (one.status?.phase !== 'Failed' && !isReady(one)));
      if (!pod) return;
      this.#befall(isTerminating(pod) ? 'gone' : 'ready', this.#stays(pod));
    }
    throw new Error('it does not come to rest');
  }

  /** One that failed and was told to end goes all the same. */
  #stays(pod: StoredPod): StoredPod {
    return pod.status?.phase === 'Failed' ? { ...pod, status: { phase: 'Running' } } : pod;
  }

  #write(): void {
    const { maxUnavailable, podManagementPolicy, start } = this.#setup;
    const rollingUpdate = { maxUnavailable, partition: this.#partition };
    const made = statefulSet(
      {
        replicas: this.#replicas,
        podManagementPolicy,
        ordinals: { start },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate },
      },
      `db:v${this.#version}`,
    );
    const status = this.world.get(KEY)?.status;
    this.world.put({ ...made, ...(status && { status }) });
  }
}

function isReady(pod: StoredPod): boolean {
  return (
    pod.status?.phase === 'Running' &&
    (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  );
}
const isUp = (pod: StoredPod): boolean => isReady(pod) && !isTerminating(pod);
const ordinal = (set: StoredStatefulSet, pod: StoredPod): number => ordinalOf(set, pod.metadata.name) ?? -1;
const place = (set: StoredStatefulSet, pod: StoredPod): number => ordinal(set, pod) - set.spec.ordinals.start;

/** Runs what happens, one pass after each, and shows `look` the state before and after every pass. */
function play(given: Setup, happenings: readonly Happening[], look: (before: View, after: View) => void): Machinery {
  const machinery = new Machinery(given);
  for (const what of happenings) {
    machinery.happens(what);
    for (let passes = 0, before = viewOf(machinery); machinery.world.step(); before = viewOf(machinery)) {
      assert.ok(++passes < 300, 'it comes to rest');
      look(before, viewOf(machinery));
    }
  }
  return machinery;
}
interface View {
  readonly set: StoredStatefulSet;
  readonly pods: readonly StoredPod[];
}
const viewOf = ({ set, pods }: Machinery): View => ({ set, pods });
const uids = (pods: readonly StoredPod[]): ReadonlySet<string> => new Set(pods.map(({ metadata }) => metadata.uid));
/** Pods that a pass told to end, and that it made. */
const ended = (before: View, after: View): StoredPod[] => {
  const ending = uids(before.pods.filter(isTerminating));
  return after.pods.filter((pod) => isTerminating(pod) && !ending.has(pod.metadata.uid));
};
const made = (before: View, after: View): StoredPod[] =>
  after.pods.filter((pod) => !uids(before.pods).has(pod.metadata.uid));
const runs = { numRuns: 150 };
const story = fc.array(happening, { maxLength: 60 });

describe('at every step a StatefulSet', () => {
  it('has one pod of an ordinal, and replaces none before it is gone', () => {
    fc.assert(
      fc.property(setup, story, (given, happenings) => {
        play(given, happenings, (before, after) => {
          const names = after.pods.map(({ metadata }) => metadata.name);
          assert.equal(new Set(names).size, names.length);
          // Nothing but its node took a pod away: a pass only marks those that are bound.
          const kept = uids(after.pods);
          for (const pod of before.pods) assert.ok(kept.has(pod.metadata.uid) || pod.spec.nodeName === undefined);
        });
      }),
      runs,
    );
  });

  it('keeps the order with OrderedReady', () => {
    fc.assert(
      fc.property(setup, story, (given, happenings) => {
        play({ ...given, podManagementPolicy: 'OrderedReady' }, happenings, (before, after) => {
          const { set } = after;
          const [coming, going] = [made(before, after), ended(before, after)];
          assert.ok(coming.length <= 1);
          for (const pod of coming) {
            const lower = after.pods.filter((one) => place(set, one) >= 0 && place(set, one) < place(set, pod));
            assert.equal(lower.filter(isUp).length, place(set, pod), 'all of lower ordinal are available');
          }
          // A pod that runs ends only when all others that are wanted are available.
          for (const pod of going.filter(({ status }) => status?.phase !== 'Failed')) {
            const wanted = before.pods.filter((one) => place(set, one) >= 0 && place(set, one) < set.spec.replicas);
            const others = wanted.filter((one) => one.metadata.uid !== pod.metadata.uid);
            if (place(set, pod) >= set.spec.replicas || place(set, pod) < 0)
              assert.equal(others.filter(isUp).length, set.spec.replicas);
            else assert.ok(wanted.every(isUp));
          }
        });
      }),
      runs,
    );
  });

  it('never passes the partition', () => {
    fc.assert(
      fc.property(setup, story, (given, happenings) => {
        play(given, happenings, (before, after) => {
          const { updateStrategy, replicas } = after.set.spec;
          assert.equal(updateStrategy.type, 'RollingUpdate');
          const partition = updateStrategy.type === 'RollingUpdate' ? updateStrategy.rollingUpdate.partition : 0;
          for (const pod of ended(before, after)) {
            const at = place(after.set, pod);
            if (at < 0 || at >= replicas || pod.status?.phase === 'Failed') continue;
            assert.ok(at >= partition, `${pod.metadata.name} is below ${partition}`);
          }
          const { currentRevision } = before.set.status ?? {};
          for (const pod of made(before, after))
            if (place(after.set, pod) < partition && currentRevision !== undefined && !isSettled(before))
              assert.equal(revisionOf(pod), currentRevision);
        });
      }),
      runs,
    );
  });

  it('makes no more pods unavailable than it may', () => {
    fc.assert(
      fc.property(setup, story, (given, happenings) => {
        play(given, happenings, (before, after) => {
          const { set } = after;
          const wanted = (pods: readonly StoredPod[]): StoredPod[] =>
            pods.filter((pod) => place(set, pod) >= 0 && place(set, pod) < set.spec.replicas);
          const down = ({ pods }: View): number => set.spec.replicas - wanted(pods).filter(isUp).length;
          assert.ok(down(after) <= Math.max(down(before), mostUnavailable(set.spec)));
        });
      }),
      runs,
    );
  });

  it('comes to what it wants when nothing befalls it any more', () => {
    fc.assert(
      fc.property(setup, story, (given, happenings) => {
        const machinery = play(given, happenings, () => undefined);
        machinery.rest();
        const { set, pods } = machinery;
        const { replicas, ordinals, updateStrategy } = set.spec;
        assert.deepEqual(
          pods.map((pod) => ordinal(set, pod)).sort((a, b) => a - b),
          Array.from({ length: replicas }, (_, i) => ordinals.start + i),
        );
        const partition = updateStrategy.type === 'RollingUpdate' ? updateStrategy.rollingUpdate.partition : 0;
        for (const pod of pods.filter((one) => place(set, one) >= partition))
          assert.equal(revisionOf(pod), set.status?.updateRevision);
        assert.deepEqual(
          [set.status?.replicas, set.status?.readyReplicas, set.status?.availableReplicas],
          [replicas, replicas, replicas],
        );
        machinery.world.resync();
        const before = set.metadata.resourceVersion;
        machinery.world.settle();
        assert.equal(machinery.set.metadata.resourceVersion, before, 'a pass more changes nothing');
      }),
      runs,
    );
  });
});

/** Whether the update before had come to its end, so that its revision is the current one from this pass on. */
function isSettled({ set }: View): boolean {
  return set.status?.currentRevision === set.status?.updateRevision;
}
