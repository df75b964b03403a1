import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  composeState,
  formatDiagnostic,
  parseManifest,
  type Rendering,
} from '../../../reconciler/core/manifests/index.ts';

const FIXTURES = new URL('../../fixtures/manifests/', import.meta.url);

function render(folder: string, file: string): Rendering {
  return composeState([parseManifest(file, 'oid', readFileSync(new URL(`${folder}/${file}`, FIXTURES)))], []);
}

function yamlFiles(folder: string): string[] {
  return readdirSync(new URL(folder, FIXTURES))
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}

describe('manifests that must be accepted unchanged', () => {
  for (const file of yamlFiles('good')) {
    it(file, () => {
      assert.deepEqual(render('good', file).diagnostics.map(formatDiagnostic), []);
    });
  }

  it("fills defaults and namespaces of the documentation's nginx", () => {
    const { state } = render('good', 'nginx.yaml');
    assert.deepEqual(
      [...state.keys()],
      ['deployments.apps/default/nginx-deployment', 'services/default/my-service', 'services/default/my-nginx'],
    );
    const deployment = state.get('deployments.apps/default/nginx-deployment');
    assert.deepEqual(deployment?.position, { file: 'nginx.yaml', line: 2, column: 1 });
    assert.ok(deployment?.object.kind === 'Deployment');
    assert.equal(deployment.object.metadata.namespace, 'default');
    assert.equal(deployment.object.spec.replicas, 3);
    assert.equal(deployment.object.spec.strategy.type, 'RollingUpdate');
    const [container] = deployment.object.spec.template.spec.containers;
    assert.equal(container?.imagePullPolicy, 'IfNotPresent');
    assert.deepEqual(container.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  });

  it('reads lists, merge keys, hexadecimal and octal numbers, and leaves out nulls', () => {
    const { state } = render('good', 'forms.yaml');
    assert.deepEqual(
      [...state.keys()],
      ['namespaces//team-a', 'configmaps/team-a/shared', 'deployments.apps/team-a/merged'],
    );
    const merged = state.get('deployments.apps/team-a/merged')?.object;
    assert.ok(merged?.kind === 'Deployment');
    assert.equal(merged.spec.replicas, 2);
    assert.deepEqual(merged.spec.template.metadata.labels, { tier: 'x', app: 'merged' });
    assert.deepEqual(
      merged.spec.template.spec.containers.map((c) => [c.name, c.image]),
      [
        ['main', 'example:1'],
        ['second', 'example:1'],
      ],
    );
    assert.equal('nodeSelector' in merged.spec.template.spec, false);
    const pod = render('good', 'pods.yaml').state.get('pods/default/configmap-demo-pod')?.object;
    assert.ok(pod?.kind === 'Pod');
    assert.equal(pod.spec.volumes?.[0]?.configMap?.defaultMode, 0o400);
  });

  it('folds stringData of a Secret into data', () => {
    const secret = render('good', 'pods.yaml').state.get('secrets/default/secret-basic-auth')?.object;
    assert.ok(secret?.kind === 'Secret');
    assert.deepEqual(secret.data, {
      username: Buffer.from('admin').toString('base64'),
      password: Buffer.from('t0p-Secret').toString('base64'),
    });
  });
});

describe('manifests that must be refused, every mistake at once', () => {
  for (const file of yamlFiles('bad')) {
    it(file, () => {
      const expected = readFileSync(new URL(`bad/${file.replace('.yaml', '.expected')}`, FIXTURES), 'utf8')
        .trimEnd()
        .split('\n');
      assert.deepEqual(render('bad', file).diagnostics.map(formatDiagnostic), expected);
    });
  }

  it("speaks no schema library's language and shows no Secret", () => {
    for (const file of yamlFiles('bad')) {
      for (const { message, hint } of render('bad', file).diagnostics) {
        assert.doesNotMatch(
          `${message} ${hint ?? ''}`,
          /Invalid input|Unrecognized|expected (string|number)|received|zod|undefined|hunter2/i,
        );
      }
    }
  });
});
