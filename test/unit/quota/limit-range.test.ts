/** LimitRanges: what they fill in, what they refuse, and that pods they changed are known again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  keyOf,
  LimitRangeManifest,
  objectKey,
  type KubeObject,
  type LimitRange,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { claimViolations, limitViolations, withLimitDefaults } from '../../../reconciler/core/quota/limit-range.ts';
import { NOW, stored, viewOf } from '../admission/objects.ts';
import { cluster, machine, pod } from '../controllers/objects.ts';

type Item = Record<string, unknown>;

function range(...limits: readonly Item[]): LimitRange {
  return named('limits', ...limits);
}
function named(name: string, ...limits: readonly Item[]): LimitRange {
  return LimitRangeManifest.parse({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name, namespace: 'default' },
    spec: { limits },
  });
}
/** A pod with one container that has these resources. */
function asking(resources: Pod['spec']['containers'][number]['resources'] = {}): Pod {
  const plain = pod('web');
  return { ...plain, spec: { ...plain.spec, containers: plain.spec.containers.map((c) => ({ ...c, resources })) } };
}
const resourcesOf = (filled: Pod): unknown => filled.spec.containers[0]?.resources;

describe('defaults of a LimitRange', () => {
  const rows: readonly (readonly [string, LimitRange[], Parameters<typeof asking>[0], unknown])[] = [
    ['nothing where it says none', [range({ type: 'Pod', max: { cpu: '1' } })], {}, {}],
    [
      'limits and requests that are not said',
      [range({ type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '100m' } })],
      { requests: { memory: '10Mi' } },
      { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m', memory: '10Mi' } },
    ],
    [
      'the most as the limit and the request, where it names no default',
      [range({ type: 'Container', max: { cpu: '2' } })],
      {},
      { limits: { cpu: '2' }, requests: { cpu: '2' } },
    ],
    ['the least as the request', [range({ type: 'Container', min: { cpu: '50m' } })], {}, { requests: { cpu: '50m' } }],
    [
      'of two LimitRanges the first by name',
      [
        named('b', { type: 'Container', default: { cpu: '2' } }),
        named('a', { type: 'Container', default: { cpu: '1' } }),
      ],
      {},
      { limits: { cpu: '1' }, requests: { cpu: '1' } },
    ],
    [
      'nothing that is said',
      [range({ type: 'Container', default: { cpu: '1' } })],
      { limits: { cpu: '3' }, requests: { cpu: '3' } },
      { limits: { cpu: '3' }, requests: { cpu: '3' } },
    ],
  ];
  for (const [what, ranges, resources, expected] of rows)
    it(`fill in ${what}`, () => {
      const filled = withLimitDefaults(asking(resources), ranges);
      assert.deepEqual(resourcesOf(filled), expected);
      assert.equal(withLimitDefaults(filled, ranges), filled, 'doing it again changes nothing');
    });

  it('are told of in an annotation', () => {
    const filled = withLimitDefaults(asking(), [range({ type: 'Container', default: { cpu: '1', memory: '1Gi' } })]);
    assert.equal(
      filled.metadata.annotations?.['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: cpu, memory request for container app; cpu, memory limit for container app',
    );
  });
});

describe('bounds of a LimitRange', () => {
  const rows: readonly (readonly [Item, Parameters<typeof asking>[0], RegExp | undefined])[] = [
    [{ type: 'Container', min: { cpu: '100m' } }, { requests: { cpu: '100m' } }, undefined],
    [
      { type: 'Container', min: { cpu: '100m' } },
      { requests: { cpu: '50m' } },
      /minimum cpu .* is 100m, but request is 50m/,
    ],
    [
      { type: 'Container', max: { memory: '1Gi' } },
      { limits: { memory: '2Gi' } },
      /maximum memory .* is 1Gi, but limit is 2Gi/,
    ],
    [{ type: 'Pod', max: { memory: '1Gi' } }, {}, /maximum memory usage per Pod is 1Gi\. {2}No limit is specified/],
    [{ type: 'Pod', max: { cpu: '1' } }, { limits: { cpu: '1' }, requests: { cpu: '1' } }, undefined],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { limits: { cpu: '3' }, requests: { cpu: '1' } },
      /cpu max limit to request ratio per Container is 2, but provided ratio is 3/,
    ],
    [{ type: 'Container', maxLimitRequestRatio: { cpu: '2' } }, {}, /but no request is specified/],
  ];
  for (const [item, resources, expected] of rows)
    it(`${JSON.stringify(item)} and ${JSON.stringify(resources)}`, () => {
      const [why, ...more] = limitViolations(asking(resources).spec, [range(item)]);
      assert.deepEqual(more, []);
      if (expected) assert.match(why ?? '', expected);
      else assert.equal(why, undefined);
    });
});

describe('bounds of a LimitRange for claims', () => {
  const asked = (storage: string): readonly string[] =>
    claimViolations({ accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } }, [
      range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '5Gi' } }),
    ]);
  it('hold what they ask for', () => {
    assert.deepEqual(asked('2Gi'), []);
    assert.match(asked('1Mi')[0] ?? '', /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi/);
    assert.match(asked('6Gi')[0] ?? '', /maximum storage usage per PersistentVolumeClaim is 5Gi, but limit is 6Gi/);
  });
});

describe('a pod that is made in a namespace with a LimitRange', () => {
  const ranges = stored(range({ type: 'Container', default: { cpu: '1' }, max: { cpu: '2' } }));
  const create = (object: KubeObject): ReturnType<typeof admit> =>
    admit({
      operation: 'create',
      object,
      by: 'replicaset-controller',
      now: NOW,
      view: viewOf(new Map([[keyOf(ranges), ranges]])),
    });

  it('has its defaults', () => {
    const verdict = create(asking());
    assert.ok(verdict.admitted && verdict.write?.op === 'create' && verdict.write.object.kind === 'Pod');
    assert.deepEqual(resourcesOf(verdict.write.object as Pod), { limits: { cpu: '1' }, requests: { cpu: '1' } });
  });

  it('is refused beyond its bounds', () => {
    const verdict = create(asking({ limits: { cpu: '3' }, requests: { cpu: '3' } }));
    assert.ok(!verdict.admitted);
    assert.equal(verdict.reason, 'Forbidden');
    assert.match(verdict.message, /^create Pod\/default\/web: maximum cpu usage per Container is 2, but limit is 3/);
  });
});

describe('a LimitRange in a commit', () => {
  function told(limits: string, resources = '{}'): string[] {
    const texts = {
      'limits.yaml': `apiVersion: v1\nkind: LimitRange\nmetadata: {name: limits}\nspec:\n  limits:\n  - ${limits}\n`,
      'pod.yaml': `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: a/b, resources: ${resources}}]\n`,
    };
    const files = Object.entries(texts).map(([path, text]) =>
      parseManifest(path, path, new TextEncoder().encode(text)),
    );
    return composeState(files, []).diagnostics.map(formatDiagnostic);
  }

  const rows: readonly (readonly [string, string, RegExp | undefined])[] = [
    ['{type: Container, max: {cpu: 2}}', '{}', undefined],
    ['{type: Container, max: {cpu: 2}}', '{limits: {cpu: 3}}', /^pod\.yaml:4:1 LimitRangeExceeded spec: maximum cpu/],
    [
      '{type: Container, min: {cpu: 2}, max: {cpu: 1}}',
      '{limits: {cpu: 1}}',
      /^limits\.yaml:6:\d+ InvalidValue spec\.limits\[0\]\.min\.cpu must be at most max \(1\), found 2/,
    ],
    [
      '{type: Pod, default: {cpu: 1}}',
      '{}',
      /^limits\.yaml:6:\d+ InvalidValue spec\.limits\[0\]\.default may not be set/,
    ],
    [
      '{type: Container, maxLimitRequestRatio: {cpu: 500m}}',
      '{limits: {cpu: 1}}',
      /InvalidValue .* must be at least 1/,
    ],
    ['{type: PersistentVolumeClaim, max: {cpu: 1}}', '{}', /MissingField .* needs storage in min or max/],
    ['{type: Node}', '{}', /InvalidValue|UnsupportedValue/],
  ];
  for (const [limits, resources, expected] of rows)
    it(`${limits} beside ${resources}`, () => {
      const [first] = told(limits, resources);
      if (expected) assert.match(first ?? '', expected);
      else assert.equal(first, undefined);
    });
});

describe('after the store was lost', () => {
  it('pods with defaults of a LimitRange are known again, and so are those from before it was there', () => {
    const limits = range({ type: 'Container', default: { cpu: '1' } });
    const objects = [cluster(), limits, asking(), { ...asking(), metadata: { ...asking().metadata, name: 'old' } }];
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
    const old = { ...asking(), metadata: { ...asking().metadata, name: 'old' } };
    const { objects: found, refused } = recoverState({
      words: [{ node: 'a', claims: [claim(withLimitDefaults(asking(), [limits])), claim(old)], pods: [] }],
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
      return recovered?.kind === 'Pod' ? resourcesOf(recovered) : undefined;
    };
    assert.deepEqual([of('web'), of('old')], [{ limits: { cpu: '1' }, requests: { cpu: '1' } }, {}]);
  });
});
