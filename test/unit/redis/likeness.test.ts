import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AnyStored } from '../../../contracts/objects/index.ts';
import { Likeness } from '../../../reconciler/core/storage/likeness.ts';

function pod(name: string, more: Readonly<Record<string, unknown>> = {}, owner = 'rs-1'): AnyStored {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-of-${name}`,
      resourceVersion: '1',
      labels: { app: 'a-label-that-is-long' },
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web', uid: owner, controller: true }],
    },
    spec: { containers: [{ name: 'main', image: 'registry/app:v1', args: ['a', 'b'] }], nodeName: name },
    ...more,
  };
  return JSON.parse(JSON.stringify(object)) as AnyStored;
}

function part(object: AnyStored, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>>)[name], object);
}

describe('objects that are alike', () => {
  it('of one owner hold what is equal once, and keep what is their own', () => {
    const likeness = new Likeness();
    const [a, b] = [pod('a'), pod('b')];
    likeness.share(a, undefined);
    likeness.share(b, undefined);
    assert.deepEqual(b, pod('b'));
    assert.deepEqual(a, pod('a'));
    for (const path of [
      ['spec', 'containers'],
      ['metadata', 'labels'],
      ['metadata', 'ownerReferences'],
    ])
      assert.equal(part(a, ...path), part(b, ...path), path.join('.'));
    assert.notEqual(part(a, 'spec'), part(b, 'spec'));
  });

  it('of another owner are not looked at', () => {
    const likeness = new Likeness();
    const [a, b] = [pod('a'), pod('b', {}, 'rs-2')];
    likeness.share(a, undefined);
    likeness.share(b, undefined);
    assert.notEqual(part(a, 'spec', 'containers'), part(b, 'spec', 'containers'));
  });

  it('has a new version hold what did not change as the one before does, whatever came between', () => {
    const likeness = new Likeness();
    const before = pod('a');
    likeness.share(before, undefined);
    likeness.share(pod('b'), undefined);
    const after = pod('a', { status: { phase: 'Running' } });
    likeness.share(after, before);
    assert.equal(part(after, 'spec'), part(before, 'spec'));
    assert.deepEqual(after, pod('a', { status: { phase: 'Running' } }));
  });

  it('keeps nothing of a Secret', () => {
    const likeness = new Likeness();
    const secret = (): AnyStored =>
      ({ ...pod('s'), kind: 'Secret', data: { key: 'dmFsdWU=' } }) as unknown as AnyStored;
    const [a, b] = [secret(), secret()];
    likeness.share(a, undefined);
    likeness.share(b, a);
    assert.notEqual(part(a, 'data'), part(b, 'data'));
  });

  it('is not led to an object’s prototype by a name in a manifest', () => {
    const likeness = new Likeness();
    const text = '{"__proto__":{"polluted":"yes-and-long"},"constructor":"a","toString":{"x":1}}';
    const named = (): AnyStored => pod('a', { status: JSON.parse(text) as unknown });
    // A spread would lose it.
    const own = (object: AnyStored): AnyStored => Object.assign(object, { status: JSON.parse(text) as unknown });
    const [a, b] = [own(named()), own(named())];
    likeness.share(a, undefined);
    likeness.share(b, a);
    assert.equal(JSON.stringify(part(b, 'status')), text);
    assert.equal((part(b, 'status') as Readonly<Record<string, unknown>>)['polluted'], undefined);
  });

  it('changes no value, for any of them', () => {
    fc.assert(
      fc.property(fc.array(fc.json({ maxDepth: 4 }), { minLength: 2, maxLength: 6 }), (texts) => {
        const likeness = new Likeness();
        let before: AnyStored | undefined;
        const made = texts.map((text) => pod('a', { status: { of: JSON.parse(text) as unknown } }));
        const wanted = made.map((object) => JSON.stringify(object));
        for (const object of made) {
          likeness.share(object, before);
          before = object;
        }
        assert.deepEqual(
          made.map((object) => JSON.stringify(object)),
          wanted,
        );
      }),
    );
  });
});
