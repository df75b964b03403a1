/** Values that a kind says are secret: where they must not be seen. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALL_KINDS, keyOf, type KubeObject } from '../../../contracts/objects/index.ts';
import { encodeBody } from '../../../reconciler/adapters/redis/record.ts';
import { Seal } from '../../../reconciler/adapters/redis/seal.ts';
import { descriptorOf } from '../../../reconciler/core/kinds/index.ts';
import { isSealed, redacted, redactedAt } from '../../../reconciler/core/kinds/sealed.ts';
import { EXAMPLES } from './examples.ts';

const VALUE = 'aHVudGVyMg==';
const SECRET: KubeObject = { ...EXAMPLES.Secret, data: { password: VALUE } };

describe('secret values', () => {
  it('are taken out, and their keys left', () => {
    assert.deepEqual(redacted(SECRET), { ...SECRET, data: { password: '[redacted]' } });
    assert.equal(redacted(EXAMPLES.ConfigMap), EXAMPLES.ConfigMap);
  });

  it('are those of the field and of all in it', () => {
    const paths = [['data'], ['data', 'password'], ['stringData', 'a'], ['type'], ['metadata', 'name'], []];
    assert.deepEqual(
      paths.map((path) => isSealed('Secret', path)),
      [true, true, true, false, false, false],
    );
  });

  it('are taken out of a part of the object, above them and below', () => {
    const at: [readonly string[], unknown, unknown][] = [
      [[], { data: { a: VALUE }, type: 'Opaque' }, { data: { a: '[redacted]' }, type: 'Opaque' }],
      [['data'], { a: VALUE }, { a: '[redacted]' }],
      [['data', 'a'], VALUE, '[redacted]'],
      [['type'], 'Opaque', 'Opaque'],
      [['metadata', 'annotations', 'data'], 'b', 'b'],
    ];
    for (const [path, value, shown] of at) assert.deepEqual(redactedAt('Secret', path, value), shown);
    assert.equal(redactedAt('ConfigMap', ['data', 'a'], VALUE), VALUE);
  });

  for (const kind of ALL_KINDS.filter((one) => descriptorOf(one).sealed.length > 0)) {
    it(`of a ${kind} are in no record of the store`, () => {
      const [field = ''] = descriptorOf(kind).sealed[0] ?? [];
      const object = { ...EXAMPLES[kind], [field]: { password: VALUE } };
      const place = { incarnation: 'i', key: keyOf(object), uid: 'u', base: '0' };
      const { body } = encodeBody(object, place, new Seal(Buffer.alloc(32, 1)));
      assert.ok(!body.includes(VALUE), body);
      assert.ok(!JSON.stringify(redacted(object)).includes(VALUE));
    });
  }
});
