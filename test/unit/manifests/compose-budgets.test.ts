import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

function told(replicas: number, spec: string, label = 'web'): string[] {
  const texts = {
    'app.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: "a:1"}]}}
`,
    'budget.yaml': `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  selector: {matchLabels: {app: ${label}}}
  ${spec}
`,
  };
  const files = Object.entries(texts).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text)));
  return composeState(files, []).diagnostics.map(formatDiagnostic);
}

describe('a budget that allows no eviction ever', () => {
  for (const [replicas, spec] of [
    [1, 'minAvailable: 1'],
    [3, 'minAvailable: 3'],
    [3, 'minAvailable: 5'],
    [2, 'minAvailable: 100%'],
    [3, 'minAvailable: 67%'],
    [2, 'maxUnavailable: 0'],
    [2, 'maxUnavailable: 0%'],
  ] as const) {
    it(`is told of: ${spec} of ${replicas}`, () => {
      assert.match(
        told(replicas, spec).join('\n'),
        /^budget\.yaml:6:\d+ BudgetAllowsNothing warning: \d of the \d pods of Deployment web have to stay/,
      );
    });
  }
  for (const [replicas, spec, label] of [
    [3, 'minAvailable: 2'],
    [3, 'minAvailable: 50%'],
    [2, 'maxUnavailable: 1'],
    [1, 'maxUnavailable: 1%'],
    [0, 'minAvailable: 1'],
    [1, 'minAvailable: 1', 'other'],
  ] as const) {
    it(`is not: ${spec} of ${replicas}${label ? ', over others' : ''}`, () =>
      assert.deepEqual(told(replicas, spec, label), []));
  }
});
