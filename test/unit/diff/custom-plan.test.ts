/** Plans with objects of custom kinds beside the others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  customKey,
  RESOURCE,
  type CustomKey,
  type KubeObject,
  type ObjectKey,
  type Unstructured,
} from '../../../contracts/objects/index.ts';
import {
  checkPlan,
  formatPlan,
  itemsInOrder,
  planInput,
  planSync,
  SOURCE_ANNOTATION,
  type Plan,
} from '../../../reconciler/core/diff/index.ts';
import { NOTHING_DESIRED, type Desired } from '../../../reconciler/core/manifests/index.ts';
import { DEFINITION, WIDGET } from '../manifests/definitions.ts';
import { deployment, manifests, wanted } from './states.ts';

const KEY = customKey('widgets.example.com', 'default', 'a');

interface Live {
  readonly typed: ReadonlyMap<ObjectKey, KubeObject>;
  readonly custom: ReadonlyMap<CustomKey, Unstructured>;
}
const NOTHING: Live = { typed: new Map(), custom: new Map() };

function plan(applied: Desired, desired: Desired, live: Live): Plan {
  return planSync(planInput('main', applied, desired, live.typed, live.custom));
}

/** What is there after a revision was put in force in an empty cluster, with changes of others to the widget. */
function inForce(desired: Desired, change: (widget: Unstructured) => Unstructured = (widget) => widget): Live {
  const { items, custom } = plan(NOTHING_DESIRED, desired, NOTHING);
  return {
    typed: new Map(items.map(({ key, object }) => [key, object])),
    custom: new Map(custom.map(({ key, object }) => [key, change(object)])),
  };
}
const lines = (of: Plan): string[] => itemsInOrder(of).map(({ action, key }) => `${action} ${key}`);
const both = wanted(manifests(DEFINITION, WIDGET, deployment('web')));

describe('a plan with custom objects', () => {
  it('makes them last, and deletes them first', () => {
    assert.deepEqual(lines(plan(NOTHING_DESIRED, both, NOTHING)), [
      'create customresourcedefinitions.apiextensions.k8s.io//widgets.example.com',
      'create deployments.apps/default/web',
      `create ${KEY}`,
    ]);
    assert.deepEqual(lines(plan(both, NOTHING_DESIRED, inForce(both))), [
      `delete ${KEY}`,
      'delete deployments.apps/default/web',
      'delete customresourcedefinitions.apiextensions.k8s.io//widgets.example.com',
    ]);
  });

  it('changes nothing where it was carried out', () => {
    assert.deepEqual(lines(plan(both, both, inForce(both))), []);
  });

  it('keeps what others wrote, entries of list-maps too, and puts back what Git writes', () => {
    const live = inForce(both, (widget) => ({
      ...widget,
      spec: { size: 9, mode: 'fast', parts: [{ name: 'x', count: 2 }, { name: 'theirs' }] },
      status: { seen: true },
    }));
    const { custom, counts } = plan(both, both, live);
    const [item] = custom;
    assert.ok(item?.action === 'update');
    assert.equal(item.reason, 'drift');
    assert.equal(item.object[RESOURCE], 'widgets.example.com', 'the resource goes with the object');
    assert.deepEqual(item.object['spec'], {
      size: 3,
      mode: 'fast',
      parts: [{ name: 'x', count: 2 }, { name: 'theirs' }],
    });
    assert.deepEqual(item.object['status'], { seen: true });
    assert.deepEqual(item.patch, [{ op: 'replace', path: '/spec/size', value: 3 }]);
    assert.deepEqual(counts, { create: 0, update: 1, delete: 0 });
  });

  it('names the owner of a field that Git takes', () => {
    const managedFields = [
      {
        manager: 'operator',
        operation: 'Update' as const,
        apiVersion: 'example.com/v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1' as const,
        fieldsV1: { 'f:spec': { 'f:mode': {} } },
      },
    ];
    const live = inForce(both, (widget) => ({
      ...widget,
      metadata: { ...widget.metadata, managedFields },
      spec: { ...(widget['spec'] as object), mode: 'slow' },
    }));
    assert.deepEqual(lines(plan(both, both, live)), [], 'what Git does not write is theirs');
    const written = wanted(
      manifests(DEFINITION, WIDGET.replace('size: 3', 'size: 3\n  mode: fast'), deployment('web')),
    );
    const [item] = plan(both, written, live).custom;
    assert.deepEqual(item?.action === 'update' && item.conflicts, [
      { field: 'spec.mode', owner: 'operator', writes: 'fast' },
    ]);
  });

  it('deletes none of another source, and refuses to write one', () => {
    const live = inForce(both, (widget) => ({
      ...widget,
      metadata: { ...widget.metadata, annotations: { [SOURCE_ANNOTATION]: 'other' } },
    }));
    const withoutIt = wanted(manifests(DEFINITION, deployment('web')));
    assert.deepEqual(lines(plan(both, withoutIt, live)), []);
    const refusals = checkPlan(planInput('main', both, both, live.typed, live.custom));
    assert.deepEqual(
      refusals.map(({ code, message }) => `${code} ${message}`),
      ['OwnedByOtherSource Widget default/a is applied by the source other already'],
    );
  });

  it('is held to the prune limit with all its objects', () => {
    const cluster = (percent: number): string =>
      `{apiVersion: plumbline.dev/v1alpha1, kind: Cluster, metadata: {name: c}, spec: {sync: {maxPrunePercent: ${percent}}}}`;
    const widgets = ['a', 'b', 'c'].map((name) => WIDGET.replace('name: a', `name: ${name}`));
    const before = wanted(manifests(cluster(50), DEFINITION, ...widgets));
    const live = inForce(before);
    for (const [percent, expected] of [
      [50, ['PruneLimit']],
      [60, []],
    ] as const) {
      const after = wanted(manifests(cluster(percent), DEFINITION));
      const input = planInput('main', before, after, live.typed, live.custom);
      assert.deepEqual(
        checkPlan(input).map(({ code }) => code),
        expected,
      );
    }
  });

  it('is shown with them', () => {
    const more = wanted(manifests(DEFINITION, WIDGET.replace('size: 3', 'size: 4'), deployment('web')));
    assert.equal(
      formatPlan(plan(both, more, inForce(both)), 'text'),
      [
        '~ widgets.example.com/default/a',
        '    spec.size: 3 -> 4',
        '',
        'Plan: 0 to create, 1 to update, 0 to delete.',
      ].join('\n'),
    );
    const json = JSON.parse(formatPlan(plan(NOTHING_DESIRED, both, NOTHING), 'json')) as {
      items: { key: string; object: { spec: unknown } }[];
    };
    assert.deepEqual(json.items.at(-1)?.key, KEY);
  });
});
