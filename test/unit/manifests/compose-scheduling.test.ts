import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  composeState,
  formatDiagnostic,
  parseManifest,
  type ParsedFile,
} from '../../../reconciler/core/manifests/index.ts';

function file(path: string, text: string): ParsedFile {
  return parseManifest(path, path, new TextEncoder().encode(text));
}
function told(...files: readonly ParsedFile[]): string[] {
  return composeState(files, []).diagnostics.map(formatDiagnostic);
}

const pod = (spec: string, labels = '{}'): ParsedFile =>
  file(
    'pod.yaml',
    `apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: ${labels}}\nspec:\n  containers: [{name: a, image: "a:1"}]\n  ${spec}\n`,
  );
const priorityClass = (name: string, fields = ''): ParsedFile =>
  file(
    `${name}.yaml`,
    `apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: ${name}}\nvalue: 5\n${fields}`,
  );
const configuration = (path: string, body: string): ParsedFile =>
  file(path, `apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n${body}`);
const profiles = (...names: readonly string[]): ParsedFile =>
  configuration('scheduler.yaml', `profiles: [${names.map((n) => `{schedulerName: ${n}}`).join(', ')}]\n`);

describe('the PriorityClass that a pod names', () => {
  it('is in Git or built in', () => {
    assert.deepEqual(told(pod('priorityClassName: high'), priorityClass('high')), []);
    for (const name of ['system-cluster-critical', 'system-node-critical'])
      assert.deepEqual(told(pod(`priorityClassName: ${name}`)), []);
  });
  it('is missed at the line that names it', () => {
    assert.deepEqual(told(pod('priorityClassName: hihg'), priorityClass('high')), [
      'pod.yaml:6:22 UnknownPriorityClass spec.priorityClassName names PriorityClass hihg, which is in no manifest; did you mean high?',
    ]);
    assert.deepEqual(told(pod('priorityClassName: urgent')), [
      'pod.yaml:6:22 UnknownPriorityClass spec.priorityClassName names PriorityClass urgent, which is in no manifest; add a manifest of kind PriorityClass with this name',
    ]);
  });
  it('is not missed where it is refused for another reason', () => {
    assert.deepEqual(
      told(pod('priorityClassName: high'), priorityClass('high', 'foo: 1\n')).map((t) => t.split(' ')[1]),
      ['UnknownField'],
    );
  });
  it('is the default in one case at most', () => {
    assert.deepEqual(
      told(
        priorityClass('a', 'globalDefault: true'),
        priorityClass('b', 'globalDefault: false'),
        priorityClass('c', 'globalDefault: true'),
      ),
      [
        'c.yaml:5:16 MultipleGlobalDefaults PriorityClass a (a.yaml:1) is marked as default already; at most one PriorityClass has globalDefault: true',
      ],
    );
  });
});

describe('the scheduler that a pod names', () => {
  it('is a profile; default-scheduler where none is configured', () => {
    assert.deepEqual(told(pod('schedulerName: default-scheduler')), []);
    assert.deepEqual(told(pod('schedulerName: batch'), profiles('default-scheduler', 'batch')), []);
    assert.deepEqual(told(pod('schedulerName: default-scheduler'), configuration('scheduler.yaml', '')), []);
  });
  it('is missed at the line that names it', () => {
    assert.deepEqual(told(pod('schedulerName: bacth'), profiles('default-scheduler', 'batch')), [
      'pod.yaml:6:18 UnknownScheduler spec.schedulerName names bacth, which is no profile of the scheduler: no pod would ever get a node; did you mean batch?',
    ]);
  });
  it('is default-scheduler no more where the configured profiles do not name it', () => {
    assert.deepEqual(told(pod(''), profiles('batch')), [
      'pod.yaml:1:1 UnknownScheduler spec.schedulerName names default-scheduler, which is no profile of the scheduler: no pod would ever get a node; profiles of KubeSchedulerConfiguration: batch',
    ]);
  });
  it('does not matter to a pod that has its node, nor where the configuration is refused', () => {
    assert.deepEqual(told(pod('schedulerName: batch\n  nodeName: n1')), []);
    assert.deepEqual(
      told(pod('schedulerName: batch'), configuration('scheduler.yaml', 'foo: 1\n')).map((t) => t.split(' ')[1]),
      ['UnknownField'],
    );
  });
});

describe('settings of which there is one', () => {
  const policy = (path: string, metadata: string): ParsedFile =>
    file(path, `apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n${metadata}`);
  it('are refused a second time, with and without a name', () => {
    assert.deepEqual(
      told(
        configuration('a.yaml', ''),
        configuration('b.yaml', ''),
        configuration('c.yaml', 'metadata: {name: other}\n'),
        policy('d.yaml', ''),
        policy('e.yaml', 'metadata: {name: x}\n'),
      ),
      [
        'b.yaml:1:1 MultipleConfigurations a repository has one KubeSchedulerConfiguration; the first is at a.yaml:1; move what this one says there, and remove it here',
        'c.yaml:1:1 MultipleConfigurations a repository has one KubeSchedulerConfiguration; the first is default at a.yaml:1; move what other says there, and remove it here',
        'e.yaml:1:1 MultipleConfigurations a repository has one DeschedulerPolicy; the first is default at d.yaml:1; move what x says there, and remove it here',
      ],
    );
  });
});

describe('the PodGroup that a pod is of', () => {
  const group = (namespace: string): ParsedFile =>
    file(
      'g.yaml',
      `apiVersion: scheduling.x-k8s.io/v1alpha1\nkind: PodGroup\nmetadata: {name: g, namespace: ${namespace}}\nspec: {minMember: 2}\n`,
    );
  it('is missed with a warning', () => {
    assert.deepEqual(told(pod('', '{scheduling.x-k8s.io/pod-group: g}')), [
      'pod.yaml:1:1 MissingReference warning: its pods have the label scheduling.x-k8s.io/pod-group: g, but PodGroup g is in no manifest; they wait until it exists',
    ]);
    assert.deepEqual(told(pod('', '{scheduling.x-k8s.io/pod-group: g}'), group('default')), []);
  });
});
