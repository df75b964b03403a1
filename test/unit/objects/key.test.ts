import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ALL_KINDS,
  displayKey,
  isKeyOf,
  isObjectKey,
  keyFromOlder,
  keyOf,
  kindKey,
  kindOfKey,
  namesOf,
  objectKey,
  parseKey,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { configMap } from '../../contract/object-store/objects.ts';

describe('an object key', () => {
  it('is resource, namespace and name, and comes apart as it was put together', () => {
    assert.equal(objectKey('Deployment', 'default', 'web'), 'deployments.apps/default/web');
    assert.equal(objectKey('Node', undefined, 'n1'), 'nodes//n1');
    assert.equal(keyOf(configMap('a', {})), 'configmaps/default/a');
    for (const kind of ALL_KINDS) {
      const key = objectKey(kind, 'ns', 'a.b');
      assert.deepEqual(parseKey(key), { kind, namespace: 'ns', name: 'a.b' });
      assert.equal(kindOfKey(key), kind);
    }
  });

  const NONE = ['', '/', '//', 'pods', 'pods/a', 'pods/a/', 'pods/a/b/c', '/a/b', 'Pod/a/b', 'widgets.example.com/a/b'];
  for (const text of NONE)
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(isObjectKey(text), false);
      assert.throws(() => parseKey(text), RangeError);
    });

  it('tells its kind, also to the compiler', () => {
    const keys: ObjectKey[] = [objectKey('Pod', 'a', 'b'), objectKey('PodGroup', 'a', 'c'), objectKey('Pod', 'a', 'd')];
    const pods: ObjectKey<'Pod'>[] = keys.filter((key) => isKeyOf(key, 'Pod'));
    assert.equal(pods.length, 2);
    assert.deepEqual(namesOf('Pod', keys), ['b', 'd']);
    const kind: 'Pod' = parseKey(objectKey('Pod', 'a', 'b')).kind;
    assert.equal(kind, 'Pod');
    // @ts-expect-error another kind's key
    const node: ObjectKey<'Node'> = objectKey('Pod', 'a', 'b');
    // @ts-expect-error the kind's name is no resource
    const older: ObjectKey = 'Pod/a/b';
    assert.ok(node !== objectKey('Node', 'a', 'b') && !isObjectKey(older));
  });

  it('is shown to people and programs by its kind', () => {
    assert.deepEqual(
      [objectKey('Deployment', 'default', 'web'), objectKey('Node', undefined, 'n1')].map((key) => [
        displayKey(key),
        kindKey(key),
      ]),
      [
        ['Deployment/default/web', 'Deployment/default/web'],
        ['Node/n1', 'Node//n1'],
      ],
    );
  });

  it('is read in the form that older versions wrote', () => {
    const cases: readonly (readonly [string, string | undefined])[] = [
      ['Deployment/default/web', 'deployments.apps/default/web'],
      ['Node//n1', 'nodes//n1'],
      ['pods/default/a', 'pods/default/a'],
      ['Nonsense/default/a', undefined],
      ['constructor/default/a', undefined],
      ['Pod/default/', undefined],
      ['Pod/default/a/b', undefined],
      ['Pod', undefined],
      ['', undefined],
    ];
    assert.deepEqual(
      cases.map(([text]) => keyFromOlder(text)),
      cases.map(([, key]) => key),
    );
  });
});
