/** RuntimeClasses: what they give to pods, what they refuse, and that pods they changed are known again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  keyOf,
  objectKey,
  RuntimeClassManifest,
  Toleration,
  type KubeObject,
  type Pod,
  type RuntimeClass,
} from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import { handlerOf } from '../../../nodeagent/core/pod/objects.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import { referencesOf, project } from '../../../reconciler/core/nodes/projection.ts';
import { checkPlan, planSync } from '../../../reconciler/core/diff/index.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { usageOf } from '../../../reconciler/core/quota/usage.ts';
import { classObjection, withRuntimeClass } from '../../../reconciler/core/runtime-classes/pod-class.ts';
import { NOW, stored, viewOf } from '../admission/objects.ts';
import { cluster, machine, pod } from '../controllers/objects.ts';
import { carryOut, desired, edited, manifests, planInput } from '../diff/states.ts';
import { NO_OBJECTS } from '../nodeagent/pods.ts';

const FULL = {
  overhead: { podFixed: { cpu: '250m', memory: '16Mi' } },
  scheduling: { nodeSelector: { runtime: 'kata' }, tolerations: [{ key: 'kata', operator: 'Exists' }] },
};

function runtimeClass(more: Record<string, unknown> = FULL): RuntimeClass {
  return RuntimeClassManifest.parse({
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'sandboxed' },
    handler: 'kata',
    ...more,
  });
}
/** A pod of that class. */
function classed(spec: Partial<Pod['spec']> = {}): Pod {
  const plain = pod('web');
  return { ...plain, spec: { ...plain.spec, runtimeClassName: 'sandboxed', ...spec } };
}
const tolerating = (...tolerations: readonly Record<string, unknown>[]): Pick<Pod['spec'], 'tolerations'> => ({
  tolerations: tolerations.map((one) => Toleration.parse(one)),
});

describe('what a RuntimeClass gives a pod', () => {
  it('is nothing where it says nothing', () => {
    const one = classed();
    assert.equal(withRuntimeClass(one, runtimeClass({})), one);
  });

  it('is overhead, node labels and tolerations, once', () => {
    const filled = withRuntimeClass(classed({ nodeSelector: { disk: 'ssd' }, tolerations: [] }), runtimeClass());
    assert.deepEqual(
      [filled.spec.overhead, filled.spec.nodeSelector, filled.spec.tolerations],
      [FULL.overhead.podFixed, { runtime: 'kata', disk: 'ssd' }, FULL.scheduling.tolerations],
    );
    assert.equal(withRuntimeClass(filled, runtimeClass()), filled, 'doing it again changes nothing');
  });

  const A = { key: 'a', operator: 'Equal', value: 'x', effect: 'NoSchedule' };
  const rows: readonly (readonly [
    string,
    readonly Record<string, unknown>[],
    readonly Record<string, unknown>[],
    unknown,
  ])[] = [
    ['an equal one once', [A], [A], [A]],
    ['not what the pod covers', [{ key: 'a', operator: 'Exists' }], [A], [{ key: 'a', operator: 'Exists' }]],
    ['instead of what it covers', [A], [{ operator: 'Exists' }], [{ operator: 'Exists' }]],
    ['another value beside', [A], [{ ...A, value: 'y' }], [A, { ...A, value: 'y' }]],
    ['another effect beside', [A], [{ ...A, effect: 'NoExecute' }], [A, { ...A, effect: 'NoExecute' }]],
    [
      'a shorter time not instead of a longer one',
      [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }],
      [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
      [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }],
    ],
  ];
  for (const [title, own, added, expected] of rows)
    it(`tolerations: ${title}`, () => {
      const filled = withRuntimeClass(
        classed(tolerating(...own)),
        runtimeClass({ scheduling: { tolerations: added } }),
      );
      assert.deepEqual(filled.spec.tolerations, expected);
    });
});

describe('what a RuntimeClass has against a pod', () => {
  const rows: readonly (readonly [string, Partial<Pod['spec']>, RuntimeClass | undefined, RegExp | undefined])[] = [
    ['nothing', {}, runtimeClass(), undefined],
    [
      'another value of a label',
      { nodeSelector: { runtime: 'runc' } },
      runtimeClass(),
      /^conflict: .* = kata; .* = runc$/,
    ],
    ['another overhead', { overhead: { cpu: '1', memory: '16Mi' } }, runtimeClass(), /doesn't match/],
    ['less of an overhead', { overhead: { cpu: '250m' } }, runtimeClass(), /doesn't match/],
    ['not the same in other units', { overhead: { cpu: '0.25', memory: '16384Ki' } }, runtimeClass(), undefined],
    ['an overhead where it has none', { overhead: { cpu: '1' } }, runtimeClass({}), /without corresponding/],
    ['an overhead of no class', { overhead: { cpu: '1' } }, undefined, /without corresponding/],
  ];
  for (const [title, spec, of, expected] of rows)
    it(title, () => {
      const why = classObjection(classed(spec).spec, of);
      if (expected) assert.match(why ?? '', expected);
      else assert.equal(why, undefined);
    });
});

describe('a pod that is made', () => {
  const known = stored(runtimeClass());
  const create = (object: KubeObject, view = viewOf(new Map([[keyOf(known), known]]))): ReturnType<typeof admit> =>
    admit({ operation: 'create', object, by: 'replicaset-controller', now: NOW, view });

  it('has what its class gives it, and counts its overhead', () => {
    const verdict = create(classed());
    assert.ok(verdict.admitted && verdict.write?.op === 'create' && verdict.write.object.kind === 'Pod');
    const made = verdict.write.object as Pod;
    assert.deepEqual(made.spec.overhead, FULL.overhead.podFixed);
    assert.equal(usageOf(made, NOW).get('requests.cpu'), 250);
    assert.deepEqual(referencesOf(made), [keyOf(known)], 'the class goes where the pod goes');
  });

  const rows: readonly (readonly [string, Pod, RegExp])[] = [
    [
      'of a class that there is not',
      classed({ runtimeClassName: 'gone' }),
      /^create Pod\/default\/web: pod rejected: RuntimeClass "gone" not found$/,
    ],
    ['with a label that the class has otherwise', classed({ nodeSelector: { runtime: 'runc' } }), /conflict/],
    ['with an overhead of its own', classed({ overhead: { cpu: '2' } }), /doesn't match/],
  ];
  for (const [title, one, expected] of rows)
    it(`is refused: ${title}`, () => {
      const verdict = create(one);
      assert.ok(!verdict.admitted);
      assert.equal(verdict.reason, 'Forbidden');
      assert.match(verdict.message, expected);
    });
});

describe('a node', () => {
  it('gets of a class what the runtime calls it', () => {
    const form = project(stored(runtimeClass()));
    assert.ok(form.kind === 'RuntimeClass');
    assert.deepEqual([form.handler, form.overhead, form.scheduling], ['kata', undefined, undefined]);
  });

  it('asks for no handler, for that of the class, or tells that there is no such class', () => {
    const having = {
      ...NO_OBJECTS,
      runtimeClass: (name: string) => (name === 'sandboxed' ? runtimeClass() : undefined),
    };
    assert.deepEqual(handlerOf(pod('web'), having), { ok: true, value: '' });
    assert.deepEqual(handlerOf(classed(), having), { ok: true, value: 'kata' });
    assert.deepEqual(handlerOf(classed(), NO_OBJECTS), {
      ok: false,
      message: 'runtimeclass.node.k8s.io "sandboxed" not found',
    });
  });
});

describe('a RuntimeClass in a commit', () => {
  const CLASS = `apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: kata}\n`;
  function told(ofClass: string, ofPod: string): string[] {
    const texts = {
      'class.yaml': `${CLASS}${ofClass}\n`,
      'pod.yaml': `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: a/b}]\n  ${ofPod}\n`,
    };
    const files = Object.entries(texts).map(([path, text]) =>
      parseManifest(path, path, new TextEncoder().encode(text)),
    );
    return composeState(files, []).diagnostics.map(formatDiagnostic);
  }

  const rows: readonly (readonly [string, string, RegExp | undefined])[] = [
    ['handler: kata', 'runtimeClassName: kata', undefined],
    ['handler: kata', 'runtimeClassName: ""', undefined],
    ['handler: kata', 'runtimeClassName: katta', /^pod\.yaml:6:\d+ UnknownRuntimeClass .*did you mean kata\?$/],
    ['handler: kata', 'overhead: {cpu: 1}', /^pod\.yaml:\d+:\d+ RuntimeClassConflict .*leave out overhead/],
    [
      'handler: kata\nscheduling: {nodeSelector: {a: b}}',
      'runtimeClassName: kata\n  nodeSelector: {a: c}',
      /RuntimeClassConflict .*nodeSelector\[a\] = b.*or RuntimeClass kata$/,
    ],
    ['handler: Kata', 'runtimeClassName: kata', /^class\.yaml:4:\d+ InvalidValue handler/],
    ['{}', 'runtimeClassName: kata', /class\.yaml/],
    [
      'handler: kata\noverhead: {podFixed: {cpu: -1}}',
      'runtimeClassName: kata',
      /^class\.yaml:5:\d+ InvalidValue overhead\.podFixed\.cpu must not be negative/,
    ],
    [
      'handler: kata\nscheduling: {tolerations: [{operator: Equal}]}',
      'runtimeClassName: kata',
      /^class\.yaml:5:\d+ MissingField scheduling\.tolerations\[0\]\.key is required/,
    ],
  ];
  for (const [ofClass, ofPod, expected] of rows)
    it(`${ofClass} beside ${ofPod}`, () => {
      const [first, ...more] = told(ofClass, ofPod);
      assert.deepEqual(more, []);
      if (expected) assert.match(first ?? '', expected);
      else assert.equal(first, undefined);
    });
});

describe('a plan', () => {
  const KEY = objectKey('Pod', 'default', 'web');
  const pods = (spec: string): ReturnType<typeof desired> =>
    desired(
      manifests(
        `apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: sandboxed}\nhandler: kata\nscheduling: ${JSON.stringify(FULL.scheduling)}\n`,
        `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {runtimeClassName: sandboxed, containers: [{name: c, image: a/b}]${spec}}\n`,
      ),
    );
  const rows: readonly (readonly [string, string])[] = [
    ['nothing of its own', ''],
    ['labels and tolerations of its own', ', nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}]'],
  ];
  for (const [title, spec] of rows)
    it(`leaves what the class gave a pod that has ${title}`, () => {
      const git = pods(spec);
      const made = carryOut(new Map(), planSync(planInput({ desired: git })));
      const live = edited(made, KEY, (object) => withRuntimeClass(object as Pod, runtimeClass()));
      assert.notDeepEqual(live.get(KEY), made.get(KEY));
      assert.deepEqual(planSync(planInput({ applied: git, desired: git, live })).items, []);
      assert.deepEqual(planSync(planInput({ desired: git, live })).items, [], 'nor where nobody knows what was before');
    });

  const toleration = (key: string): string => `{key: ${key}, operator: Exists}`;
  const changes: readonly (readonly [title: string, before: string, after: string, refused: RegExp | undefined])[] = [
    ['a first toleration', '', `, tolerations: [${toleration('b')}]`, undefined],
    [
      'one more toleration',
      `, tolerations: [${toleration('a')}]`,
      `, tolerations: [${toleration('a')}, ${toleration('b')}]`,
      undefined,
    ],
    [
      'another toleration in place of one',
      `, tolerations: [${toleration('a')}]`,
      `, tolerations: [${toleration('b')}]`,
      /tolerations cannot be taken away/,
    ],
  ];
  for (const [title, before, after, refused] of changes)
    it(`${refused ? 'refuses' : 'has'} ${title}, beside those that the class gave`, () => {
      const [applied, wanted] = [pods(before), pods(after)];
      const made = carryOut(new Map(), planSync(planInput({ desired: applied })));
      const live = edited(made, KEY, (object) => withRuntimeClass(object as Pod, runtimeClass()));
      const input = planInput({ applied, desired: wanted, live });
      const plan = planSync(input);
      const why = checkPlan(input, plan).map(({ message }) => message);
      if (refused) return assert.match(why.join(), refused);
      assert.deepEqual(why, []);
      const changed = carryOut(live, plan);
      const anew = withRuntimeClass(wanted.get(KEY)?.object as Pod, runtimeClass());
      assert.ok(anew.spec.tolerations.some(({ key }) => key === 'b'));
      assert.deepEqual((changed.get(KEY) as Pod).spec.tolerations, anew.spec.tolerations);
      assert.deepEqual(planSync(planInput({ applied: wanted, desired: wanted, live: changed })).items, []);
    });

  it('with other labels of a pod has them', () => {
    const [before, after] = [pods(', nodeSelector: {disk: ssd}'), pods(', nodeSelector: {disk: hdd}')];
    const made = carryOut(new Map(), planSync(planInput({ desired: before })));
    const [item] = planSync(planInput({ applied: before, desired: after, live: made })).items;
    assert.ok(item?.action === 'update' && item.object.kind === 'Pod');
    assert.deepEqual(item.object.spec.nodeSelector, { disk: 'hdd' });
  });
});

describe('after the store was lost', () => {
  it('pods with what their class gave them are known again, and so are those from before it gave that', () => {
    const old = { ...classed(), metadata: { ...classed().metadata, name: 'old' } };
    const objects = [cluster(), runtimeClass(), classed(), old];
    const applied = new Map(
      objects.map((object) => [
        keyOf(object),
        { key: keyOf(object), object, written: { ...object }, position: { file: 'a.yaml', line: 1, column: 1 } },
      ]),
    );
    const claim = (made: Pod): Claim =>
      Claim.parse({
        ...made,
        metadata: { ...made.metadata, uid: `uid-${made.metadata.name}`, creationTimestamp: '2026-01-01T00:00:00Z' },
        spec: { ...made.spec, nodeName: 'a' },
      });
    const { objects: found, refused } = recoverState({
      words: [{ node: 'a', claims: [claim(withRuntimeClass(classed(), runtimeClass())), claim(old)], pods: [] }],
      silent: [],
      machines: [machine('a', { maxPods: 20 })],
      source: { name: 'main', url: 'git', branch: 'main' },
      appliedRevision: undefined,
      applied,
      templates: new Map(),
      incarnation: 'i',
      now: NOW,
    });
    assert.deepEqual(refused, []);
    const of = (name: string): unknown => {
      const recovered = found.find((object) => keyOf(object) === objectKey('Pod', 'default', name));
      return recovered?.kind === 'Pod' ? [recovered.spec.overhead, recovered.spec.nodeSelector] : undefined;
    };
    assert.deepEqual(of('web'), [FULL.overhead.podFixed, FULL.scheduling.nodeSelector]);
    assert.deepEqual(of('old'), [undefined, undefined]);
  });
});
