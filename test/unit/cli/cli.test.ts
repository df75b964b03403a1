import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDocument } from 'yaml';
import {
  type Condition,
  type Event,
  KINDS,
  type Node,
  PodSpec,
  type Kind,
  type ObjectsByKind,
  type Pod,
  type PodStatus,
} from '../../../contracts/objects/index.ts';
import { IN_ALL, inOrder, objectPath, parseTarget } from '../../../cli/commands/get.ts';
import { fingerprintOf, parseDestination } from '../../../cli/commands/node-add.ts';
import { editMachine, printed } from '../../../cli/commands/node-edit.ts';
import { diagnosticLines } from '../../../cli/commands/hook.ts';
import { summary } from '../../../cli/commands/status.ts';
import { rowsOf, unheardNodes } from '../../../cli/print/columns.ts';
import { table } from '../../../cli/print/table.ts';
import { age } from '../../../reconciler/core/kinds/columns.ts';
import { podStatusWord } from '../../../reconciler/core/kinds/pod-status-word.ts';
import type { StatusReport } from '../../../reconciler/api/types.ts';
import type { Diagnostic } from '../../../reconciler/core/manifests/index.ts';
import { postReceiveHook, preReceiveHook } from '../../../cli/templates/hooks.ts';

const NOW = new Date('2026-01-01T01:00:00Z');

describe('printing', () => {
  it('writes ages as kubectl does', () => {
    const rows: readonly [string, string][] = [
      ['2026-01-01T00:59:50Z', '10s'],
      ['2026-01-01T00:57:00Z', '3m'],
      ['2025-12-31T21:00:00Z', '4h'],
      ['2025-12-20T01:00:00Z', '12d'],
      ['2026-01-01T02:00:00Z', '0s'],
      ['', '<unknown>'],
    ];
    for (const [from, wanted] of rows) assert.equal(age(from, NOW), wanted, from);
  });

  it('aligns columns', () => {
    assert.equal(
      table(
        ['NAME', 'AGE'],
        [
          ['web', '1s'],
          ['longer-name', '20s'],
        ],
      ),
      'NAME          AGE\nweb           1s\nlonger-name   20s',
    );
  });

  it('aligns what is written out by its width', () => {
    assert.equal(
      table(
        ['NAME', 'AGE'],
        [
          ['a\u001b[31mb\nc', '1s'],
          ['b', '2s'],
        ],
      ),
      'NAME           AGE\na\\x1b[31mb c   1s\nb              2s',
    );
  });
});

describe('lists that are cut', () => {
  it('say how much more there is, and never leave out the errors for warnings', () => {
    const finding = (severity: 'error' | 'warning', line: number): Diagnostic => ({
      severity,
      code: 'X',
      file: 'a.yaml',
      line,
      column: 1,
      message: 'm',
    });
    const many = [...Array.from({ length: 80 }, (_, i) => finding('warning', i + 1)), finding('error', 81)];
    const lines = diagnosticLines(many);
    assert.equal(lines[0], 'a.yaml:81:1 X m');
    assert.equal(lines.length, 61);
    assert.equal(lines.at(-1), '... and 21 more, 0 of them errors; see them all with: plumb check');
    assert.deepEqual(diagnosticLines(many.slice(0, 2)), ['a.yaml:1:1 X warning: m', 'a.yaml:2:1 X warning: m']);
  });

  it('a line of progress tells of more than the first thing that is missing', () => {
    const report = (missing: string[]) =>
      ({
        source: { head: 'a'.repeat(40), newest: { outcome: 'Applied' } },
        objects: [],
        missing,
      }) as unknown as StatusReport;
    assert.equal(
      summary(report(['web waits', 'pod web-1: CrashLoopBackOff'])),
      'waiting: aaaaaaaaaaaa Applied, 0/0 healthy: web waits; pod web-1: CrashLoopBackOff',
    );
    assert.match(summary(report(['a', 'b', 'c', 'd', 'e'])), /: a; b; c; and 2 more$/);
  });
});

describe('pod status word', () => {
  const container = (state: object, more: object = {}) => ({
    name: 'web',
    ready: false,
    restartCount: 0,
    image: 'x',
    imageID: '',
    lastState: {},
    state,
    ...more,
  });
  const pod = (status: object | undefined, meta: object = {}): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default', ...meta },
    spec: PodSpec.parse({ containers: [{ name: 'web', image: 'x:1' }] }),
    ...(status && { status: status as PodStatus }),
  });
  const cases: readonly [string, Pod, string][] = [
    ['new', pod(undefined), 'Pending'],
    [
      'running',
      pod({ phase: 'Running', containerStatuses: [container({ running: { startedAt: '' } }, { ready: true })] }),
      'Running',
    ],
    [
      'back-off',
      pod({ phase: 'Running', containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } })] }),
      'CrashLoopBackOff',
    ],
    [
      'ended',
      pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } })] }),
      'Error',
    ],
    ['init', pod({ phase: 'Pending', initContainerStatuses: [container({ running: {} })] }), 'Init:0/1'],
    [
      'init fails',
      pod({ phase: 'Pending', initContainerStatuses: [container({ waiting: { reason: 'ErrImagePull' } })] }),
      'Init:ErrImagePull',
    ],
    ['going', pod({ phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'Terminating'],
  ];
  for (const [name, object, wanted] of cases) it(name, () => assert.equal(podStatusWord(object), wanted));

  describe('of a node that is not heard', () => {
    const on = (name: string, nodeName: string, status: object, meta: object = {}): Pod => {
      const made = pod(status, { name, ...meta });
      return { ...made, spec: { ...made.spec, nodeName } };
    };
    const node = (name: string, ready: object | undefined): Node => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: {},
      status: { conditions: ready ? [{ type: 'Ready', ...ready } as Condition] : [] },
    });
    const up = { phase: 'Running', containerStatuses: [container({ running: { startedAt: '' } }, { ready: true })] };
    const pods = [
      on('a', 'silent', up),
      on('b', 'heard', up),
      on('done', 'silent', {
        phase: 'Succeeded',
        containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })],
      }),
      on('going', 'silent', up, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      on('gone', 'removed', up),
      on('new', 'fresh', { phase: 'Pending' }),
    ];
    const nodes = [
      node('silent', { status: 'Unknown', lastHeartbeatTime: '2026-01-01T00:55:00Z' }),
      node('heard', { status: 'True', lastHeartbeatTime: '2026-01-01T00:59:59Z' }),
      node('fresh', undefined),
      node('empty', { status: 'Unknown', lastHeartbeatTime: '2026-01-01T00:55:00Z' }),
      node('ill', { status: 'False' }),
    ];

    it('is Unknown, unless it has ended or is to go', () => {
      const unheard = unheardNodes(nodes, pods, NOW);
      const { rows } = rowsOf('Pod', pods, {
        wide: false,
        namespace: false,
        now: NOW,
        unheard: new Set(unheard.keys()),
      });
      assert.deepEqual(
        rows.map((row) => row.slice(0, 3)),
        [
          ['a', '1/1', 'Unknown'],
          ['b', '1/1', 'Running'],
          ['done', '0/1', 'Completed'],
          ['going', '1/1', 'Terminating'],
          ['gone', '1/1', 'Running'],
          ['new', '0/1', 'Unknown'],
        ],
      );
    });

    it('is told once for each such node that has one, with since when', () => {
      assert.deepEqual(
        [...unheardNodes(nodes, pods, NOW).values()],
        [
          'node silent was last heard 5m ago (Unknown): its pods are shown as they were then',
          'node fresh was not heard yet (Unknown): its pods are shown as they were left',
        ],
      );
    });
  });

  it('stands in its column', () => {
    const { headings, rows } = rowsOf('Pod', [pod(undefined)], { wide: false, namespace: true, now: NOW });
    assert.deepEqual(headings, ['NAMESPACE', 'NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']);
    assert.deepEqual(rows[0]?.slice(0, 4), ['default', 'a', '0/1', 'Pending']);
  });
});

describe('columns of what decides over placement, as kubectl has them', () => {
  const manifest = (kind: Kind, body: object): object => ({
    apiVersion: KINDS[kind].apiVersion,
    kind,
    metadata: { name: 'a' },
    ...body,
  });
  const cases: readonly (readonly [Kind, object, object, string[], string[]])[] = [
    [
      'PriorityClass',
      { value: -5 },
      {},
      ['NAME', 'VALUE', 'GLOBAL-DEFAULT', 'AGE', 'PREEMPTIONPOLICY'],
      ['a', '-5', 'false', '<unknown>', 'PreemptLowerPriority'],
    ],
    [
      'PodDisruptionBudget',
      { spec: { minAvailable: '50%' } },
      { status: { disruptionsAllowed: 2 } },
      ['NAME', 'MIN AVAILABLE', 'MAX UNAVAILABLE', 'ALLOWED DISRUPTIONS', 'AGE'],
      ['a', '50%', 'N/A', '2', '<unknown>'],
    ],
    [
      'PodDisruptionBudget',
      { spec: { maxUnavailable: 1 } },
      {},
      ['NAME', 'MIN AVAILABLE', 'MAX UNAVAILABLE', 'ALLOWED DISRUPTIONS', 'AGE'],
      ['a', 'N/A', '1', '0', '<unknown>'],
    ],
    [
      'PodGroup',
      { spec: { minMember: 3 } },
      { status: { phase: 'Scheduling', running: 1 } },
      ['NAME', 'PHASE', 'MINMEMBER', 'RUNNING', 'SUCCEEDED', 'FAILED', 'AGE'],
      ['a', 'Scheduling', '3', '1', '', '', '<unknown>'],
    ],
    [
      'KubeSchedulerConfiguration',
      { profiles: [{}, { schedulerName: 'batch' }] },
      {},
      ['NAME', 'PROFILES', 'AGE'],
      ['a', 'default-scheduler,batch', '<unknown>'],
    ],
    [
      'DeschedulerPolicy',
      { profiles: [{ name: 'p' }], deschedulingIntervalSeconds: 60 },
      {},
      ['NAME', 'PROFILES', 'INTERVAL', 'AGE'],
      ['a', 'p', '60s', '<unknown>'],
    ],
    [
      'SchedulerPlugin',
      { spec: { score: { expression: '1' } } },
      {},
      ['NAME', 'POINTS', 'AGE'],
      ['a', 'score', '<unknown>'],
    ],
  ];
  for (const [kind, body, live, headings, row] of cases) {
    it(`${kind} ${JSON.stringify(body)}`, () => {
      const object = { ...(KINDS[kind].manifest?.parse(manifest(kind, body)) as ObjectsByKind[typeof kind]), ...live };
      assert.deepEqual(rowsOf(kind, [object], { wide: false, namespace: false, now: NOW }), { headings, rows: [row] });
    });
  }
});

describe('objects that are listed', () => {
  const event = (name: string, lastTimestamp: string): Event => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'default' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    type: 'Normal',
    reason: 'Started',
    source: { component: 'kubelet' },
    message: 'm',
    count: 1,
    firstTimestamp: lastTimestamp,
    lastTimestamp,
  });

  it('are in order of their keys, but Events as they happened, the newest last', () => {
    const events = [
      event('a', '2026-01-01T00:00:02Z'),
      event('b', '2026-01-01T00:00:00.5Z'),
      event('c', '2026-01-01T00:00:01Z'),
    ];
    assert.deepEqual(
      inOrder('Event', events).map(({ metadata }) => metadata.name),
      ['b', 'c', 'a'],
    );
    assert.equal(inOrder('Pod', events), events);
  });
});

describe('words on the command line', () => {
  it('finds kinds by any of their names', () => {
    assert.deepEqual(parseTarget('deploy/web'), { kind: 'Deployment', name: 'web' });
    assert.deepEqual(parseTarget('Pods', 'a'), { kind: 'Pod', name: 'a' });
    assert.throws(() => parseTarget('gizmo'), /no kind/);
  });

  it('shows workloads and what leads to them under `all`, as kubectl does', () => {
    assert.deepEqual(IN_ALL, [
      'Pod',
      'ReplicationController',
      'Service',
      'DaemonSet',
      'Deployment',
      'ReplicaSet',
      'StatefulSet',
      'HorizontalPodAutoscaler',
      'CronJob',
      'Job',
    ]);
  });

  it('makes API paths', () => {
    assert.equal(objectPath('Pod', 'a', 'b'), '/api/v1/namespaces/a/pods/b');
    assert.equal(objectPath('Deployment', undefined), '/apis/apps/v1/deployments');
    assert.equal(objectPath('Node', 'ignored', 'n'), '/api/v1/nodes/n');
  });

  it('reads destinations, and takes none for an option', () => {
    assert.deepEqual(parseDestination('root@198.18.0.1:2222'), { user: 'root', address: '198.18.0.1', port: 2222 });
    assert.deepEqual(parseDestination('box.example'), { user: 'root', address: 'box.example', port: 22 });
    assert.deepEqual(parseDestination('root@[fd00::1]:22'), { user: 'root', address: 'fd00::1', port: 22 });
    for (const text of ['-oProxyCommand=x', 'root@-x', 'a b', 'root@host:0', 'root@host:99999', '', '@host'])
      assert.throws(() => parseDestination(text), /is no/, text);
  });

  it('shows fingerprints as ssh-keygen does', () => {
    assert.equal(
      fingerprintOf('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA').startsWith(
        'SHA256:',
      ),
      true,
    );
  });
});

describe('machine edits', () => {
  const machine = 'kind: Machine # mine\nspec:\n  address: a\n';
  it('do the same when done twice, and are undone by uncordon', () => {
    const document = parseDocument(machine);
    editMachine(document, 'drain');
    const once = String(document);
    editMachine(document, 'drain');
    assert.equal(String(document), once);
    assert.deepEqual((document.toJS() as { spec: unknown }).spec, {
      address: 'a',
      unschedulable: true,
      taints: [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }],
    });
    editMachine(document, 'uncordon');
    assert.equal(String(document), machine);
  });

  it('leave long lines as they are', () => {
    const long = `${machine}  hostKey: ssh-rsa ${'A'.repeat(60)} ${'B'.repeat(300)}\n`;
    const document = parseDocument(long);
    editMachine(document, 'cordon');
    editMachine(document, 'uncordon');
    assert.equal(printed(document), long);
  });

  it('leave other taints alone', () => {
    const document = parseDocument('spec:\n  taints:\n    - key: gpu\n      effect: NoSchedule\n');
    editMachine(document, 'drain');
    editMachine(document, 'uncordon');
    assert.deepEqual(document.toJS(), { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } });
  });
});

describe('hooks', () => {
  it('quote every path and name', () => {
    const settings = { branch: "it's", node: '/opt/no de', cli: '/a/$(x)/`y`' };
    assert.match(preReceiveHook(settings), /^cli='\/a\/\$\(x\)\/`y`'$/m);
    assert.match(preReceiveHook(settings), /^branch='it'\\''s'$/m);
    assert.match(postReceiveHook(settings), /^branch='it'\\''s'$/m);
  });
});
