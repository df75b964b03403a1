/** Goes through every kind and every facet: what is missing, or says two things, fails here before anything runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CLAIMED_KINDS } from '../../../contracts/agent/index.ts';
import {
  ALL_KINDS,
  fieldSemantics,
  KINDS,
  type FieldSemantics,
  type Kind,
  type KubeObject,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { worksOn } from '../../../reconciler/controllers/runtime/controller.ts';
import { fieldAt } from '../../../reconciler/core/diff/fixed-fields.ts';
import { descriptorOf, DESCRIPTORS, type KindDescriptor } from '../../../reconciler/core/kinds/index.ts';
import { TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { EXAMPLES } from './examples.ts';

type Table = Readonly<Record<Kind, KindDescriptor<Kind>>>;
type Rule = (kind: Kind, of: KindDescriptor<Kind>, table: Table) => boolean;

const FACETS: readonly (keyof KindDescriptor<Kind>)[] = [
  'categories',
  'check',
  'columns',
  'compared',
  'deletion',
  'fixed',
  'health',
  'identity',
  'listed',
  'owns',
  'placement',
  'podTemplate',
  'reach',
  'recovery',
  'references',
  'scale',
  'sealed',
  'selector',
  'subresources',
  'summary',
  'wave',
];
/** Garbage is collected of all kinds. */
const KEEPERS = allControllers().filter((one) => one !== garbageCollector);
/** Their controllers keep nothing of them that could be other than it should. */
const WITHOUT_HEALTH: readonly Kind[] = ['Namespace', 'Cluster', 'DeschedulerPolicy', 'NetworkPolicy'];

/** Kubernetes has no scale subresource of these: a budget over their pods can only say a number that stays. */
const UNSCALED: readonly Kind[] = ['DaemonSet', 'Job', 'CronJob'];

const orderOf = ({ recovery }: KindDescriptor<Kind>): number =>
  typeof recovery === 'string' ? Number.POSITIVE_INFINITY : recovery.order;
const isRebuilt = (of: KindDescriptor<Kind>): boolean => Number.isFinite(orderOf(of));
const isFrom = ({ recovery }: KindDescriptor<Kind>, source: 'git' | 'nodes' | 'computed'): boolean =>
  typeof recovery !== 'string' && recovery.from === source;
const isWritten = ({ identity }: KindDescriptor<Kind>): boolean => identity.manifest !== undefined;

/** Whether a value is chosen for the object at this place or below. */
function hasAllocated({ allocated = [], fields = {}, values }: FieldSemantics): boolean {
  return (
    allocated.length > 0 || Object.values(fields).some(hasAllocated) || (values !== undefined && hasAllocated(values))
  );
}

/** This kind and all that it owns, down to the last. A kind that owns itself is not followed for ever. */
function chain(kind: Kind, table: Table, above: readonly Kind[] = []): readonly Kind[] {
  return above.includes(kind)
    ? [kind, kind]
    : [kind, ...table[kind].owns.flatMap((owned) => chain(owned, table, [...above, kind]))];
}

/** What holds between the facets of a kind. */
const RULES: Readonly<Record<string, Rule>> = {
  'it has every facet': (_kind, of) => FACETS.every((facet) => of[facet] !== undefined),
  'it has no facet that nobody looks through here': (_kind, of) =>
    Object.keys(of).every((name) => FACETS.some((facet) => facet === name)),
  'it is the kind that it is listed as': (kind, of) => of.identity === KINDS[kind],
  'it is listed by name, or tells its objects in its own way': (_kind, of) =>
    of.columns[0]?.heading === 'NAME' || of.listed !== 'by key',
  'its headings are different': (_kind, of) =>
    new Set(of.columns.map(({ heading }) => heading)).size === of.columns.length,
  'only what is in manifests is checked and compared': (_kind, of) =>
    isWritten(of) || (of.check === 'by its schema' && of.compared === 'none'),

  'what makes pods owns them, or what does': (kind, of, table) =>
    of.podTemplate === 'none' || chain(kind, table).includes('Pod'),
  'what owns pods says how they are': (kind, of, table) =>
    of.podTemplate !== 'none' || !chain(kind, table).includes('Pod'),
  'what makes pods says what they need': (_kind, of) => of.podTemplate === 'none' || of.references !== 'none',
  'no kind owns itself': (kind, _of, table) => new Set(chain(kind, table)).size === chain(kind, table).length,
  'what it owns says one line of itself': (_kind, of, table) =>
    of.owns.every((owned) => table[owned].summary !== 'none'),
  'what it owns is created no earlier': (_kind, of, table) => of.owns.every((owned) => table[owned].wave >= of.wave),
  'what makes pods says which are its own': (_kind, of) => of.owns.length === 0 || of.selector !== 'none',
  'what is scaled has pods and a selector': (_kind, of) =>
    of.scale === 'none' || (of.podTemplate !== 'none' && of.selector !== 'none'),
  'what has pods of its own is scaled, so that budgets count it': (kind, of) =>
    UNSCALED.includes(kind) || of.podTemplate === 'none' || of.podTemplate.path.length === 0 || of.scale !== 'none',

  'what a node holds is not lost with the store': (_kind, of) => of.reach === 'none' || of.recovery !== 'lost',
  'only what nodes hold is taken from them': (_kind, of) => !isFrom(of, 'nodes') || of.reach !== 'none',
  'the protocol has a claim of what is taken from nodes': (kind, of) =>
    isFrom(of, 'nodes') === CLAIMED_KINDS.some((claimed) => claimed === kind),
  'an owner is rebuilt before what it owns: its uid would be a new one else, and its pods orphans': (
    _kind,
    of,
    table,
  ) => of.owns.length === 0 || (isRebuilt(of) && of.owns.every((owned) => orderOf(table[owned]) > orderOf(of))),
  'what was given out is taken from nodes, as nobody else knows it': (kind, of) =>
    !hasAllocated(fieldSemantics(kind)) || isFrom(of, 'nodes'),
  'what comes from Git is in manifests': (_kind, of) =>
    isWritten(of) || !(isFrom(of, 'git') || of.recovery === 'with the first sync'),
  'no two are rebuilt at one place': (kind, of, table) =>
    !isRebuilt(of) || ALL_KINDS.every((other) => other === kind || orderOf(table[other]) !== orderOf(of)),

  'secrets go to no node that has no use for them': (_kind, of) =>
    of.sealed.length === 0 || of.reach === 'none' || of.reach.how === 'followed',
  'only what a node holds waits for the node to let it go': (_kind, of) =>
    typeof of.deletion === 'string' || of.reach !== 'none',
  'only pods have logs': (_kind, of) =>
    of.subresources.length === 0 || (of.podTemplate !== 'none' && of.podTemplate.path.length === 0),
  'what a controller keeps has a health': (kind, of) =>
    WITHOUT_HEALTH.includes(kind) ||
    !isWritten(of) ||
    of.health !== 'stored' ||
    !KEEPERS.some((one) => worksOn(one, kind)),
};

function contradictions(table: Table): string[] {
  return ALL_KINDS.flatMap((kind) =>
    Object.entries(RULES).flatMap(([name, rule]) => (rule(kind, table[kind], table) ? [] : [`${kind}: ${name}`])),
  );
}
/** The table with one kind's facets changed. */
function changed(kind: Kind, facets: Partial<Record<keyof KindDescriptor<Kind>, unknown>>): Table {
  return { ...DESCRIPTORS, [kind]: { ...DESCRIPTORS[kind], ...facets } };
}

describe('descriptors of kinds', () => {
  it('README.md names every kind that a manifest may have', () => {
    const text = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    assert.deepEqual(
      ALL_KINDS.filter((kind) => KINDS[kind].manifest && !text.includes(`\`${kind}\``)),
      [],
    );
  });

  it('there is one of every kind', () => {
    assert.deepEqual(Object.keys(DESCRIPTORS).sort(), [...ALL_KINDS].sort());
  });

  it('none contradicts itself or another', () => {
    assert.deepEqual(contradictions(DESCRIPTORS), []);
  });

  const mistakes: readonly (readonly [string, Table, RegExp])[] = [
    ['a facet that is missing', changed('Machine', { health: undefined }), /^Machine: it has every facet/],
    [
      'a workload that the rebuilt store does not have',
      changed('Deployment', { recovery: 'with the first sync' }),
      /^Deployment: an owner is rebuilt before what it owns/,
    ],
    [
      'a workload that is rebuilt after its ReplicaSets',
      changed('Deployment', { recovery: { from: 'git', order: 45 } }),
      /^Deployment: an owner is rebuilt before what it owns/,
    ],
    [
      'a kind on nodes that is lost with the store',
      changed('ConfigMap', { recovery: 'lost' }),
      /^ConfigMap: what a node holds is not lost/,
    ],
    [
      'addresses that are given out and not asked for again',
      changed('Service', { recovery: { from: 'git', order: 20 } }),
      /^Service: what was given out is taken from nodes/,
    ],
    [
      'a pod template of a kind that owns nothing',
      changed('ReplicaSet', { owns: [] }),
      /^ReplicaSet: what makes pods owns/,
    ],
    ['a workload whose pods no budget counts', changed('ReplicaSet', { scale: 'none' }), /^ReplicaSet: what has pods/],
    [
      'a kind with a controller and no health',
      changed('Service', { health: 'stored' }),
      /^Service: what a controller keeps/,
    ],
    ['kinds that own each other', changed('Pod', { owns: ['ReplicaSet'] }), /^ReplicaSet: no kind owns itself/],
    [
      'a Secret on every node',
      changed('Secret', { reach: { how: 'shared', form: (object: Stored) => object } }),
      /^Secret: secrets go to no node/,
    ],
    [
      'a facet that nobody looks at',
      changed('Event', { colour: 'red' } as object),
      /^Event: it has no facet that nobody/,
    ],
  ];
  for (const [name, table, told] of mistakes) {
    it(`tells of ${name}`, () => {
      assert.ok(
        contradictions(table).some((line) => told.test(line)),
        contradictions(table).join('\n'),
      );
    });
  }
});

describe('the facets of an object', () => {
  const seen = { now: new Date(TIME), unheard: new Set<string>() };
  for (const kind of ALL_KINDS) {
    const object: KubeObject = EXAMPLES[kind];
    const of = descriptorOf(kind);

    it(`${kind} has text in every column`, () => {
      for (const column of of.columns) assert.equal(typeof column.cell(object, seen), 'string', column.heading);
    });

    it(`${kind} is judged`, () => {
      if (of.health === 'stored') return;
      const { status, message } = of.health.judge(object, new World());
      assert.match(`${status}: ${message}`, /^(Healthy|Progressing|Degraded|Suspended|Missing): .+/);
    });

    it(`${kind} is what its paths say`, () => {
      if (of.podTemplate !== 'none') assert.equal(fieldAt(object, of.podTemplate.path), of.podTemplate.of(object));
      if (of.scale !== 'none')
        assert.deepEqual(
          [of.scale.replicas, of.scale.statusReplicas].map((path) => fieldAt(object, path)),
          [3, 3],
        );
      if (of.references !== 'none') assert.deepEqual(of.references.of(object), []);
    });

    it(`${kind} may stay as it is`, () => {
      const change = { live: object, after: object, wanted: object, applied: undefined };
      assert.deepEqual(
        of.fixed.flatMap((field) => field.broken(change) ?? []),
        [],
      );
    });

    it(`${kind} keeps its name on the way to a node`, () => {
      if (of.reach === 'none') return;
      const metadata = { ...object.metadata, uid: 'u1', resourceVersion: '7', generation: 1, creationTimestamp: TIME };
      const form = of.reach.form({ ...object, metadata });
      const { name, uid, creationTimestamp } = form.metadata;
      assert.deepEqual([form.kind, name, uid, creationTimestamp], [kind, object.metadata.name, 'u1', TIME]);
    });
  }
});
