import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fieldSemantics,
  keyOf,
  type Deployment,
  type KubeObject,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { formatPlan, planSync } from '../../../reconciler/core/diff/index.ts';
import { managedFields } from '../../../reconciler/core/fields/managed-fields.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { carryOut, deployment, desired, planInput } from '../diff/states.ts';

const GIT = 'git:main';
const LATER = '2024-01-01T00:00:00Z';
const HPA = 'horizontal-pod-autoscaler';
const unwritten = (image = 'hello:1'): DesiredState =>
  desired(deployment('web', { image }).replace('"replicas":1,', ''));
const made = (state: DesiredState): Deployment => {
  const [object] = carryOut(new Map(), planSync(planInput({ desired: state }))).values();
  assert.ok(object?.kind === 'Deployment');
  return object;
};
const scaled = (object: Deployment, replicas: number): Deployment => ({
  ...object,
  spec: { ...object.spec, replicas },
});
const annotated = (object: Deployment, key: string, value: string): Deployment => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [key]: value } },
});
const kept = (object: Deployment, ...finalizers: string[]): Deployment => ({
  ...object,
  metadata: { ...object.metadata, finalizers },
});
/** The object as `by` wrote it, with its owners. */
function wrote(before: Deployment, after: Deployment, by: string, time = LATER): Deployment {
  const entries = managedFields(before, after, by, GIT, time, fieldSemantics(after.kind));
  const { managedFields: _, ...metadata } = after.metadata;
  return { ...after, metadata: { ...metadata, ...(entries && { managedFields: entries }) } };
}
const owners = (object: KubeObject): unknown =>
  (object.metadata.managedFields ?? []).map(({ manager, fieldsV1 }) => [manager, fieldsV1]);
const REPLICAS = { 'f:spec': { 'f:replicas': {} } };

describe('owners of fields', () => {
  const web = made(unwritten());
  const seven = wrote(web, scaled(web, 7), HPA);

  it('are kept in the form of Kubernetes, of others than Git', () => {
    assert.deepEqual(seven.metadata.managedFields, [
      {
        manager: HPA,
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: LATER,
        fieldsType: 'FieldsV1',
        fieldsV1: REPLICAS,
      },
    ]);
  });

  const nine = scaled(seven, 9);
  const cases: readonly (readonly [name: string, object: Deployment, expected: unknown])[] = [
    ['Git alone leaves none', wrote(web, scaled(web, 3), GIT), []],
    ['whoever writes a field takes it', wrote(seven, nine, 'user:alice'), [['user:alice', REPLICAS]]],
    ['Git takes it too', wrote(seven, nine, GIT), []],
    [
      "a status is nobody else than its controller's",
      wrote(web, { ...web, status: { ...web.status } as never }, 'deployment'),
      [],
    ],
    [
      'each has its own',
      wrote(seven, annotated(seven, 'example.com/a', 'b'), 'user:alice'),
      [
        [HPA, REPLICAS],
        ['user:alice', { 'f:metadata': { 'f:annotations': { 'f:example.com/a': {} } } }],
      ],
    ],
    [
      "what is taken away is nobody's",
      wrote(seven, { ...seven, spec: { ...seven.spec, replicas: undefined as never } }, HPA),
      [],
    ],
    [
      'values of sets are known by themselves, and each has an owner',
      wrote(kept(web, 'example.com/a'), kept(web, 'example.com/a', 'example.com/b'), 'user:alice'),
      [['user:alice', { 'f:metadata': { 'f:finalizers': { 'v:"example.com/b"': {} } } }]],
    ],
    [
      'who adds the first value of a set has no other',
      (() => {
        const first = wrote(web, kept(web, 'example.com/a'), 'user:alice');
        return wrote(first, kept(first, 'example.com/a', 'example.com/b'), 'user:bob');
      })(),
      [
        ['user:alice', { 'f:metadata': { 'f:finalizers': { 'v:"example.com/a"': {} } } }],
        ['user:bob', { 'f:metadata': { 'f:finalizers': { 'v:"example.com/b"': {} } } }],
      ],
    ],
    [
      "a value that is taken out of a set is nobody's",
      (() => {
        const first = wrote(web, kept(web, 'example.com/a', 'example.com/b'), 'user:alice');
        return wrote(first, kept(first, 'example.com/b'), 'user:bob');
      })(),
      [['user:alice', { 'f:metadata': { 'f:finalizers': { 'v:"example.com/b"': {} } } }]],
    ],
    [
      'entries of lists are known by their keys',
      wrote(
        web,
        {
          ...web,
          spec: {
            ...web.spec,
            template: {
              ...web.spec.template,
              spec: {
                ...web.spec.template.spec,
                containers: web.spec.template.spec.containers.map((c) => ({ ...c, image: 'x' })),
              },
            },
          },
        },
        'user:alice',
      ),
      [
        [
          'user:alice',
          { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:image': {} } } } } } },
        ],
      ],
    ],
  ];
  for (const [name, object, expected] of cases)
    it(name, () => {
      assert.deepEqual(owners(object), expected);
    });

  it('have a bound: of many managers, and of many fields', () => {
    let many = web;
    for (let i = 0; i < 30; i++) many = wrote(many, annotated(many, `example.com/${i}`, 'x'), `user:${i}`);
    assert.equal(many.metadata.managedFields?.length, 10);
    assert.equal(many.metadata.managedFields[0]?.manager, 'ancient-changes');
    const annotations = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`example.com/${i}`, 'x']));
    const wide = wrote(web, { ...web, metadata: { ...web.metadata, annotations } }, 'user:alice');
    assert.deepEqual(owners(wide), [['user:alice', { 'f:metadata': { 'f:annotations': {} } }]]);
  });

  it('are kept of no object that comes from no Git', () => {
    assert.equal(managedFields(web, scaled(web, 7), HPA, undefined, LATER, fieldSemantics('Deployment')), undefined);
  });
});

describe('a plan over fields of others', () => {
  const before = unwritten();
  const web = made(before);
  const there = new Map<ObjectKey, KubeObject>([[keyOf(web), wrote(web, scaled(web, 7), HPA)]]);

  it('sets what Git begins to write, and names both owners', () => {
    const plan = planSync(
      planInput({ applied: before, desired: desired(deployment('web', { replicas: 3 })), live: there }),
    );
    assert.equal(
      formatPlan(plan, 'text'),
      [
        '~ Deployment/default/web',
        '    spec.replicas: 7 -> 3',
        `    conflict: spec.replicas is owned by ${HPA}; Git writes 3`,
        '',
        'Plan: 0 to create, 1 to update, 0 to delete.',
      ].join('\n'),
    );
  });

  it('tells no conflict where Git wrote the field before, or writes what is there', () => {
    const written = desired(deployment('web', { replicas: 3 }));
    const [item] = planSync(planInput({ applied: written, desired: written, live: there })).items;
    assert.ok(item?.action === 'update' && item.reason === 'drift' && item.conflicts === undefined);
    const same = desired(deployment('web', { replicas: 7 }));
    assert.deepEqual(planSync(planInput({ applied: before, desired: same, live: there })).items, []);
  });

  it('leaves a field that Git stops writing to who owns it', () => {
    const written = desired(deployment('web', { replicas: 7 }));
    assert.deepEqual(planSync(planInput({ applied: written, desired: before, live: there })).items, []);
  });

  it("keeps a person's finalizer beside those that Git writes, without a conflict", () => {
    const web = made(before);
    const live = wrote(web, kept(web, 'example.com/theirs'), 'user:alice');
    const withOurs = deployment('web', { image: 'hello:1' })
      .replace('"replicas":1,', '')
      .replace('"name":"web"', '"name":"web","finalizers":["example.com/ours"]');
    const there = new Map<ObjectKey, KubeObject>([[keyOf(live), live]]);
    const [item] = planSync(planInput({ applied: before, desired: desired(withOurs), live: there })).items;
    assert.ok(item?.action === 'update');
    assert.deepEqual(item.object.metadata.finalizers, ['example.com/ours', 'example.com/theirs']);
    assert.equal(item.conflicts, undefined);
  });
});
