import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../../reconciler/core/storage/canonical-json.ts';

describe('canonicalJson', () => {
  it('is the value as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.equal(JSON.stringify(JSON.parse(canonicalJson(value))), JSON.stringify(sorted(value)));
      }),
    );
  });

  it('quotes texts as JSON does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' })), (text) => {
        assert.equal(canonicalJson(text), JSON.stringify(text));
        assert.equal(canonicalJson({ [text]: 1 }), `{${JSON.stringify(text)}:1}`);
      }),
    );
    assert.equal(canonicalJson('plain\n'), '"plain\\n"');
    assert.equal(canonicalJson('x'.repeat(200)), JSON.stringify('x'.repeat(200)));
    assert.equal(canonicalJson(JSON.parse('{"__proto__":{"b":1,"a":2}}')), '{"__proto__":{"a":2,"b":1}}');
  });

  it('is one text, in whatever order the members are and whatever is undefined among them', () => {
    assert.equal(
      canonicalJson({ b: [undefined, 1, {}], a: { 'ä"': null, Z: 'x\n', _: undefined }, c: () => 1 }),
      '{"a":{"Z":"x\\n","ä\\"":null},"b":[null,1,{}]}',
    );
    assert.equal(canonicalJson({ 10: 1, 9: 2, constructor: 3 }), '{"10":1,"9":2,"constructor":3}');
    assert.equal(canonicalJson(undefined), 'null');
    assert.equal(canonicalJson([]), '[]');
  });
});

/** Node.js prints members that look like numbers first, in their order, and the others as they were put. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
