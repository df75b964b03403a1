/** docs/scheduling.md says what is so. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { BUILT_IN_PLUGINS, buildProfiles, builtIn } from '../../../reconciler/core/scheduling/profile.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { LARGE, NodeFacts, SAMPLES, type PodFacts } from '../../../reconciler/core/scheduling/expressions/facts.ts';
import { MOST_STEPS } from '../../../reconciler/core/scheduling/expressions/steps.ts';

const page = readFileSync(new URL('../../../docs/scheduling.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
const names = (text = ''): string[] => [...text.matchAll(/`(.+?)`/g)].map(([, name]) => name ?? '');

describe('docs/scheduling.md', () => {
  it('has examples that are accepted together', () => {
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? '');
    const { state, diagnostics } = composeState(
      examples.map((text, i) => parseManifest(`${i}.yaml`, 'oid', new TextEncoder().encode(text))),
      [],
    );
    assert.deepEqual(diagnostics.map(formatDiagnostic), []);
    assert.deepEqual([...state.keys()].sort(), [
      'kubeschedulerconfigurations.kubescheduler.config.k8s.io//default',
      'podgroups.scheduling.x-k8s.io/default/training',
      'schedulerplugins.plumbline.dev//free-gpus',
      'schedulerplugins.plumbline.dev//keep-off-old-kernels',
    ]);
  });

  it('lists the plugins with what they do, their weights and arguments', () => {
    const [profile] = buildProfiles(undefined).profiles.values();
    const weights = new Map(profile?.scores.map(({ plugin, weight }) => [plugin.name, weight]));
    assert.deepEqual(
      rows.slice(0, BUILT_IN_PLUGINS.length).map(([name]) => names(name)[0]),
      BUILT_IN_PLUGINS,
    );
    for (const [name, filters, scores, args] of rows.slice(0, BUILT_IN_PLUGINS.length)) {
      const plugin = names(name)[0] ?? '';
      const known = builtIn(plugin) ?? assert.fail(plugin);
      assert.equal(filters !== '', known.plugin.preFilter !== undefined, `${plugin} filters`);
      assert.equal(
        scores === '' ? undefined : Number.parseInt(scores ?? '', 10),
        weights.get(plugin),
        `${plugin} scores`,
      );
      const { shape } = known.args as unknown as { readonly shape: object };
      assert.deepEqual(
        names(args).sort(),
        Object.keys(shape)
          .filter((field) => field !== 'apiVersion' && field !== 'kind')
          .sort(),
        `${plugin} arguments`,
      );
    }
  });

  it('lists the variables of expressions, and their limits', () => {
    const told = rows
      .slice(BUILT_IN_PLUGINS.length)
      .flatMap(([name]) => names(name))
      .sort();
    const [sample] = SAMPLES;
    assert.ok(sample);
    const node = Object.getOwnPropertyNames(NodeFacts.prototype)
      .filter((name) => name !== 'constructor')
      .map((name) => `node.${name}`);
    assert.deepEqual(
      told,
      [...node, ...Object.keys(sample.pod satisfies PodFacts).map((name) => `pod.${name}`)].sort(),
    );
    for (const text of [
      `${MOST_STEPS.toLocaleString('en')} steps`,
      '4096 characters and 1000 operations',
      `${LARGE.node.labels} labels and ${LARGE.node.taints} taints`,
      `${LARGE.pod.labels} labels and ${LARGE.pod.tolerations} tolerations`,
    ])
      assert.ok(page.replaceAll('\n', ' ').includes(text), text);
  });
});
