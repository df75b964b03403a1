import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importHelm, type HelmOptions, type Imported } from '../../../reconciler/core/import/index.ts';
import { errorsOf, rendered, resultOf, treeOf } from './trees.ts';

function imported(text: string, options: Partial<HelmOptions> = {}): Imported {
  return importHelm(treeOf({ 'shop.yaml': text }), { file: 'shop.yaml', ...options });
}

const CHART = { chart: 'https://charts.example.com/stable/web', version: '1.2.3' };
const APP = (values: string): string =>
  `apiVersion: plumbline.dev/v1alpha1\nkind: App\nmetadata:\n  name: shop\nspec:\n  namespace: front\n  helm:\n    chart:\n      repository: https://charts.example.com/stable\n      name: web\n      version: 1.2.3\n${values}`;

describe('a release of Helm', () => {
  it('is an App of its values and its chart', async () => {
    const result = imported('replicas: 2\n', { ...CHART, namespace: 'front' });
    const files = resultOf(result);
    assert.equal(files['plumbline/shop.yaml'], APP('    values:\n      replicas: 2\n'));
    assert.deepEqual(result.findings, []);
    assert.deepEqual(errorsOf((await rendered(files)).diagnostics), []);
  });

  it('is read from what `helm get values` and `helm get all` print', () => {
    const wanted = APP('    values:\n      replicas: 2\n');
    const values = imported('USER-SUPPLIED VALUES:\nreplicas: 2\n', { ...CHART, namespace: 'front' });
    assert.equal(resultOf(values)['plumbline/shop.yaml'], wanted);
    const all = imported(
      'NAME: shop\nLAST DEPLOYED: today\nNAMESPACE: front\nUSER-SUPPLIED VALUES:\nreplicas: 2\n\nCOMPUTED VALUES:\nreplicas: 2\nother: 1\n\nHOOKS:\nMANIFEST:\n---\nkind: X\n',
      CHART,
    );
    assert.equal(resultOf(all)['plumbline/shop.yaml'], wanted);
    assert.deepEqual(all.findings, []);
  });

  it('without values is an App without values', () => {
    assert.equal(
      resultOf(imported('USER-SUPPLIED VALUES:\nnull\n', { ...CHART, namespace: 'front' }))['plumbline/shop.yaml'],
      APP(''),
    );
  });

  it('has secret values in a Secret that is not written', () => {
    const result = imported(
      'auth:\n  rootPassword: canary\n  existingSecret: stays\nenv:\n  - { name: A, apiToken: canary }\n',
      CHART,
    );
    assert.doesNotMatch(JSON.stringify(result), /canary/);
    assert.match(resultOf(result)['plumbline/shop.yaml'] ?? '', /existingSecret: stays/);
    assert.match(
      resultOf(result)['plumbline/shop.yaml'] ?? '',
      /name: shop-values\n +valuesKey: auth.rootPassword\n +targetPath: auth.rootPassword/,
    );
    assert.deepEqual(
      result.findings.map(({ code }) => code),
      ['SecretLeftOut', 'SecretLeftOut'],
    );
  });

  it('is its manifests, without Secrets', async () => {
    const result = imported(
      '---\n# Source: web/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  answer: "yes"\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  x: canary\n',
    );
    assert.deepEqual(resultOf(result), {
      'apps/shop.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  answer: "yes"\n',
    });
    assert.deepEqual(
      result.findings.map(({ code, line }) => [code, line]),
      [['SecretLeftOut', 10]],
    );
    assert.deepEqual(errorsOf((await rendered(resultOf(result))).diagnostics), []);
  });

  it('is its manifests, with secret variables taken from a Secret', () => {
    const result = imported(
      'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec:\n  containers:\n    - name: a\n      image: x\n      env: [{ name: DB_PASSWORD, value: canary }, { name: A, value: b }]\n',
    );
    assert.doesNotMatch(JSON.stringify(result), /canary/);
    assert.match(resultOf(result)['apps/shop.yaml'] ?? '', /secretKeyRef:\n +name: shop-env\n +key: DB_PASSWORD/);
    assert.deepEqual(
      result.findings.map(({ code }) => code),
      ['SecretLeftOut'],
    );
  });

  for (const [says, text, options] of [
    ['values without a chart', 'a: 1\n', {}],
    ['a chart without a version', 'a: 1\n', { chart: CHART.chart }],
    ['values that are no map', '- a\n', CHART],
    ['what is no YAML', 'a: [\n', CHART],
  ] as const)
    it(`is told of: ${says}`, () => {
      assert.ok(errorsOf(imported(text, options).findings).length > 0);
    });
});
