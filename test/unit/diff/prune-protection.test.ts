import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObjectKey } from '../../../contracts/objects/index.ts';
import { checkPlan, formatPlan, planSync, unacknowledged } from '../../../reconciler/core/diff/index.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { carryOut, deployment, desired, manifests, planInput, type Live } from './states.ts';

const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}`;
const claim = (name: string, home = 'default'): string =>
  `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: ${name}, namespace: ${home}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}`;
const map = (name: string, annotations = '{}', home = 'default'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${home}, annotations: ${annotations}}`;

const live = (state: DesiredState): Live => carryOut(new Map(), planSync(planInput({ desired: state })));
const keep = deployment('keep');
const without = (text: string) => {
  const applied = desired(manifests(keep, text));
  return planInput({ applied, desired: desired(keep), live: live(applied) });
};
const refused = (text: string, ...messages: string[]): string[] =>
  unacknowledged(checkPlan(without(text)), messages).map(({ code, acknowledge }) => `${code} ${acknowledge ?? ''}`);

describe('what goes only where the commit says that it is meant', () => {
  const shop = manifests(namespace('shop'), claim('data', 'shop'), map('a', '{}', 'shop'));
  const table: readonly [what: string, text: string, message: string, wanted: readonly string[]][] = [
    ['a Namespace, with the claims in it', shop, '', ['PruneUnacknowledged Namespace/shop']],
    ['a claim', claim('data'), '', ['PruneUnacknowledged PersistentVolumeClaim/default/data']],
    ['nothing else', map('a'), '', []],
    [
      'what an annotation of ours marks',
      map('a', '{plumbline.dev/prune: confirm}'),
      '',
      ['PruneUnacknowledged ConfigMap/default/a'],
    ],
    [
      'what one of Argo CD marks',
      map('a', '{argocd.argoproj.io/sync-options: "Replace=true, Prune=confirm"}'),
      '',
      ['PruneUnacknowledged ConfigMap/default/a'],
    ],
    ['said as it is shown', shop, 'Away\n\nPlumbline-Allow-Prune: Namespace/shop\n', []],
    ['said as kubectl has it', shop, 'Away\n\nplumbline-allow-prune: ns/shop', []],
    ['said in the middle, with others', claim('data'), 'a\n\nPlumbline-Allow-Prune: ns/x, pvc/data\n\n* more', []],
    ['said with its namespace', claim('data'), 'Plumbline-Allow-Prune: pvc/default/data', []],
    ['said of another one', shop, 'Plumbline-Allow-Prune: ns/shops', ['PruneUnacknowledged Namespace/shop']],
    ['a number is none of them', shop, 'Plumbline-Allow-Prune: 100', ['PruneUnacknowledged Namespace/shop']],
    ['all are all', shop, 'Plumbline-Allow-Prune: all', []],
    ['prose is none', shop, 'See Plumbline-Allow-Prune: all', ['PruneUnacknowledged Namespace/shop']],
  ];
  for (const [what, text, message, wanted] of table)
    it(what, () => {
      assert.deepEqual(refused(text, message), wanted);
    });

  it('tells where the manifest was, and what to write', () => {
    const [only] = checkPlan(without(claim('data')));
    assert.equal(`${only?.file}:${only?.line}`, 'app.yaml:3');
    assert.match(only?.hint ?? '', /Plumbline-Allow-Prune: PersistentVolumeClaim\/default\/data$/);
  });

  it('a number allows as many objects, and no more', () => {
    const cluster = `apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec: {sync: {maxPruneObjects: 2}}`;
    const applied = desired(manifests(cluster, keep, map('a'), map('b'), map('c')));
    const input = planInput({ applied, desired: desired(manifests(cluster, keep)), live: live(applied) });
    const left = (message: string): string[] => unacknowledged(checkPlan(input), [message]).map(({ code }) => code);
    assert.deepEqual(left(''), ['PruneLimit']);
    assert.deepEqual(left('Plumbline-Allow-Prune: 2'), ['PruneLimit']);
    assert.deepEqual(left('Plumbline-Allow-Prune: 3'), []);
  });
});

describe('what is never pruned', () => {
  for (const annotations of [
    '{plumbline.dev/prune: disabled}',
    '{argocd.argoproj.io/sync-options: Prune=false}',
    '{argocd.argoproj.io/sync-options: "ServerSideApply=true,Delete=false"}',
    '{helm.sh/resource-policy: keep}',
    '{kustomize.toolkit.fluxcd.io/prune: Disabled}',
  ])
    it(annotations, () => {
      const plan = planSync(without(map('a', annotations)));
      assert.deepEqual(plan.counts, { create: 0, update: 0, delete: 0 });
      assert.deepEqual(
        plan.kept.map(({ key }) => key),
        ['configmaps/default/a' satisfies ObjectKey],
      );
      assert.match(formatPlan(plan, 'text'), /^= ConfigMap\/default\/a \(in no manifest, kept: \S+: \S+\)$/m);
    });

  it('keeps the Namespace that it is in, and nothing else of that', () => {
    const shop = manifests(
      namespace('shop'),
      map('a', '{plumbline.dev/prune: disabled}', 'shop'),
      map('b', '{}', 'shop'),
    );
    const plan = planSync(without(shop));
    assert.deepEqual(
      plan.items.map(({ action, key }) => `${action} ${key}`),
      ['delete configmaps/shop/b'],
    );
    assert.deepEqual(
      plan.kept.map(({ key, by }) => `${key} ${by}`),
      ['configmaps/shop/a plumbline.dev/prune: disabled', 'namespaces//shop ConfigMap/shop/a is kept'],
    );
  });

  it('goes once a commit has taken the annotation off', () => {
    const applied = desired(manifests(keep, map('a', '{helm.sh/resource-policy: keep}')));
    const next = desired(manifests(keep, map('a')));
    const after = carryOut(live(applied), planSync(planInput({ applied, desired: next, live: live(applied) })));
    const plan = planSync(planInput({ applied: next, desired: desired(keep), live: after }));
    assert.deepEqual([plan.counts.delete, plan.kept], [1, []]);
  });
});
