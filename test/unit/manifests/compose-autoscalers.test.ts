/**
 * HorizontalPodAutoscalers in Git. What is refused is what Kubernetes refuses:
 * pkg/apis/autoscaling/validation/validation_test.go.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import type { HorizontalPodAutoscaler } from '../../../contracts/objects/index.ts';
import {
  composeState,
  formatDiagnostic,
  parseManifest,
  type Rendering,
} from '../../../reconciler/core/manifests/index.ts';

const TARGET = 'scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}';
const autoscaler = (spec: string, name = 'web', apiVersion = 'autoscaling/v2'): string =>
  `apiVersion: ${apiVersion}
kind: HorizontalPodAutoscaler
metadata: {name: ${name}}
spec:
  ${spec}
`;
const workload = (replicas: string, kind = 'Deployment'): string =>
  `apiVersion: apps/v1
kind: ${kind}
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: "a:1"}]}}
  ${replicas}
`;

function render(texts: Readonly<Record<string, string>>): Rendering {
  const files = Object.entries(texts).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text)));
  return composeState(files, []);
}
const told = (texts: Readonly<Record<string, string>>): string[] => render(texts).diagnostics.map(formatDiagnostic);
const ofSpec = (spec: string): string[] =>
  told({ 'app.yaml': workload(''), 'hpa.yaml': autoscaler(`${TARGET}\n  ${spec}`) });

function read(spec: string): HorizontalPodAutoscaler['spec'] {
  const { state, diagnostics } = render({ 'app.yaml': workload(''), 'hpa.yaml': autoscaler(spec) });
  assert.deepEqual(diagnostics.map(formatDiagnostic), []);
  const found = state.get('horizontalpodautoscalers.autoscaling/default/web')?.object;
  assert.ok(found?.kind === 'HorizontalPodAutoscaler');
  return found.spec;
}

describe('a HorizontalPodAutoscaler as it is read', () => {
  it('has the defaults of autoscaling/v2: one replica at least, and cpu at 80 %', () => {
    const spec = read(`${TARGET}\n  maxReplicas: 5`);
    assert.equal(spec.minReplicas, 1);
    assert.deepEqual(
      spec.metrics,
      parse('[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]'),
    );
    assert.equal(spec.behavior, undefined);
    assert.deepEqual(read(`${TARGET}\n  maxReplicas: 5\n  metrics: []`), spec);
  });

  it('of autoscaling/v1 is one of v2 with its one measure', () => {
    const ofV1 = (spec: string) =>
      render({
        'app.yaml': workload(''),
        'hpa.yaml': autoscaler(`${TARGET}\n  maxReplicas: 5\n  ${spec}`, 'web', 'autoscaling/v1'),
      });
    const share = (percent: number) => [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } } },
    ];
    for (const [spec, percent] of [
      ['targetCPUUtilizationPercentage: 50', 50],
      ['minReplicas: 1', 80],
      ['targetCPUUtilizationPercentage: null', 80],
    ] as const) {
      const { state, diagnostics } = ofV1(spec);
      assert.deepEqual(diagnostics.map(formatDiagnostic), []);
      const found = state.get('horizontalpodautoscalers.autoscaling/default/web')?.object;
      assert.ok(found?.kind === 'HorizontalPodAutoscaler');
      assert.equal(found.apiVersion, 'autoscaling/v2');
      assert.deepEqual(found.spec.metrics, share(percent));
    }
  });

  it('has whole rules both ways where it has a behavior', () => {
    const { behavior } = read(
      `${TARGET}\n  maxReplicas: 5\n  behavior: {scaleDown: {stabilizationWindowSeconds: 5, tolerance: 0.05}}`,
    );
    assert.deepEqual(behavior, {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 5,
        selectPolicy: 'Max',
        policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
        tolerance: '0.05',
      },
    });
    assert.equal(
      read(`${TARGET}\n  maxReplicas: 5\n  behavior: {}`).behavior?.scaleDown.stabilizationWindowSeconds,
      300,
    );
  });

  it('takes the walkthrough of the Kubernetes documentation', () => {
    const { metrics } = read(`${TARGET}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 500Mi}}}
  - {type: ContainerResource, containerResource: {name: cpu, container: application, target: {type: Utilization, averageUtilization: 60}}}
  - {type: Pods, pods: {metric: {name: packets-per-second}, target: {type: AverageValue, averageValue: 1k}}}
  - type: Object
    object:
      metric: {name: requests-per-second}
      describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: main-route}
      target: {type: Value, value: 2k}
  - type: External
    external:
      metric: {name: queue_messages_ready, selector: {matchLabels: {queue: worker_tasks}}}
      target: {type: AverageValue, averageValue: 30}`);
    assert.deepEqual(
      metrics.map(({ type }) => type),
      ['Resource', 'Resource', 'ContainerResource', 'Pods', 'Object', 'External'],
    );
  });
});

describe('a HorizontalPodAutoscaler that is refused', () => {
  const metric = (text: string): string => `maxReplicas: 2\n  metrics: [${text}]`;
  const cpu = (target: string): string => metric(`{type: Resource, resource: {name: cpu, target: ${target}}}`);
  for (const [what, spec, says] of [
    ['no maxReplicas', 'minReplicas: 1', /MissingField.*maxReplicas/],
    [
      'none at least',
      'minReplicas: 0\n  maxReplicas: 2',
      /spec\.minReplicas must be 1 or more: 0 is of the alpha feature HPAScaleToZero/,
    ],
    ['none at most', 'maxReplicas: 0', /spec\.maxReplicas must be 1 or more/],
    ['more than a number of pods can be', 'maxReplicas: 2147483648', /spec\.maxReplicas must be at most 2147483647/],
    [
      'fewer at most than at least',
      'minReplicas: 3\n  maxReplicas: 2',
      /spec\.maxReplicas must be minReplicas \(3\) or more, found 2/,
    ],
    ['a measure that there is not', metric('{type: Disk}'), /spec\.metrics\[0\]\.type/],
    [
      'a resource that is not measured',
      metric('{type: Resource, resource: {name: ephemeral-storage, target: {type: AverageValue, averageValue: 1}}}'),
      /spec\.metrics\[0\]\.resource\.name/,
    ],
    ['a measure without its part', metric('{type: Resource}'), /spec\.metrics\[0\]\.resource/],
    [
      'a part of another measure',
      metric('{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 1}}, pods: {}}'),
      /spec\.metrics\[0\].*pods/,
    ],
    ['a use of nothing', cpu('{type: Utilization, averageUtilization: 0}'), /averageUtilization must be 1 or more/],
    ['an amount of nothing', cpu('{type: AverageValue, averageValue: 0}'), /averageValue must be more than 0/],
    ['an amount that is none', cpu('{type: AverageValue, averageValue: many}'), /averageValue/],
    ['a whole of a resource', cpu('{type: Value, value: 1}'), /resource\.target\.type/],
    [
      'a metric of no name',
      metric('{type: Pods, pods: {metric: {name: ""}, target: {type: AverageValue, averageValue: 1}}}'),
      /pods\.metric\.name must not be empty/,
    ],
    [
      'a metric whose name is a path',
      metric('{type: Pods, pods: {metric: {name: a/b}, target: {type: AverageValue, averageValue: 1}}}'),
      /pods\.metric\.name/,
    ],
    [
      'a label that Prometheus has not',
      metric(
        '{type: Pods, pods: {metric: {name: a, selector: {matchLabels: {"app.kubernetes.io/name": b}}}, target: {type: AverageValue, averageValue: 1}}}',
      ),
      /is no label of Prometheus: app\.kubernetes\.io\/name/,
    ],
    [
      'a selector that says nothing',
      metric(
        '{type: External, external: {metric: {name: a, selector: {matchExpressions: [{key: b, operator: In}]}}, target: {type: Value, value: 1}}}',
      ),
      /values must have at least one entry/,
    ],
    [
      'a window of more than an hour',
      'maxReplicas: 2\n  behavior: {scaleUp: {stabilizationWindowSeconds: 3601}}',
      /stabilizationWindowSeconds must be at most 3600/,
    ],
    [
      'a period of more than half an hour',
      'maxReplicas: 2\n  behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 1801}]}}',
      /periodSeconds must be at most 1800/,
    ],
    [
      'a change of nothing',
      'maxReplicas: 2\n  behavior: {scaleUp: {policies: [{type: Pods, value: 0, periodSeconds: 1}]}}',
      /value must be 1 or more/,
    ],
    ['no policy', 'maxReplicas: 2\n  behavior: {scaleUp: {policies: []}}', /policies must have at least one entry/],
    ['a choice that there is not', 'maxReplicas: 2\n  behavior: {scaleUp: {selectPolicy: Fast}}', /selectPolicy/],
    [
      'less than no tolerance',
      'maxReplicas: 2\n  behavior: {scaleUp: {tolerance: "-0.1"}}',
      /tolerance must be 0 or more/,
    ],
  ] as const) {
    it(what, () => {
      assert.match(ofSpec(spec).join('\n'), says);
    });
  }

  it('autoscaling/v2beta2, with the version to write', () => {
    const text = autoscaler(`${TARGET}\n  maxReplicas: 2`, 'web', 'autoscaling/v2beta2');
    assert.match(
      told({ 'hpa.yaml': text }).join('\n'),
      /has no apiVersion autoscaling\/v2beta2; write apiVersion: autoscaling\/v2, with/,
    );
  });

  for (const [target, hint] of [
    ['{kind: Deployment, name: web}', 'write apiVersion: apps/v1'],
    ['{apiVersion: apps/v1, kind: DaemonSet, name: web}', 'one of .*Deployment'],
    ['{apiVersion: example.com/v1, kind: Widget, name: web}', 'one of .*StatefulSet'],
  ] as const)
    it(`a target without a number of pods: ${target}`, () => {
      const [line] = told({ 'hpa.yaml': autoscaler(`scaleTargetRef: ${target}\n  maxReplicas: 2`) });
      assert.match(
        line ?? '',
        new RegExp(`^hpa\\.yaml:5:\\d+ InvalidValue .* has no number of pods that could be set; ${hint}`),
      );
    });
});

describe('a HorizontalPodAutoscaler and its target', () => {
  const hpa = autoscaler(`${TARGET}\n  maxReplicas: 2`);

  it('get on where Git leaves the number to the autoscaler', () => {
    assert.deepEqual(told({ 'app.yaml': workload(''), 'hpa.yaml': hpa }), []);
  });

  it('are both named where Git writes the number too', () => {
    const [line, ...more] = told({ 'app.yaml': workload('replicas: 3'), 'hpa.yaml': hpa });
    assert.match(
      line ?? '',
      /^app\.yaml:7:\d+ ReplicasAutoscaled warning: spec\.replicas is set by HorizontalPodAutoscaler web \(hpa\.yaml:1\) too/,
    );
    assert.deepEqual(more, []);
  });

  it('is told of where the target is in no manifest', () => {
    assert.match(
      told({ 'hpa.yaml': hpa }).join('\n'),
      /^hpa\.yaml:5:\d+ MissingReference warning: Deployment web is in no manifest of namespace default/,
    );
  });

  it('is not told of where a file is unreadable, or the target was refused', () => {
    assert.doesNotMatch(told({ 'hpa.yaml': hpa, 'app.yaml': 'a: [' }).join('\n'), /MissingReference/);
    assert.doesNotMatch(
      told({ 'hpa.yaml': hpa, 'app.yaml': workload('replicas: many') }).join('\n'),
      /MissingReference/,
    );
  });

  it('have no second autoscaler', () => {
    const second = autoscaler(`${TARGET}\n  maxReplicas: 2`, 'web-too');
    const [line, ...more] = told({ 'app.yaml': workload(''), 'hpa.yaml': hpa, 'second.yaml': second });
    assert.match(
      line ?? '',
      /^second\.yaml:5:\d+ ScaleTargetShared warning: .* HorizontalPodAutoscaler web \(hpa\.yaml:1\)/,
    );
    assert.deepEqual(more, []);
  });
});

describe('the Prometheus of a Cluster', () => {
  const ofCluster = (prometheus: string): string[] =>
    told({
      'plumbline.yaml': `apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {metrics: {prometheus: ${prometheus}}}
`,
    });

  for (const prometheus of [
    '{url: "http://10.0.0.1:9090"}',
    '{url: "https://metrics.example.com/prom/"}',
    '{url: "http://a:1", queries: [{metric: a, query: "sum(rate(a{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)"}]}',
  ])
    it(`may be ${prometheus}`, () => {
      assert.deepEqual(ofCluster(prometheus), []);
    });

  for (const [prometheus, says] of [
    ['{}', /url/],
    ['{url: "file:///etc/passwd"}', /url must be an http or https URL/],
    ['{url: "http://ada:secret@a:1"}', /url may hold no user name and no password/],
    ['{url: "http://a:1/?x=1"}', /url may have no '\?'/],
    ['{url: "http://a:1", queries: [{metric: a, query: "sum(a)"}]}', /query must have <<\.LabelMatchers>>/],
    ['{url: "http://a:1", queries: [{metric: "", query: "a{<<.LabelMatchers>>}"}]}', /metric must not be empty/],
  ] as const)
    it(`may not be ${prometheus}`, () => {
      assert.match(ofCluster(prometheus).join('\n'), says);
    });
});
