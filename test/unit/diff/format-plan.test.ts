import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPlan, planSync, type Plan } from '../../../reconciler/core/diff/index.ts';
import { carryOut, deployment, desired, manifests, planInput } from './states.ts';

const secret = (password: string, more = ''): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: ${password}${more}}\n`;

function plan(before: string, after: string): Plan {
  const applied = desired(before);
  return planSync(
    planInput({
      applied,
      desired: desired(after),
      live: carryOut(new Map(), planSync(planInput({ desired: applied }))),
    }),
  );
}

const CHANGE = plan(
  manifests(deployment('web', { env: { A: '1' } }), deployment('old'), secret('swordfish')),
  manifests(
    '# moved',
    deployment('web', { image: 'hello:2', env: { B: 'two words' } }),
    secret('marlinspike', ', extra: x'),
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}',
  ),
);

describe('a plan as text', () => {
  it('names every change in words', () => {
    assert.equal(
      formatPlan(CHANGE, 'text'),
      [
        '+ Namespace/team',
        '~ Secret/default/s',
        '    data.extra: + [redacted]',
        '    data.password: [redacted] -> [redacted, another value]',
        '~ Deployment/default/web',
        '    spec.template.spec.containers[web].env[A]: - {"name":"A","value":"1"}',
        '    spec.template.spec.containers[web].env[B]: + {"name":"B","value":"two words"}',
        '    spec.template.spec.containers[web].image: hello:1 -> hello:2',
        '- Deployment/default/old',
        '',
        'Plan: 1 to create, 2 to update, 1 to delete.',
      ].join('\n'),
    );
  });

  it('says what is resized in place, and what starts again for it', () => {
    const pod = (resources: string, policy = ''): string =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: x, ${policy}resources: {requests: {${resources}}}}]}\n`;
    const restarts = 'resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}], ';
    const said = (before: string, after: string): string =>
      formatPlan(plan(before, after), 'text').split('\n')[0] ?? '';
    assert.equal(said(pod('cpu: 1'), pod('cpu: 2')), '~ Pod/default/p (resized in place)');
    assert.equal(
      said(pod('cpu: 1, memory: 1Gi', restarts), pod('cpu: 1, memory: 2Gi', restarts)),
      '~ Pod/default/p (resized in place; restarts a)',
    );
    assert.equal(said(pod('cpu: 1', restarts), pod('cpu: 2', restarts)), '~ Pod/default/p (resized in place)');
    assert.equal(said(pod('cpu: 1'), pod('cpu: 1').replace('image: x', 'image: z')), '~ Pod/default/p');
  });

  it('says when there is nothing to do', () => {
    assert.equal(formatPlan(plan(deployment('web'), deployment('web')), 'text'), 'no changes');
    assert.equal(formatPlan(plan('', ''), 'markdown'), '**Plumbline plan:** no changes');
  });

  it('says that containers changed places', () => {
    const pair = (names: string): string =>
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [${names}]}\n`;
    const a = '{name: a, image: x}';
    const b = '{name: b, image: x}';
    assert.match(
      formatPlan(plan(pair(`${a}, ${b}`), pair(`${b}, ${a}`)), 'text'),
      /containers \(order\): \["a","b"\] -> \["b","a"\]/,
    );
  });

  it('cuts long values and keeps one line each', () => {
    const map = (text: string): string =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { f: text } });
    const lines = formatPlan(plan(map('a'), map('line\n'.repeat(500))), 'text').split('\n');
    assert.equal(lines.length, 4);
    assert.ok(lines.every((line) => line.length < 200));
  });
});

describe('a plan for a pull request', () => {
  it('is one fenced diff that no value can close', () => {
    const map = (text: string): string =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { f: text } });
    const lines = formatPlan(plan(map('a'), map('````')), 'markdown').split('\n');
    assert.equal(lines[0], '**Plumbline plan:** 0 to create, 1 to update, 0 to delete.');
    assert.equal(lines[2], '`````diff');
    assert.equal(lines.at(-1), '`````');
  });
});

describe('a plan for programs', () => {
  it('is one JSON object', () => {
    const parsed = JSON.parse(formatPlan(CHANGE, 'json')) as { counts: unknown; items: Record<string, unknown>[] };
    assert.deepEqual(parsed.counts, { create: 1, update: 2, delete: 1 });
    assert.deepEqual(
      parsed.items.map((i) => [i['action'], i['key'], i['reason']]),
      [
        ['create', 'Namespace//team', undefined],
        ['update', 'Secret/default/s', 'commit'],
        ['update', 'Deployment/default/web', 'commit'],
        ['delete', 'Deployment/default/old', undefined],
      ],
    );
    assert.deepEqual([parsed.items[2]?.['file'], parsed.items[2]?.['line']], ['app.yaml', 3]);
  });
});

describe('Secrets', () => {
  it('are in no form of any plan', () => {
    const values = [
      'swordfish',
      'marlinspike',
      Buffer.from('swordfish').toString('base64'),
      Buffer.from('marlinspike').toString('base64'),
    ];
    const plans = [
      CHANGE,
      plan('', secret('swordfish')),
      plan(secret('swordfish'), ''),
      plan(secret('swordfish'), secret('swordfish').replace(/stringData.*/, 'immutable: true')),
    ];
    for (const p of plans) {
      for (const format of ['text', 'markdown', 'json'] as const) {
        const text = formatPlan(p, format);
        for (const value of values) assert.equal(text.includes(value), false, `${format} shows ${value}`);
      }
    }
  });

  it('say whether the value is another one, however it is written', () => {
    const encoded = (base64: string): string =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: ${base64}}\n`;
    // The same bytes, with the unused bits of the last character set, which no decoder looks at.
    for (const [now, says] of [
      [encoded(Buffer.from('swordfish1').toString('base64')), /no changes/],
      [encoded('c3dvcmRmaXNoMR=='), /data\.password: \[redacted\] -> \[redacted, the same value\]/],
      [
        encoded(Buffer.from('marlinspike').toString('base64')),
        /data\.password: \[redacted\] -> \[redacted, another value\]/,
      ],
    ] as const)
      assert.match(formatPlan(plan(secret('swordfish1'), now), 'text'), says);
  });

  it('are all that is left out of a patch', () => {
    const now = secret('marlinspike', ', extra: x').replace('stringData', 'immutable: true\nstringData');
    const text = formatPlan(plan(secret('swordfish'), now), 'json');
    const { items } = JSON.parse(text) as { items: { patch: unknown }[] };
    assert.deepEqual(items[0]?.patch, [
      { op: 'replace', path: '/data/password', value: '[redacted]' },
      { op: 'add', path: '/data/extra', value: '[redacted]' },
      { op: 'add', path: '/immutable', value: true },
    ]);
  });
});
