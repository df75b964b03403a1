/** Objects against structural schemas: one rule a case. Source: Kubernetes, apiextensions-apiserver/pkg/apiserver/validation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../../reconciler/core/fields/json.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { withDefaults } from '../../../reconciler/core/structural/defaults.ts';
import { Budget } from '../../../reconciler/core/structural/limits.ts';
import { schemaProblems } from '../../../reconciler/core/structural/schema.ts';
import { schemaSemantics } from '../../../reconciler/core/structural/semantics.ts';
import { validateObject } from '../../../reconciler/core/structural/validate.ts';

/** Every form is looked at in each form around it. */
function nested(depth: number): JsonObject {
  let schema: JsonObject = { type: 'string' };
  for (let level = 0; level < depth; level++) schema = { anyOf: [schema, schema] };
  return schema;
}
class CountedBudget extends Budget {
  taken = 0;
  override take(steps = 1): boolean {
    this.taken += steps;
    return super.take(steps);
  }
}

/** A schema whose objects have one field. */
const of = (a: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties: { a }, ...more });

function told(schema: JsonObject, object: JsonObject): string[] {
  const whole = { apiVersion: 'x/v1', kind: 'X', metadata: {}, ...object };
  return finish(validateObject(schema, whole, new Budget())).map(({ path, code }) => `${path.join('.')} ${code}`);
}

const OPEN = { 'x-kubernetes-preserve-unknown-fields': true };
const SET = { type: 'array', items: OPEN, 'x-kubernetes-list-type': 'set' };
const mapBy = (...keys: readonly string[]): JsonObject => ({
  type: 'array',
  items: { type: 'object', ...OPEN },
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
});
const FORMS = {
  anyOf: [{ required: ['x'] }, { required: ['y'] }],
};
const CASES: readonly [title: string, schema: JsonObject, object: JsonObject, expected: string[]][] = [
  ['text for text', of({ type: 'string' }), { a: 'x' }, []],
  ['a number for text', of({ type: 'string' }), { a: 1 }, ['a WrongType']],
  ['a fraction for a whole number', of({ type: 'integer' }), { a: 1.5 }, ['a WrongType']],
  ['a fraction for a number', of({ type: 'number' }), { a: 1.5 }, []],
  ['a list for a map', of({ type: 'object' }), { a: [] }, ['a WrongType']],
  ['null', of({ type: 'string' }), { a: null }, ['a WrongType']],
  ['null where it may be', of({ type: 'string', nullable: true }), { a: null }, []],
  ['a port by name', of({ 'x-kubernetes-int-or-string': true }), { a: 'web' }, []],
  ['a port by number', of({ 'x-kubernetes-int-or-string': true }), { a: 80 }, []],
  ['neither', of({ 'x-kubernetes-int-or-string': true }), { a: true }, ['a WrongType']],
  ['values of a set', of(SET), { a: ['x', 1, '1', null, { b: 1, c: 2 }] }, []],
  [
    'values of a set that are there again',
    of(SET),
    { a: ['x', 1, 'x', 1, 'x'] },
    ['a.2 InvalidValue', 'a.3 InvalidValue'],
  ],
  [
    'maps of a set that are there again',
    of(SET),
    {
      a: [
        { b: 1, c: [2] },
        { c: [2], b: 1 },
      ],
    },
    ['a.1 InvalidValue'],
  ],
  ['values of a list that are there again', of({ ...SET, 'x-kubernetes-list-type': 'atomic' }), { a: [1, 1] }, []],
  ['entries of a list-map', of(mapBy('b')), { a: [{ b: 'x' }, { b: 'y' }, { c: 1 }] }, []],
  ['a key that is there again', of(mapBy('b')), { a: [{ b: 'x' }, { b: 'x', c: 1 }] }, ['a.1 InvalidValue']],
  ['entries without the key', of(mapBy('b')), { a: [{ c: 1 }, { c: 2 }, { c: 3 }] }, ['a.1 InvalidValue']],
  ['one of two keys that is there again', of(mapBy('b', 'c')), { a: [{ b: 1, c: 1 }, { b: 1, c: 2 }, { b: 1 }] }, []],
  [
    'two keys that are there again',
    of(mapBy('b', 'c')),
    {
      a: [
        { c: 1, b: 1 },
        { b: 1, c: 1 },
      ],
    },
    ['a.1 InvalidValue'],
  ],
  ['no map in a list-map', of({ ...mapBy('b'), items: OPEN }), { a: [{ b: 1 }, 7] }, ['a.1 WrongType']],
  [
    'values of a set in a list-map that are there again',
    of({ ...mapBy('b'), items: { type: 'object', properties: { b: { type: 'string' }, s: SET } } }),
    {
      a: [
        { b: 'x', s: [1] },
        { b: 'y', s: [2, 2] },
      ],
    },
    ['a.1.s.1 InvalidValue'],
  ],
  ['an unknown field', of({ type: 'string' }), { b: 1 }, ['b UnknownField']],
  [
    'one in a list',
    of({ type: 'array', items: of({ type: 'string' }) }),
    { a: [{ a: 'x' }, { b: 1 }] },
    ['a.1.b UnknownField'],
  ],
  [
    'one in a map',
    of({ type: 'object', additionalProperties: of({ type: 'string' }) }),
    { a: { k: { b: 1 } } },
    ['a.k.b UnknownField'],
  ],
  [
    'one where they are kept',
    of({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
    { a: { b: 1 } },
    [],
  ],
  [
    'a wrong one beside those that are kept',
    of(of({ type: 'string' }, { 'x-kubernetes-preserve-unknown-fields': true })),
    { a: { a: 1, b: 2 } },
    ['a.a WrongType'],
  ],
  [
    'an object in an object',
    of({ type: 'object', 'x-kubernetes-embedded-resource': true }),
    { a: { kind: 'Y', metadata: {} } },
    [],
  ],
  ['a missing field', of({ type: 'string' }, { required: ['a'] }), {}, ['a MissingField']],
  ['what every object has', of({ type: 'string' }, { required: ['metadata', 'kind'] }), {}, []],
  ['a value of several', of({ type: 'string', enum: ['x', 'y'] }), { a: 'y' }, []],
  ['none of them', of({ type: 'string', enum: ['x', 'y'] }), { a: 'z' }, ['a InvalidValue']],
  ['a small number', of({ type: 'integer', minimum: 2 }), { a: 1 }, ['a InvalidValue']],
  ['the bound', of({ type: 'integer', minimum: 2, maximum: 2 }), { a: 2 }, []],
  [
    'a bound that is none of them',
    of({ type: 'integer', minimum: 2, exclusiveMinimum: true }),
    { a: 2 },
    ['a InvalidValue'],
  ],
  ['a multiple', of({ type: 'number', multipleOf: 0.1 }), { a: 0.3 }, []],
  ['no multiple', of({ type: 'integer', multipleOf: 2 }), { a: 3 }, ['a InvalidValue']],
  ['a long text, by its characters', of({ type: 'string', maxLength: 1 }), { a: '\u{1f600}' }, []],
  ['a longer one', of({ type: 'string', maxLength: 1 }), { a: 'xy' }, ['a InvalidValue']],
  ['an empty list', of({ type: 'array', minItems: 1, items: { type: 'string' } }), { a: [] }, ['a InvalidValue']],
  [
    'a full map',
    of({ type: 'object', maxProperties: 1, additionalProperties: { type: 'string' } }),
    { a: { x: '', y: '' } },
    ['a InvalidValue'],
  ],
  [
    'one of the forms',
    of({ type: 'object', properties: { x: { type: 'string' }, y: { type: 'string' } }, ...FORMS }),
    { a: { y: '' } },
    [],
  ],
  [
    'none of the forms',
    of({ type: 'object', properties: { x: { type: 'string' } }, ...FORMS }),
    { a: {} },
    ['a InvalidValue'],
  ],
  [
    'two of forms that exclude each other',
    of({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true, oneOf: FORMS.anyOf }),
    { a: { x: 1, y: 1 } },
    ['a InvalidValue'],
  ],
  ['a form that is excluded', of({ type: 'string', not: { enum: ['x'] } }), { a: 'x' }, ['a InvalidValue']],
  ['all of several', of({ type: 'integer', allOf: [{ minimum: 2 }, { maximum: 3 }] }), { a: 4 }, ['a InvalidValue']],
  ['a part that is no schema', of({ type: 'object', properties: 5 }), { a: {} }, []],
];

describe('an object and its schema', () => {
  for (const [title, schema, object, expected] of CASES)
    it(title, () => {
      assert.deepEqual(told(schema, object), expected);
    });

  it('is looked at within a budget', () => {
    const budget = new Budget(1_000_000);
    const schema = of({ type: 'array', items: nested(40) });
    finish(validateObject(schema, { a: Array.from({ length: 1000 }, () => 1) }, budget));
    assert.ok(budget.isSpent);
  });
});

describe('work on one value', () => {
  const NAMES = Array.from({ length: 10_000 }, (_, i) => `v${i}`);
  const wide = Object.fromEntries(NAMES.map((name) => [name, 1]));
  const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);
  const OPEN = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const cases: readonly [title: string, schema: JsonObject, object: JsonObject][] = [
    ['required names', of({ type: 'array', items: { ...OPEN, required: NAMES } }), { a: times(5000, wide) }],
    ['fields', of({ ...OPEN, allOf: times(5000, { minProperties: 1 }) }), { a: wide }],
    ['characters', of({ type: 'string', allOf: times(1000, { maxLength: 2e6 }) }), { a: 'x'.repeat(1e6) }],
    [
      'maps to choose from',
      of({ type: 'array', items: { ...OPEN, enum: [...times(10, wide), {}] } }),
      { a: times(10, {}) },
    ],
  ];
  for (const [title, schema, object] of cases)
    it(`is of its budget: ${title}`, () => {
      const budget = new Budget(20_000);
      finish(validateObject(schema, object, budget));
      assert.ok(budget.isSpent);
    });

  it('is little for a long list of words to choose from', () => {
    const budget = new Budget();
    const schema = of({ type: 'array', items: { type: 'string', enum: NAMES } });
    assert.deepEqual(finish(validateObject(schema, { a: times(50_000, 'v9999') }, budget)), []);
    assert.ok(!budget.isSpent);
  });

  for (const [title, schema, object] of [
    ['forms within forms', of(nested(16)), { a: 'x' }],
    ['a long list', of({ type: 'array', items: { type: 'string' } }), { a: times(100_000, 'v') }],
    [
      'many fields',
      of({ type: 'object', additionalProperties: { type: 'string' } }),
      { a: Object.fromEntries(times(100_000, 'v').map((value, i) => [`f${i}`, value])) },
    ],
  ] as const)
    it(`is held now and then for others: ${title}`, () => {
      const budget = new CountedBudget();
      const work = validateObject(schema, object, budget);
      const stretches: number[] = [];
      for (let before = 0; !work.next().done; before = budget.taken) stretches.push(budget.taken - before);
      // What an object's or a list's own names take comes in one piece.
      assert.ok(stretches.length > 20 && stretches.filter((steps) => steps > 5000).length <= 2, stretches.join());
    });

  it('ends with the issues that are told', () => {
    assert.equal(finish(validateObject({ ...OPEN, required: NAMES }, {}, new Budget())).length, 20);
  });
});

describe('defaults', () => {
  const cases: readonly [string, JsonObject, JsonObject, JsonObject][] = [
    ['of a field', of({ type: 'integer', default: 3 }), {}, { a: 3 }],
    ['not of what is written', of({ type: 'integer', default: 3 }), { a: 1 }, { a: 1 }],
    [
      'within a default',
      of({ type: 'object', default: {}, properties: { b: { type: 'string', default: 'x' } } }),
      {},
      { a: { b: 'x' } },
    ],
    ['not within what is not there', of(of({ type: 'string', default: 'x' })), {}, {}],
    [
      'of entries',
      of({ type: 'array', items: of({ type: 'integer', default: 1 }) }),
      { a: [{}, { a: 2 }] },
      { a: [{ a: 1 }, { a: 2 }] },
    ],
    [
      'of values',
      of({ type: 'object', additionalProperties: of({ type: 'integer', default: 1 }) }),
      { a: { k: {} } },
      { a: { k: { a: 1 } } },
    ],
  ];
  for (const [title, schema, object, expected] of cases)
    it(title, () => {
      assert.deepEqual(withDefaults(schema, object, new Budget()), expected);
    });

  it('are counted, also where many entries share one', () => {
    const budget = new Budget();
    const entries = of({ type: 'array', items: of({ type: 'string', default: 'x'.repeat(1000) }) });
    withDefaults(entries, { a: Array.from({ length: 50 }, () => ({})) }, budget);
    assert.ok(budget.added >= 50_000 && !budget.isSpent);
    withDefaults(entries, { a: Array.from({ length: 50_000 }, () => ({})) }, budget);
    assert.ok(budget.isSpent);
  });

  it('leave an object that needs none as it is', () => {
    const object = { a: [1] };
    assert.equal(withDefaults(of({ type: 'array', items: { type: 'integer' } }), object, new Budget()), object);
  });
});

describe('a schema', () => {
  const cases: readonly [string, JsonObject, string[]][] = [
    ['that is one', of({ type: 'array', items: { type: 'string' } }), []],
    ['of no object', { type: 'string' }, ['type']],
    [
      'with more keys of entries than are looked at',
      of({
        type: 'array',
        items: { type: 'string' },
        'x-kubernetes-list-map-keys': Array.from({ length: 17 }, String),
      }),
      ['properties.a.x-kubernetes-list-map-keys'],
    ],
    ['with a type that there is not', of({ type: 'text' }), ['properties.a.type']],
    ['with a part without a type', of({}), ['properties.a.type']],
    ['with a list of nothing', of({ type: 'array' }), ['properties.a.items']],
    ['with a reference', of({ type: 'object', $ref: '#/x' }), ['properties.a.$ref']],
    ['with fields that are no map', { type: 'object', properties: [] }, ['properties']],
  ];
  for (const [title, schema, expected] of cases)
    it(title, () => {
      assert.deepEqual(
        schemaProblems(schema).map(({ path }) => path.join('.')),
        expected,
      );
    });

  it('says how lists and maps are merged', () => {
    const entry = { type: 'object', properties: { name: { type: 'string' }, port: { type: 'integer', default: 80 } } };
    const list = {
      type: 'array',
      items: entry,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name', 'port'],
    };
    assert.deepEqual(
      schemaSemantics(
        of(list, {
          properties: {
            list,
            set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
            whole: { type: 'object', 'x-kubernetes-map-type': 'atomic' },
            free: { type: 'object' },
          },
        }),
      ),
      {
        fields: {
          list: { list: 'map', keys: ['name', 'port'], keyDefaults: { port: 80 } },
          set: { list: 'set' },
          whole: { atomic: true },
        },
      },
    );
    assert.deepEqual(schemaSemantics(undefined), {});
  });
});
