import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { labelsInclude, readKey, selectorMatches } from '../../../contracts/objects/index.ts';
import { composeState, parseManifest, type Rendering } from '../../../reconciler/core/manifests/index.ts';

/** What every JavaScript object has without having been given it. */
const INHERITED = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__', '__defineGetter__'];

function render(text: string): Rendering {
  return composeState([parseManifest('f.yaml', 'oid', new TextEncoder().encode(text))], []);
}

describe('keys that every object inherits', () => {
  for (const key of INHERITED) {
    it(`${key} is in no map that was not given it`, () => {
      assert.equal(readKey({}, key), undefined);
      assert.equal(readKey(undefined, key), undefined);
      assert.equal(labelsInclude({}, Object.fromEntries([[key, 'a']])), false);
      assert.equal(selectorMatches({ matchExpressions: [{ key, operator: 'Exists' }] }, {}), false);
      assert.equal(selectorMatches({ matchExpressions: [{ key, operator: 'DoesNotExist' }] }, {}), true);
      assert.equal(selectorMatches({ matchExpressions: [{ key, operator: 'NotIn', values: ['a'] }] }, {}), true);
    });
  }

  it('are keys like others where a manifest has them', () => {
    const keys = INHERITED.filter((key) => !key.startsWith('_'));
    const { state, diagnostics } = render(
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {${keys.map((k) => `${k}: x`).join(', ')}}\ndata: {${keys.map((k) => `${k}: x`).join(', ')}}\n`,
    );
    assert.deepEqual(diagnostics, []);
    const object = state.get('configmaps/default/a')?.object;
    assert.ok(object?.kind === 'ConfigMap');
    assert.deepEqual(Object.keys(object.data ?? {}), keys);
    assert.deepEqual(Object.keys(object.metadata.labels ?? {}), keys);
  });

  it('are unknown fields, and name no class, no scheduler and no plugin', () => {
    const pod = (spec: string): string =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: "a:1"}], ${spec}}\n`;
    assert.deepEqual(
      render(pod('constructor: 1, toString: {}')).diagnostics.map((d) => `${d.code} ${d.message}`),
      ['UnknownField unknown field spec.constructor', 'UnknownField unknown field spec.toString'],
    );
    assert.deepEqual(
      render(pod('priorityClassName: constructor')).diagnostics.map((d) => d.code),
      ['UnknownPriorityClass'],
    );
    const config =
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{plugins: {score: {enabled: [{name: constructor}]}}}]\n';
    assert.deepEqual(
      render(config).diagnostics.map((d) => d.code),
      ['UnknownPlugin'],
    );
  });
});
