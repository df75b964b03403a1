/** DaemonSets after the store was lost: their pods go on, each under the revision that it had. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DaemonSetManifest,
  keyOf,
  objectKey,
  type DaemonSet,
  type KubeObject,
  type PodTemplateSpec,
} from '../../../contracts/objects/index.ts';
import { Claim, PodClaim } from '../../../contracts/agent/index.ts';
import { daemonSetController } from '../../../reconciler/controllers/daemonset.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { podDefaultsOf } from '../../../reconciler/core/nodes/claimed-template.ts';
import { latePods } from '../../../reconciler/core/nodes/late-pods.ts';
import { recoverState, type RecoveredState } from '../../../reconciler/core/nodes/recovered-state.ts';
import type { NodeWord } from '../../../reconciler/core/nodes/node-word.ts';
import { daemonPod } from '../../../reconciler/core/workloads/daemon-pod.ts';
import { revisionTemplate } from '../../../reconciler/core/workloads/revision-history.ts';
import { templateHash } from '../../../reconciler/core/workloads/template.ts';
import { cluster, condition, machine, node } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function daemonSet(image = 'log:v2'): DaemonSet {
  return DaemonSetManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'log' } },
      template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'log', image }] } },
    },
  });
}
const NOW = new Date('2026-03-01T12:00:00Z');
const NODES = ['a', 'b', 'c'];
const template = (image?: string): PodTemplateSpec => daemonSet(image).spec.template;

/** A daemon's pod as its node holds it. */
function claimed(on: string, image = 'log:v2', hash = templateHash(template(image)), name = `log-${on}`): PodClaim {
  const { metadata, spec } = daemonPod(template(image), on, hash);
  return PodClaim.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-02-01T00:00:00Z',
      labels: metadata.labels,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'log', uid: 'what-it-was', controller: true },
      ],
    },
    spec: { ...spec, nodeName: on },
  });
}
function word(on: string, ...claims: readonly Claim[]): NodeWord {
  const status = { phase: 'Running' as const, conditions: [condition('Ready', 'True')] };
  const pods = claims.map(({ metadata }) => ({
    namespace: 'default',
    name: metadata.name,
    uid: `uid-${metadata.name}`,
    gone: false,
    status,
  }));
  const range = { podCIDR: `10.244.${NODES.indexOf(on)}.0/24` };
  return { node: on, claims: [Claim.parse({ kind: 'Node', metadata: { name: on }, spec: range }), ...claims], pods };
}

function recovered(words: readonly NodeWord[], silent: readonly string[] = []): RecoveredState {
  const objects: readonly KubeObject[] = [cluster(), daemonSet()];
  const applied: DesiredState = new Map(
    objects.map((object) => [
      keyOf(object),
      { key: keyOf(object), object, written: { ...object }, position: { file: 'all.yaml', line: 1, column: 1 } },
    ]),
  );
  return recoverState({
    words,
    silent,
    machines: NODES.map((name) => machine(name)),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied,
    templates: new Map([[objectKey('DaemonSet', 'default', 'log'), [template('log:v2'), template('log:v1')]]]),
    incarnation: 'i',
    now: NOW,
  });
}
/** The controllers at work on what was recovered, once the agents were heard. */
function world({ objects }: RecoveredState, unheard: readonly string[] = []): World {
  const w = new World([daemonSetController(), garbageCollector]);
  w.now = NOW;
  for (const object of objects) if (object.kind !== 'Node' && object.kind !== 'Source') w.put(object);
  for (const name of NODES)
    w.put({
      ...node(name),
      status: { conditions: [condition('PodsKnown', unheard.includes(name) ? 'False' : 'True')] },
    });
  w.settle();
  return w;
}
const uids = (w: World): string[] =>
  w
    .list('Pod')
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.uid)
    .sort();

describe('a DaemonSet after the store was lost', () => {
  const ALL = NODES.map((on) => word(on, claimed(on)));

  it('restarts no pod', () => {
    const w = world(recovered(ALL));
    assert.deepEqual(uids(w), ['uid-log-a', 'uid-log-b', 'uid-log-c']);
    assert.equal(w.get(objectKey('DaemonSet', 'default', 'log'))?.status?.updatedNumberScheduled, 3);
  });

  it('is the owner of its pods and of an earlier revision of theirs before anyone acts', () => {
    const { objects, refused } = recovered([...ALL.slice(0, 2), word('c', claimed('c', 'log:v1'))]);
    assert.deepEqual(refused, []);
    const [owner] = objects.filter(({ kind }) => kind === 'DaemonSet');
    const owned = objects.filter(({ kind }) => kind === 'Pod' || kind === 'ControllerRevision');
    assert.equal(owned.length, 4);
    for (const { metadata } of owned) assert.equal(metadata.ownerReferences?.[0]?.uid, owner?.metadata.uid);
    assert.ok(objects.findIndex(({ kind }) => kind === 'DaemonSet') < objects.findIndex((one) => owned.includes(one)));
  });

  it('goes on with an update where it was', () => {
    const w = world(
      recovered([word('a', claimed('a')), word('b', claimed('b', 'log:v1')), word('c', claimed('c', 'log:v1'))]),
    );
    // One of the old ones is replaced, as one may be missing.
    assert.deepEqual(uids(w).length, 2);
    assert.ok(uids(w).includes('uid-log-a'));
    assert.deepEqual(
      w.list('ControllerRevision').map(({ revision, metadata }) => [revision, metadata.name]),
      [
        [1, `log-${templateHash(template('log:v1'))}`],
        [2, `log-${templateHash(template('log:v2'))}`],
      ].sort(([, a], [, b]) => (String(a) < String(b) ? -1 : 1)),
    );
  });

  it('waits for the pod of a node that is not heard, and knows it again', () => {
    const state = recovered(ALL.slice(0, 2), ['c']);
    const w = world(state, ['c']);
    assert.deepEqual(uids(w), ['uid-log-a', 'uid-log-b']);
    const late = latePods({
      word: word('c', claimed('c'), claimed('c', 'log:v0', undefined, 'unknown')),
      known: { podCIDR: '10.244.2.0/24', internalIP: undefined },
      makers: w.list('DaemonSet'),
      defaults: podDefaultsOf([]),
      earlier: (maker) => w.ownedBy('ControllerRevision', maker.metadata.uid).map(revisionTemplate),
      podsOf: (maker) => w.ownedBy('Pod', maker.metadata.uid),
      has: (key) => w.get(key) !== undefined,
      now: NOW,
    });
    for (const object of late) w.put(object);
    w.put({ ...node('c'), status: { conditions: [condition('PodsKnown', 'True')] } });
    w.settle();
    assert.deepEqual(uids(w), ['uid-log-a', 'uid-log-b', 'uid-log-c']);
  });

  it('makes one on a node that has none', () => {
    const w = world(recovered([...ALL.slice(0, 2), word('c')]));
    assert.equal(uids(w).length, 3);
  });

  const lies: readonly (readonly [string, Claim])[] = [
    ['of a template that no commit has', claimed('a', 'evil:v1')],
    ['under a revision that the template has not', claimed('a', 'log:v2', 'zzzzz')],
    ['that was made for another node', { ...claimed('a'), spec: { ...claimed('b').spec, nodeName: 'a' } }],
  ];
  for (const [what, claim] of lies) {
    it(`does not follow a pod ${what}`, () => {
      assert.deepEqual(
        recovered([word('a', claim)]).refused.map(({ why }) => why),
        ['no recent commit has its template'],
      );
    });
  }
});
