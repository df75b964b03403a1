import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  customKey,
  displayKey,
  isCustomKey,
  isObjectKey,
  keyFromOlder,
  KindRegistry,
  keyOf,
  objectKey,
  unstructured,
  type CustomKindOptions,
} from '../../../contracts/objects/index.ts';

const WIDGET: CustomKindOptions = {
  group: 'example.com',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  shortNames: ['wd'],
  scope: 'Namespaced',
};

describe('a registry of kinds', () => {
  const kinds = new KindRegistry([
    WIDGET,
    { ...WIDGET, group: 'serving.example.org', plural: 'services', kind: 'Service' },
  ]);

  it('finds a kind by its group and word, its resource, and as kubectl does', () => {
    const widget = kinds.ofResource('widgets.example.com');
    assert.equal(widget?.kind, 'Widget');
    assert.equal(kinds.named('example.com', 'Widget'), widget);
    assert.equal(kinds.named('example.org', 'Widget'), undefined);
    for (const word of ['widgets', 'Widget', 'wd', 'widgets.example', 'wd.v1.example.com'])
      assert.equal(kinds.find(word), widget, word);
  });

  it('lets built-in kinds come first where a word alone is asked for', () => {
    assert.equal(kinds.find('services'), undefined);
    assert.equal(kinds.find('services.serving.example.org')?.apiVersion, 'serving.example.org/v1');
  });

  const refused: [string, Partial<CustomKindOptions>][] = [
    ['a built-in kind', { group: 'plumbline.dev', plural: 'machines', kind: 'Engine' }],
    ['the word of a built-in kind in its group', { group: 'plumbline.dev', plural: 'engines', kind: 'Machine' }],
    ['a group of Kubernetes itself', { group: 'apps' }],
    ['the core group', { group: '' }],
    ['a group that is no name', { group: 'a/b.c' }],
    ['a plural that would end a key', { plural: 'a/b' }],
    ['a version that would end a record', { version: 'v1\n' }],
    ['a kind that no manifest can say', { kind: 'widget' }],
    ['a short name that hides others', { shortNames: [''] }],
  ];
  for (const [what, over] of refused)
    it(`refuses ${what}`, () => assert.throws(() => new KindRegistry([{ ...WIDGET, ...over }]), RangeError));
  it('refuses two of one name', () => assert.throws(() => new KindRegistry([WIDGET, WIDGET]), RangeError));
});

describe('keys of custom objects', () => {
  const widget = unstructured('widgets.example.com', {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'a', namespace: 'default' },
  });

  it('begin with the resource that the object carries, also after a copy', () => {
    assert.equal(keyOf(widget), 'widgets.example.com/default/a');
    assert.equal(keyOf({ ...widget, spec: {} }), keyOf(widget));
    assert.ok(JSON.stringify(widget).includes('"kind":"Widget"'));
    assert.ok(!JSON.stringify(widget).includes('widgets'));
  });

  it('are told from those of built-in kinds, and from what is no key', () => {
    for (const text of [
      'pods/default/a',
      'deployments.apps/default/a',
      'machines.plumbline.dev//a',
      'a/b/c',
      'x.y/a',
      '.a/b/c',
      'a.b/c/d/e',
    ])
      assert.ok(!isCustomKey(text), text);
    assert.ok(isCustomKey(keyOf(widget)) && !isObjectKey(keyOf(widget)));
    assert.equal(keyFromOlder(keyOf(widget)), undefined, 'no agent ever kept one');
    assert.throws(() => customKey('deployments.apps', 'default', 'a'), RangeError);
  });

  it('are shown as kubectl names objects', () => {
    assert.equal(displayKey(keyOf(widget)), 'widgets.example.com/default/a');
    assert.equal(displayKey(customKey('widgets.example.com', undefined, 'a')), 'widgets.example.com/a');
    assert.equal(displayKey(objectKey('Node', undefined, 'a')), 'Node/a');
  });
});
