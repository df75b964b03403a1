import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutIdleHooks } from '../../../reconciler/core/apps/helm-hooks.ts';

const hook = (name: string, written: string): string =>
  `apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: ${name}\n  annotations:\n    ${written}\n`;

function sorted(...texts: readonly string[]): { readonly stays: readonly number[]; readonly told: readonly string[] } {
  const all = texts.map((text) => ({ text }));
  const { documents, warnings } = withoutIdleHooks(all);
  return { stays: documents.map((one) => all.indexOf(one)), told: warnings.map(({ message }) => message) };
}

describe("a chart's hooks", () => {
  for (const written of [
    'helm.sh/hook: pre-install',
    'helm.sh/hook: post-upgrade',
    '"helm.sh/hook": "test, pre-upgrade" # both',
    'helm.sh/hook: post-install,pre-delete',
    'helm.sh/hook: crd-install',
    'other: helm.sh/hook',
  ])
    it(`are the sync's where it runs them, or where they are none: ${written}`, () => {
      assert.deepEqual(sorted(hook('a', written)), { stays: [0], told: [] });
    });

  for (const written of ['helm.sh/hook: test', "'helm.sh/hook': test-success,test-failure"])
    it(`are left out where they are tests: ${written}`, () => {
      assert.deepEqual(sorted(hook('a', 'a: b'), hook('b', written)), { stays: [0], told: [] });
    });

  for (const words of ['pre-delete', 'post-delete, pre-rollback', 'post-rollback', 'test, pre-delete', 'constructor'])
    it(`are left out, and told, where nothing runs them: ${words}`, () => {
      assert.deepEqual(sorted(hook('a', `helm.sh/hook: "${words}"`)), {
        stays: [],
        told: [`the hook ${words} of a Job is left out: nothing here runs it`],
      });
    });

  it('are not what a text of a ConfigMap has', () => {
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  job.yaml: |\n${hook(
      'b',
      'helm.sh/hook: test',
    ).replaceAll(/^/gm, '    ')}\n`;
    assert.deepEqual(sorted(text), { stays: [0], told: [] });
  });

  it('are left as they are where a document cannot be read', () => {
    assert.deepEqual(sorted('metadata: {annotations: {helm.sh/hook: test}\nkind: ['), { stays: [0], told: [] });
  });
});
