/** Source: Kubernetes documentation, "Assigning Pods to Nodes"; Kubernetes v1 API reference, NodeSelectorTerm. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { node, pod } from '../controllers/objects.ts';
import { scores, verdicts } from './situation.ts';

const nodes = [
  node('ssd', { labels: { disk: 'ssd', cores: '8' } }),
  node('hdd', { labels: { disk: 'hdd', cores: '16' } }),
  node('bare', { labels: { cores: 'many' } }),
  node('odd', { labels: { disk: '', cores: '-4' } }),
];
const ALL = ['bare', 'hdd', 'odd', 'ssd'];
const REFUSED = "NodeAffinity: node(s) didn't match Pod's node affinity/selector";

const expression = (key: string, operator: string, ...values: string[]): object => ({
  key,
  operator,
  ...(values.length > 0 && { values }),
});
const name = (operator: string, value: string): object => ({ key: 'metadata.name', operator, values: [value] });
const required = (...nodeSelectorTerms: object[]): object => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const preferred = (...terms: [number, object][]): object => ({
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: terms.map(([weight, preference]) => ({ weight, preference })),
    },
  },
});
const all = (...matchExpressions: object[]): object => ({ matchExpressions });
const added = (addedAffinity: object): object => ({
  pluginConfig: [{ name: 'NodeAffinity', args: { addedAffinity } }],
});

describe('required node affinity', () => {
  const rows: readonly (readonly [string, object, string[]])[] = [
    ['In', required(all(expression('disk', 'In', 'ssd', 'nvme'))), ['ssd']],
    ['In of several values', required(all(expression('disk', 'In', 'ssd', 'hdd'))), ['hdd', 'ssd']],
    ['NotIn holds without the label', required(all(expression('disk', 'NotIn', 'ssd'))), ['bare', 'hdd', 'odd']],
    ['Exists holds for an empty value', required(all(expression('disk', 'Exists'))), ['hdd', 'odd', 'ssd']],
    ['DoesNotExist', required(all(expression('disk', 'DoesNotExist'))), ['bare']],
    ['Gt holds for whole numbers only', required(all(expression('cores', 'Gt', '8'))), ['hdd']],
    ['Gt of a negative number', required(all(expression('cores', 'Gt', '-5'))), ['hdd', 'odd', 'ssd']],
    ['Lt', required(all(expression('cores', 'Lt', '16'))), ['odd', 'ssd']],
    ['Lt compares numbers, not text', required(all(expression('cores', 'Lt', '9'))), ['odd', 'ssd']],
    ['Gt without the label', required(all(expression('gpus', 'Gt', '0'))), []],
    ['Lt without the label', required(all(expression('gpus', 'Lt', '9'))), []],
    [
      'requirements of a term hold together',
      required(all(expression('disk', 'Exists'), expression('cores', 'Gt', '7'))),
      ['hdd', 'ssd'],
    ],
    [
      'one of several terms is enough',
      required(all(expression('disk', 'In', 'ssd')), all(expression('disk', 'DoesNotExist'))),
      ['bare', 'ssd'],
    ],
    ['an empty term matches no node', required({}), []],
    ['an empty term beside another', required({}, all(expression('disk', 'In', 'hdd'))), ['hdd']],
    ['a field In', required({ matchFields: [name('In', 'hdd')] }), ['hdd']],
    ['a field In, of a node that is not there', required({ matchFields: [name('In', 'gone')] }), []],
    ['a field NotIn', required({ matchFields: [name('NotIn', 'hdd')] }), ['bare', 'odd', 'ssd']],
    [
      'fields of two terms',
      required({ matchFields: [name('In', 'hdd')] }, { matchFields: [name('In', 'odd')] }),
      ['hdd', 'odd'],
    ],
    [
      'a field in one of two terms',
      required({ matchFields: [name('In', 'hdd')] }, all(expression('disk', 'In', 'ssd'))),
      ['hdd', 'ssd'],
    ],
    ['fields of one term that contradict', required({ matchFields: [name('In', 'hdd'), name('In', 'ssd')] }), []],
    [
      'a field and an expression hold together',
      required({ matchFields: [name('In', 'hdd')], ...all(expression('disk', 'In', 'ssd')) }),
      [],
    ],
    ['nodeSelector', { nodeSelector: { disk: 'ssd' } }, ['ssd']],
    ['nodeSelector of an empty value needs the label', { nodeSelector: { disk: '' } }, ['odd']],
    ['nodeSelector of several labels', { nodeSelector: { disk: 'hdd', cores: '8' } }, []],
    ['an empty nodeSelector', { nodeSelector: {} }, ALL],
    [
      'nodeSelector and affinity hold together',
      { nodeSelector: { disk: 'ssd' }, ...required(all(expression('cores', 'Gt', '7'))) },
      ['ssd'],
    ],
    [
      'nodeSelector and affinity that contradict',
      { nodeSelector: { disk: 'ssd' }, ...required(all(expression('cores', 'Gt', '8'))) },
      [],
    ],
    ['preferred affinity refuses nobody', preferred([1, all(expression('disk', 'In', 'nvme'))]), ALL],
  ];
  for (const [title, spec, expected] of rows) {
    it(title, () =>
      assert.deepEqual(
        verdicts({ nodes }, pod('p', spec)),
        Object.fromEntries(
          nodes.map(({ metadata }) => [metadata.name, expected.includes(metadata.name) ? 'passes' : REFUSED]),
        ),
      ),
    );
  }
});

describe('affinity that a profile adds', () => {
  const profile = added({
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [all(expression('disk', 'Exists'))] },
  });
  const ENFORCED = "NodeAffinity: node(s) didn't match scheduler-enforced node affinity";

  it('holds for pods that say nothing', () =>
    assert.deepEqual(verdicts({ nodes, profile }, pod('p')), {
      ssd: 'passes',
      hdd: 'passes',
      odd: 'passes',
      bare: ENFORCED,
    }));
  it("holds beside the pod's own, and is named first", () =>
    assert.deepEqual(verdicts({ nodes, profile }, pod('p', { nodeSelector: { cores: '8' } })), {
      ssd: 'passes',
      hdd: REFUSED,
      odd: REFUSED,
      bare: ENFORCED,
    }));
  it("adds to the pod's preferences", () =>
    assert.deepEqual(
      scores(
        {
          nodes,
          profile: added({
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: all(expression('disk', 'In', 'hdd')) },
            ],
          }),
        },
        pod('p', preferred([1, all(expression('cores', 'Gt', '7'))])),
        'NodeAffinity',
      ),
      { hdd: 100, ssd: 50, bare: 0, odd: 0 },
    ));
});

describe('preferred node affinity', () => {
  const rows: readonly (readonly [string, object, Record<string, number>])[] = [
    [
      'the sum of weights, the greatest becomes 100',
      preferred([20, all(expression('disk', 'Exists'))], [60, all(expression('cores', 'Gt', '8'))]),
      { hdd: 100, ssd: 25, odd: 25, bare: 0 },
    ],
    [
      'no node that is preferred',
      preferred([20, all(expression('disk', 'In', 'nvme'))]),
      { hdd: 0, ssd: 0, odd: 0, bare: 0 },
    ],
    [
      'an empty preference changes nothing',
      preferred([90, {}], [10, all(expression('disk', 'In', 'ssd'))]),
      { hdd: 0, ssd: 100, odd: 0, bare: 0 },
    ],
    ['a field', preferred([10, { matchFields: [name('NotIn', 'bare')] }]), { hdd: 100, ssd: 100, odd: 100, bare: 0 }],
    [
      'only nodes that pass are compared',
      {
        nodeSelector: { cores: '8' },
        ...preferred([50, all(expression('disk', 'In', 'hdd'))], [10, all(expression('disk', 'Exists'))]),
      },
      { ssd: 100 },
    ],
    ['a pod without preferences', {}, {}],
  ];
  for (const [title, spec, expected] of rows)
    it(title, () => assert.deepEqual(scores({ nodes }, pod('p', spec), 'NodeAffinity'), expected));
});
