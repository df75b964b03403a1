/** SchedulerPlugins: what their expressions see and give, what is refused, and that none takes long. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SchedulerPluginManifest, type SchedulerPlugin, type StoredPod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { PodFacts, SAMPLES, type NodeSource } from '../../../reconciler/core/scheduling/expressions/facts.ts';
import {
  Failure,
  isMistake,
  readExpression,
  type Expression,
  type Results,
} from '../../../reconciler/core/scheduling/expressions/language.ts';
import { expressionPlugin } from '../../../reconciler/core/scheduling/plugins/expression.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const store = new World();
const stored = (name: string, spec: object = {}, metadata: object = {}): StoredPod =>
  store.put(pod(name, spec, metadata));
const asking = (requests: object, more: object = {}): object => ({
  containers: [{ name: 'app', image: 'app:v1', resources: { requests } }],
  ...more,
});
const plugin = (name: string, spec: object): SchedulerPlugin =>
  SchedulerPluginManifest.parse({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'SchedulerPlugin',
    metadata: { name },
    spec,
  });
const filter = (expression: string, reason = 'node(s) were wrong'): object => ({ filter: { expression, reason } });

function read<R extends keyof Results>(text: string, wanted: R): Expression<R> {
  const found = readExpression(text, wanted);
  if (isMistake(found)) assert.fail(`${text}: ${found.message}`);
  return found;
}
function mistake(text: string, wanted: keyof Results = 'bool'): string {
  const found = readExpression(text, wanted);
  return isMistake(found)
    ? `${found.at} ${found.message}${found.hint === undefined ? '' : `; ${found.hint}`}`
    : assert.fail(`${text} was accepted`);
}

/** A node with 8 cores of which 2 are taken, and a pod that asks for 500m. */
function cluster(): ClusterState {
  const state = new ClusterState();
  const big = node('big', {
    allocatable: { cpu: '8', memory: '16Gi', pods: '110', 'nvidia.com/gpu': '4' },
    spec: { taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] },
  });
  state.setNode({
    ...big,
    metadata: { ...big.metadata, labels: { disk: 'ssd', 'tenant.example.com/default': 'yes' } },
  });
  state.setPod(stored('there', asking({ cpu: '2', memory: '4Gi', 'nvidia.com/gpu': '1' }, { nodeName: 'big' })));
  return state;
}
const asked = stored(
  'asked',
  asking({ cpu: '500m', memory: '1Gi' }, { tolerations: [{ key: 'dedicated', operator: 'Exists' }] }),
  { labels: { app: 'web' } },
);

describe('a filter', () => {
  const rows: readonly [expression: string, passes: boolean][] = [
    ['true', true],
    ['node.name == "big"', true],
    ['node.labels["disk"] == "ssd"', true],
    ['node.labels.disk.startsWith("s") && node.labels.disk.endsWith("d") && node.labels.disk.contains("ss")', true],
    ['has(node.labels.disk)', true],
    ['has(node.labels.none)', false],
    ['"none" in node.labels && node.labels["none"] == "x"', false],
    ['("tenant.example.com/" + pod.namespace) in node.labels', true],
    ['node.labels.exists(key, key.startsWith("tenant.example.com/") && node.labels[key] == "yes")', true],
    ['node.labels.exists_one(key, key == "disk") && node.labels.size() == 2', true],
    ['node.taints.exists(t, t.key == "dedicated" && t.value == "gpu" && t.effect == "NoSchedule")', true],
    ['node.taints.all(t, pod.tolerations.exists(o, o.key == t.key))', true],
    ['pod.tolerations.filter(o, o.operator == "Exists" && o.value == "" && o.effect == "").size() == 1', true],
    ['node.allocatable["cpu"] == 8 && node.requested["cpu"] == 2.0 && pod.requests["cpu"] == 0.5', true],
    ['node.allocatable["memory"] == 17179869184 && node.requested["memory"] * 4 == node.allocatable["memory"]', true],
    ['node.allocatable["nvidia.com/gpu"] - node.requested["nvidia.com/gpu"] >= 3', true],
    ['"example.com/fpga" in node.allocatable || "nvidia.com/gpu" in pod.requests', false],
    ['node.ready && node.pods == 1 && node.allocatable["pods"] == 110', true],
    ['pod.namespace == "default" && pod.labels["app"] == "web" && pod.priority == 0', true],
    ['pod.labels["app"] in ["web", "api"]', true],
    ['cel.bind(free, node.allocatable["cpu"] - node.requested["cpu"], free > 5 && free < 7)', true],
    ['node.taints.map(t, t.key) == ["dedicated"]', true],
    ['int("7") == 7 && double("0.5") == pod.requests["cpu"] && string(node.pods) == "1"', true],
    ['// a comment\nnode.ready', true],
  ];
  for (const [expression, passes] of rows) {
    it(expression, () => {
      const state = cluster();
      const ready =
        expressionPlugin(plugin('p', filter(expression))).preFilter?.(state.shape(asked), state) ?? assert.fail();
      assert.equal(ready.filter(0), passes);
      if (!passes)
        assert.deepEqual(ready.reasons(0), [{ reason: 'node(s) were wrong', detail: 'SchedulerPlugin p refuses it' }]);
    });
  }

  it('that fails refuses the node, and says why', () => {
    const failing: readonly [expression: string, detail: string][] = [
      ['node.labels["rack"] == "r1"', 'node.labels["rack"]: no such key: rack; write "rack" in node.labels before it'],
      ['node.labels.rack == "r1"', "node.labels.rack: no such key: rack; write 'rack' in node.labels before it"],
      ['1 / (node.pods - 1) > 0', '1 / (node.pods - 1): division by zero'],
      ['node.taints[1].key == ""', 'node.taints[1]: no such key: index out of bounds, index 1 >= size 1'],
      ['int(node.name) == 1', 'int(node.name): int() type error: cannot convert to int'],
    ];
    const state = cluster();
    for (const [expression, detail] of failing) {
      const ready =
        expressionPlugin(plugin('racks', filter(expression))).preFilter?.(state.shape(asked), state) ?? assert.fail();
      assert.equal(ready.filter(0), false, expression);
      assert.deepEqual(
        ready.reasons(0).map(({ reason }) => reason),
        ['SchedulerPlugin racks failed'],
      );
      assert.match(
        ready.reasons(0)[0]?.detail ?? '',
        new RegExp(detail.slice(0, 20).replace(/[^\w ]/g, '.')),
        expression,
      );
    }
    const [first] = failing;
    const ready =
      expressionPlugin(plugin('racks', filter(first?.[0] ?? ''))).preFilter?.(state.shape(asked), state) ??
      assert.fail();
    assert.equal(ready.reasons(0)[0]?.detail, first?.[1]);
  });

  it('that cannot be read refuses every node', () => {
    const state = cluster();
    const ready =
      expressionPlugin(plugin('broken', filter('nod.x'))).preFilter?.(state.shape(asked), state) ?? assert.fail();
    assert.deepEqual(
      [ready.filter(0), ready.reasons(0)],
      [false, [{ reason: 'SchedulerPlugin broken failed', detail: 'unknown variable: nod' }]],
    );
  });
});

describe('a score', () => {
  const rows: readonly [expression: string, score: number][] = [
    ['7', 7],
    ['7.25', 7.25],
    ['100 * (node.allocatable["cpu"] - node.requested["cpu"]) / node.allocatable["cpu"]', 75],
    [
      '"nvidia.com/gpu" in node.allocatable ? 25 * (node.allocatable["nvidia.com/gpu"] - node.requested["nvidia.com/gpu"]) : 0.0',
      75,
    ],
    ['node.pods', 1],
    ['pod.priority > 0 ? 100 : 10', 10],
    ['{"ssd": 90, "hdd": 10}[node.labels["disk"]]', 90],
    ['5000', 100],
    ['-1', 0],
    ['double(node.pods) / 0.0', 100],
    ['-1.0 / 0.0', 0],
    ['0.0 / 0.0', 0],
    ['node.labels["rack"] == "r1" ? 100 : 0', 0],
    ['{"hdd": 10}[node.labels["disk"]]', 0],
    ['nod.x', 0],
  ];
  for (const [expression, score] of rows) {
    it(`${expression} is ${score}`, () => {
      const state = cluster();
      const ready =
        expressionPlugin(plugin('p', { score: { expression } })).preScore?.(state.shape(asked), state) ?? assert.fail();
      assert.equal(ready.score(0), score);
    });
  }
});

describe('an expression is refused', () => {
  const rows: readonly [expression: string, wanted: keyof Results, told: string][] = [
    ['', 'bool', '0 unexpected token: EOF'],
    ['node.ready &&', 'bool', '13 unexpected token: EOF'],
    ['nod.ready', 'bool', '0 unknown variable: nod; variables are node and pod; text is written in quotes'],
    [
      'node.metadata.name == ""',
      'bool',
      '5 no such key: metadata; a Node has name, labels, taints, allocatable, requested, ready, pods',
    ],
    ['pod.spec == ""', 'bool', '4 no such key: spec; a Pod has namespace, labels, priority, requests, tolerations'],
    ['node.taints.exists(t, t.name == "a")', 'bool', '24 no such key: name; a Taint has key, value, effect'],
    [
      'node.constructor == ""',
      'bool',
      '5 no such key: constructor; a Node has name, labels, taints, allocatable, requested, ready, pods',
    ],
    ['node.name', 'bool', '0 must give true or false, and gives string'],
    ['node.ready', 'number', '0 must give a number, and gives bool'],
    ['node.ready == "yes"', 'bool', '0 no such overload: bool == string'],
    [
      'node.ready ? 1 : 0.5',
      'number',
      "0 ternary branches must have the same type, got 'int' and 'double'; write whole numbers as 1.0 where the other number is a double",
    ],
    ['node == node', 'bool', '0 no such overload: Node == Node'],
    ['cel.bind(n, node, n.ready)', 'bool', '18 n is the whole node; take one of its fields'],
    ['node["labels"].size() == 1', 'bool', '0 [] cannot be used on Node; write a point and the field'],
    [
      'has(node.disk)',
      'bool',
      "0 has() takes an entry of a map; such as has(node.labels.disk), or write 'disk' in node.labels",
    ],
    [
      'has(node.constructor.name)',
      'bool',
      "0 has() takes an entry of a map; such as has(node.labels.disk), or write 'disk' in node.labels",
    ],
    ['node.labels.all(node, true)', 'bool', '0 node cannot be the name of something else'],
    [
      'node.name.matches("(a+)+$")',
      'bool',
      '0 matches() cannot be used: a regular expression can take unbounded time; use startsWith(), endsWith(), contains() or ==',
    ],
    ['node.name.split("").size() == 1', 'bool', '0 node.name.split("") is list<string>'],
    [
      'dyn(1) == 1',
      'bool',
      '0 dyn(1) is dyn, which cannot be used here; lists and maps hold text, numbers or booleans',
    ],
    [
      'timestamp("2026-01-01T00:00:00Z") == timestamp("2026-01-01T00:00:00Z")',
      'bool',
      '0 timestamp("2026-01-01T00:00:00Z") is google.protobuf.Timestamp, which cannot be used here; lists and maps hold text, numbers or booleans',
    ],
    [
      '[[1]].size() == 1',
      'bool',
      '0 [[1]] is list<list<int>>, which cannot be used here; lists and maps hold text, numbers or booleans',
    ],
    ['[1] + [2] == [1, 2]', 'bool', '0 + cannot be used on list<int>'],
  ];
  for (const [expression, wanted, told] of rows) {
    it(expression || 'nothing', () => {
      if (expression.includes('split'))
        assert.match(mistake(expression, wanted), /split\(\) cannot be used here; usable: has\(\)/);
      else assert.equal(mistake(expression, wanted), told);
    });
  }
});

describe('no expression takes long', () => {
  const doubling = (times: number): string =>
    Array.from({ length: times }, (_, i) => `cel.bind(a${i + 1}, a${i} + a${i}, `).reduce(
      (text, bind) => `${text}${bind}`,
      'cel.bind(a0, node.name, ',
    ) + `a${times}.contains("x")${')'.repeat(times + 1)}`;
  const nested = (depth: number): string =>
    Array.from({ length: depth }, (_, i) => i).reduce((inner, i) => `node.labels.all(k${i}, ${inner})`, 'true');
  const lists = (times: number): string =>
    Array.from({ length: times }, (_, i) => `cel.bind(b${i + 1}, [b${i}, b${i}], `).join('');

  it('because what could is refused', () => {
    const steps = /takes more than 20000 steps/;
    for (const text of [
      doubling(12),
      nested(4),
      `[${Array.from({ length: 200 }, (_, i) => i).join(',')}].all(a, [${Array.from({ length: 200 }, (_, i) => i).join(',')}].all(b, a != b))`,
    ])
      assert.match(mistake(text), steps);
    assert.match(mistake(`cel.bind(b0, [1], ${lists(10)}b10 == b10${')'.repeat(11)}`), /cannot be used here/);
    assert.match(mistake(`${'!'.repeat(4000)}true`), /maxAstNodes/);
    assert.match(mistake(`${'('.repeat(2000)}true${')'.repeat(2000)}`), /maxDepth/);
    assert.match(mistake(`[${'1,'.repeat(300)}1].size() == 1`), /maxListElements/);
    assert.match(mistake(`node.name == "${'x'.repeat(4096)}"`), /more than 4096 characters/);
  });

  it('and what is fine on most nodes does not run on one that is too large', () => {
    const expression = read('node.labels.all(a, pod.labels.all(b, a != b))', 'bool');
    const labels = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, 'x']));
    const [sample] = SAMPLES;
    const facts = (count: number): [NodeSource, PodFacts] => [
      { ...(sample ?? assert.fail()).node, labels: labels(count) },
      new PodFacts({
        namespace: 'default',
        labels: { app: 'x', ...labels(count - 1) },
        priority: 0,
        requests: new Map(),
        tolerations: [],
      }),
    ];
    assert.equal(expression.evaluate(...facts(1)), true);
    const result = expression.evaluate(...facts(300));
    assert.equal(
      result instanceof Failure && result.detail,
      'takes more than 20000 steps on a node and a pod with so many labels and taints',
    );
  });

  it('whatever is written', () => {
    const word = fc.constantFrom(
      'node',
      'pod',
      '.labels',
      '.taints',
      '.name',
      '.requests',
      '["a"]',
      '[0]',
      '.all(k, ',
      '.exists(k, ',
      '.map(k, ',
      '.filter(k, ',
      'cel.bind(a, ',
      'k',
      'a',
      '(',
      ')',
      ')',
      ',',
      '+',
      '-',
      '*',
      '/',
      '==',
      '&&',
      '||',
      '!',
      '?',
      ':',
      ' in ',
      '"x"',
      '1',
      '2.5',
      'true',
      '[',
      ']',
      '{',
      '}',
      '.size()',
      '.contains(',
      '.matches(',
      '.split(',
      'string(',
      'int(',
      'has(',
      'null',
      '\n',
      '//',
      "'",
      '\\',
      '.constructor',
      '__proto__',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), fc.constantFrom('bool', 'number'), (words, wanted) => {
        const found = readExpression(words.join(''), wanted);
        if (isMistake(found)) return found.message.length > 0 && found.at <= words.join('').length;
        return SAMPLES.every((sample) => {
          const result = found.evaluate(sample.node, sample.pod);
          return result instanceof Failure || typeof result === (wanted === 'bool' ? 'boolean' : 'number');
        });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('plugins of a profile', () => {
  function scheduler(plugins: readonly SchedulerPlugin[], enabled: object, ...nodes: readonly string[]): Scheduler {
    const more = new Map(plugins.map((one) => [one.metadata.name, expressionPlugin(one)]));
    const { profiles, problems } = buildProfiles(
      { profiles: [{ schedulerName: 'default-scheduler', plugins: enabled }] },
      more,
    );
    assert.deepEqual(problems, []);
    const state = new ClusterState();
    for (const name of nodes) state.setNode(node(name));
    return new Scheduler(state, { profiles, seed: 'x' });
  }
  const nodeOf = (outcome: ReturnType<Scheduler['place']>): string | undefined =>
    outcome.is === 'placed' ? outcome.node : undefined;

  it('filter, and name themselves where no node passes', () => {
    const one = scheduler(
      [plugin('only-b', filter('node.name == "b"', 'node(s) were not b'))],
      { multiPoint: { enabled: [{ name: 'only-b' }] } },
      'a',
      'b',
      'c',
    );
    assert.equal(nodeOf(one.place(stored('p1'))), 'b');
    const none = scheduler(
      [plugin('racks', filter('node.labels["rack"] == "r1"'))],
      { filter: { enabled: [{ name: 'racks' }] } },
      'a',
      'b',
    );
    const outcome = none.place(stored('p2'));
    assert.equal(
      outcome.is === 'refused' && outcome.refusal.message,
      '0/2 nodes are available: 2 SchedulerPlugin racks failed.',
    );
    assert.deepEqual(outcome.is === 'refused' && [...outcome.refusal.plugins], ['racks']);
  });

  it('tell pods apart by labels, though these ask the same of a node', () => {
    const one = scheduler(
      [plugin('by-label', filter('node.name == pod.labels["on"]'))],
      { filter: { enabled: [{ name: 'by-label' }] } },
      'a',
      'b',
      'c',
    );
    const labelled = (on: string): ReturnType<typeof stored> => {
      const p = stored(`on-${on}`);
      return { ...p, metadata: { ...p.metadata, labels: { on } } };
    };
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => nodeOf(one.place(labelled(name)))),
      ['a', 'b', 'c'],
    );
  });

  it('score by their weight, beside those that are built in', () => {
    const scored = (weight: number): string | undefined => {
      const one = scheduler(
        [plugin('prefer-a', { score: { expression: 'node.name == "a" ? 100 : 0' } })],
        { score: { enabled: [{ name: 'prefer-a', weight }] } },
        'a',
        'b',
      );
      one.cluster.setPod(stored('load', asking({ cpu: '1', memory: '3Gi' }, { nodeName: 'a' })));
      return nodeOf(one.place(stored('p3', asking({ cpu: '100m' }))));
    };
    assert.deepEqual([scored(0), scored(50)], ['b', 'a']);
  });

  it('see every pod that comes', () => {
    const one = scheduler(
      [plugin('two-at-most', filter('node.pods < 2', 'node(s) had two pods'))],
      { filter: { enabled: [{ name: 'two-at-most' }] } },
      'a',
      'b',
    );
    const places = ['q1', 'q2', 'q3', 'q4', 'q5'].map((name) => nodeOf(one.place(stored(name))));
    assert.deepEqual([places.slice(0, 4).sort(), places[4]], [['a', 'a', 'b', 'b'], undefined]);
    one.cluster.removePod(stored('q1').metadata.uid);
    assert.notEqual(nodeOf(one.place(stored('q6'))), undefined);
  });

  it('may want pods to be there', () => {
    const one = scheduler(
      [plugin('with-company', filter('node.pods > 0', 'node(s) were empty'))],
      { filter: { enabled: [{ name: 'with-company' }] } },
      'a',
      'b',
    );
    const lonely = stored('lonely');
    assert.equal(one.place(lonely).is, 'refused');
    one.cluster.setPod(stored('company', { nodeName: 'b' }));
    assert.equal(nodeOf(one.place(lonely)), 'b');
  });

  it('are kept when room is made: pods go where that helps, and nowhere else', () => {
    const one = scheduler(
      [plugin('one-on-a', filter('node.name == "a" && node.pods < 1'))],
      { filter: { enabled: [{ name: 'one-on-a' }] } },
      'a',
      'b',
    );
    for (const name of ['a', 'b']) one.cluster.setPod(stored(`low-${name}`, { nodeName: name }));
    const urgent = one.place(stored('urgent', { priorityClassName: 'system-cluster-critical' }));
    assert.deepEqual(
      urgent.is === 'nominated' && [
        urgent.nomination.node,
        urgent.nomination.victims.map(({ metadata }) => metadata.name),
      ],
      ['a', ['low-a']],
    );
  });

  it('say which events could help', () => {
    const one = scheduler([], {}, 'a', 'b');
    const { cluster: state } = one;
    const shape = state.shape(stored('h'));
    const hint = (expression: string, type: 'NodeUpdate' | 'PodAdd' | 'PodDelete', name: string): boolean | undefined =>
      expressionPlugin(plugin('h', filter(expression))).hint?.(
        type === 'NodeUpdate'
          ? { type, node: state.number(name) ?? -1 }
          : { type, shape, node: state.number(name) ?? -1 },
        shape,
        state,
      );
    assert.deepEqual(
      [hint('node.name == "a"', 'NodeUpdate', 'a'), hint('node.name == "a"', 'NodeUpdate', 'b')],
      [true, false],
    );
    assert.deepEqual(
      [
        hint('node.name == "a"', 'PodDelete', 'a'),
        hint('node.pods < 1', 'PodDelete', 'a'),
        hint('node.requested["cpu"] > 0', 'PodAdd', 'a'),
      ],
      [false, true, false],
    );
  });
});
