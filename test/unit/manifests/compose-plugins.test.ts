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

const profile = (body: string): ParsedFile =>
  file(
    'scheduler.yaml',
    `apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n- ${body}\n`,
  );
const plugin = (name: string, spec: string): ParsedFile =>
  file(
    `${name}.yaml`,
    `apiVersion: plumbline.dev/v1alpha1\nkind: SchedulerPlugin\nmetadata: {name: ${name}}\nspec: ${spec}\n`,
  );
const FILTER = '{filter: {expression: node.ready, reason: not ready}}';
const SCORE = '{score: {expression: node.pods}}';

describe('the plugins that a profile names', () => {
  it('are built in, or SchedulerPlugins', () => {
    assert.deepEqual(
      told(
        profile('plugins: {multiPoint: {enabled: [{name: mine, weight: 5}, {name: NodeAffinity}]}}'),
        plugin('mine', FILTER),
      ),
      [],
    );
    assert.deepEqual(
      told(
        profile('plugins: {filter: {enabled: [{name: mine}]}, score: {enabled: [{name: yours}]}}'),
        plugin('mine', FILTER),
        plugin('yours', SCORE),
      ),
      [],
    );
  });
  it('are missed at the line that names them', () => {
    assert.deepEqual(told(profile('plugins: {filter: {enabled: [{name: mien}]}}'), plugin('mine', FILTER)), [
      'scheduler.yaml:4:39 UnknownPlugin profiles[0].plugins.filter.enabled[0].name names mien, which is neither a built-in plugin nor a SchedulerPlugin; did you mean mine?',
    ]);
    assert.deepEqual(
      told(profile('plugins: {score: {enabled: [{name: NodeResourceFit}], disabled: [{name: ImageLocalty}]}}')),
      [
        'scheduler.yaml:4:38 UnknownPlugin profiles[0].plugins.score.enabled[0].name names NodeResourceFit, which is neither a built-in plugin nor a SchedulerPlugin; did you mean NodeResourcesFit?',
        'scheduler.yaml:4:75 UnknownPlugin profiles[0].plugins.score.disabled[0].name names ImageLocalty, which is neither a built-in plugin nor a SchedulerPlugin; did you mean ImageLocality?',
      ],
    );
    assert.deepEqual(told(profile('plugins: {multiPoint: {enabled: [{name: constructor}]}}')), [
      'scheduler.yaml:4:43 UnknownPlugin profiles[0].plugins.multiPoint.enabled[0].name names constructor, which is neither a built-in plugin nor a SchedulerPlugin; add a manifest of kind SchedulerPlugin with this name',
    ]);
  });
  it('are not missed where they are refused for another reason', () => {
    assert.deepEqual(
      told(
        profile('plugins: {filter: {enabled: [{name: mine}]}}'),
        plugin('mine', '{filter: {expression: nod.ready, reason: x}}'),
      ).map((t) => t.split(' ')[1]),
      ['InvalidExpression'],
    );
  });
  it('have a part where they are enabled', () => {
    assert.deepEqual(
      told(
        profile('plugins: {score: {enabled: [{name: mine}]}, queueSort: {enabled: [{name: mine}]}}'),
        plugin('mine', FILTER),
      ),
      [
        'scheduler.yaml:4:38 InvalidValue profiles[0].plugins.score.enabled[0].name is SchedulerPlugin mine, which has no part in score; it has a filter',
        'scheduler.yaml:4:76 InvalidValue profiles[0].plugins.queueSort.enabled[0].name is SchedulerPlugin mine, which has no part in queueSort; it has a filter',
      ],
    );
  });
  it('may be plugins of Kubernetes, where they are disabled', () => {
    assert.deepEqual(
      told(
        profile("plugins: {filter: {disabled: [{name: NodeVolumeLimits}, {name: '*'}], enabled: [{name: NodeName}]}}"),
      ),
      [],
    );
    assert.deepEqual(
      told(profile('plugins: {filter: {enabled: [{name: NodeVolumeLimits}]}}')).map((t) => t.split(' ')[1]),
      ['UnsupportedValue'],
    );
  });
});

describe('an expression', () => {
  const expression = (yaml: string): string[] =>
    told(
      file(
        'p.yaml',
        `apiVersion: plumbline.dev/v1alpha1\nkind: SchedulerPlugin\nmetadata: {name: p}\nspec:\n  score:\n    expression: ${yaml}\n`,
      ),
    );
  const wrong = (at: string): string[] => [
    `p.yaml:${at} InvalidExpression spec.score.expression cannot be used: unknown variable: nod; variables are node and pod; text is written in quotes`,
  ];
  it('is wrong where it is written, however it is written', () => {
    assert.deepEqual(expression('node.pods + nod'), wrong('6:29'));
    assert.deepEqual(expression("'node.name == ''a'' ? 1 : nod'"), wrong('6:43'));
    assert.deepEqual(expression('"node.name == \\"a\\" ? 1 : nod"'), wrong('6:43'));
    assert.deepEqual(expression('|\n      node.pods\n        + nod'), wrong('8:11'));
    assert.deepEqual(expression('>-\n      node.pods\n      + nod'), wrong('8:9'));
    assert.deepEqual(expression('node.pods\n      + nod'), wrong('7:9'));
  });
});
