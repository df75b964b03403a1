/** Source: Kubernetes documentation, "Taints and Tolerations". */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Taint } from '../../../contracts/objects/index.ts';
import { node, pod } from '../controllers/objects.ts';
import { scores, verdicts } from './situation.ts';

const taint = (key: string, effect: Taint['effect'], value?: string): Taint => ({
  key,
  effect,
  ...(value !== undefined && { value }),
});
const tainted = (name: string, ...taints: Taint[]): ReturnType<typeof node> => node(name, { spec: { taints } });
const tolerating = (...tolerations: object[]): object => ({ tolerations });
const untolerated = (key: string, value = ''): string =>
  `TaintToleration: node(s) had untolerated taint {${key}: ${value}}`;

describe('taints', () => {
  const gpu = taint('gpu', 'NoSchedule', 'true');
  const rows: readonly (readonly [string, Taint[], object, string])[] = [
    ['NoSchedule', [gpu], {}, untolerated('gpu', 'true')],
    ['NoExecute', [taint('sick', 'NoExecute')], {}, untolerated('sick')],
    ['PreferNoSchedule only advises', [taint('old', 'PreferNoSchedule')], {}, 'passes'],
    ['Equal', [gpu], tolerating({ key: 'gpu', value: 'true', effect: 'NoSchedule' }), 'passes'],
    ['Equal to another value', [gpu], tolerating({ key: 'gpu', value: 'false' }), untolerated('gpu', 'true')],
    ['Equal to no value', [taint('gpu', 'NoSchedule')], tolerating({ key: 'gpu', operator: 'Equal' }), 'passes'],
    ['Exists', [gpu], tolerating({ key: 'gpu', operator: 'Exists' }), 'passes'],
    ['Exists of another key', [gpu], tolerating({ key: 'fpga', operator: 'Exists' }), untolerated('gpu', 'true')],
    ['Exists of every key', [gpu, taint('sick', 'NoExecute')], tolerating({ operator: 'Exists' }), 'passes'],
    [
      'Exists of every key, for one effect',
      [gpu, taint('sick', 'NoExecute')],
      tolerating({ operator: 'Exists', effect: 'NoSchedule' }),
      untolerated('sick'),
    ],
    [
      'another effect',
      [gpu],
      tolerating({ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }),
      untolerated('gpu', 'true'),
    ],
    [
      'no effect means every effect',
      [gpu, taint('gpu', 'NoExecute', 'true')],
      tolerating({ key: 'gpu', value: 'true' }),
      'passes',
    ],
    [
      'the first that is not tolerated is named',
      [taint('a', 'PreferNoSchedule'), gpu, taint('b', 'NoSchedule'), taint('c', 'NoSchedule')],
      tolerating({ key: 'gpu', operator: 'Exists' }),
      untolerated('b'),
    ],
    [
      'the example of the documentation: two of three taints are tolerated',
      [
        taint('key1', 'NoSchedule', 'value1'),
        taint('key1', 'NoExecute', 'value1'),
        taint('key2', 'NoSchedule', 'value2'),
      ],
      tolerating(
        { key: 'key1', operator: 'Equal', value: 'value1', effect: 'NoSchedule' },
        { key: 'key1', operator: 'Equal', value: 'value1', effect: 'NoExecute' },
      ),
      untolerated('key2', 'value2'),
    ],
    [
      'a node short of memory, for a pod that asks for nothing',
      [taint('node.kubernetes.io/memory-pressure', 'NoSchedule')],
      {},
      untolerated('node.kubernetes.io/memory-pressure'),
    ],
    [
      'a node short of memory, for a pod that asks for some of what it needs',
      [taint('node.kubernetes.io/memory-pressure', 'NoSchedule')],
      { containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '1m' } } }] },
      'passes',
    ],
    [
      'a node short of disk, for a pod that asks for some of what it needs',
      [taint('node.kubernetes.io/disk-pressure', 'NoSchedule')],
      { containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '1m' } } }] },
      untolerated('node.kubernetes.io/disk-pressure'),
    ],
    [
      'an outage taint: every pod tolerates its NoExecute, not its NoSchedule',
      [taint('node.kubernetes.io/unreachable', 'NoExecute'), taint('node.kubernetes.io/not-ready', 'NoSchedule')],
      {},
      untolerated('node.kubernetes.io/not-ready'),
    ],
  ];
  for (const [title, taints, spec, expected] of rows)
    it(title, () =>
      assert.deepEqual(verdicts({ nodes: [tainted('n', ...taints), node('plain')] }, pod('p', spec)), {
        n: expected,
        plain: 'passes',
      }),
    );
});

describe('cordoned nodes', () => {
  const CORDONED = 'NodeUnschedulable: node(s) were unschedulable';
  const rows: readonly (readonly [string, object, string])[] = [
    ['refuse', {}, CORDONED],
    [
      'are tolerated by name',
      tolerating({ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }),
      'passes',
    ],
    ['are tolerated by a toleration of everything', tolerating({ operator: 'Exists' }), 'passes'],
    [
      'are not tolerated with another effect',
      tolerating({ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoExecute' }),
      CORDONED,
    ],
    ['are not tolerated by another key', tolerating({ key: 'gpu', operator: 'Exists' }), CORDONED],
  ];
  for (const [title, spec, expected] of rows)
    it(title, () =>
      assert.deepEqual(verdicts({ nodes: [node('n', { spec: { unschedulable: true } })] }, pod('p', spec)), {
        n: expected,
      }),
    );
});

describe('PreferNoSchedule', () => {
  const soft = (...keys: string[]): Taint[] => keys.map((key) => taint(key, 'PreferNoSchedule'));
  const nodes = [
    tainted('none'),
    tainted('one', ...soft('a')),
    tainted('two', ...soft('a', 'b')),
    tainted('hard', taint('a', 'NoSchedule')),
  ];
  const rows: readonly (readonly [string, object, Record<string, number>])[] = [
    ['the fewer the better', {}, { none: 100, one: 50, two: 0 }],
    ['tolerated ones do not count', tolerating({ key: 'b', operator: 'Exists' }), { none: 100, one: 0, two: 0 }],
    [
      'are tolerated with their own effect',
      tolerating({ key: 'a', operator: 'Exists', effect: 'PreferNoSchedule' }),
      { none: 100, one: 100, two: 0 },
    ],
    [
      'are not tolerated with NoSchedule',
      tolerating({ key: 'a', operator: 'Exists', effect: 'NoSchedule' }),
      { none: 100, one: 50, two: 0, hard: 100 },
    ],
    ['all tolerated', tolerating({ operator: 'Exists' }), { none: 100, one: 100, two: 100, hard: 100 }],
  ];
  for (const [title, spec, expected] of rows)
    it(title, () => assert.deepEqual(scores({ nodes }, pod('p', spec), 'TaintToleration'), expected));
});
