/** Changes of cpu and memory while a pod runs: what is done, told, and when there is room. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EphemeralContainer,
  type ContainerStatus,
  type Node,
  type Pod,
  type PodStatus,
} from '../../../contracts/objects/index.ts';
import { resizeVerdict } from '../../../nodeagent/core/pod/admission.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { memoryAfter, remember } from '../../../nodeagent/core/pod/memory.ts';
import { planPod, type PodInput } from '../../../nodeagent/core/pod/plan.ts';
import { allocatedBefore, asked, madeWith, withAllocation } from '../../../nodeagent/core/pod/allocation.ts';
import { podLimits } from '../../../nodeagent/core/pod/pod-limits.ts';
import { podStatus } from '../../../nodeagent/core/pod/status.ts';
import { brief, container, input, NOW, pod, remembered, seen } from './pods.ts';

const small = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
const large = { requests: { cpu: '200m', memory: '64Mi' }, limits: { memory: '256Mi' } };
const asking = (resources: object, more: object = {}, spec: object = {}): Pod =>
  pod({ containers: [{ name: 'main', image: 'app:1', resources, ...more }], ...spec }, { generation: 3 });
const onRestart = (resourceName: string) => ({ resizePolicy: [{ resourceName, restartPolicy: 'RestartContainer' }] });
const madeSmall = (more: Parameters<typeof container>[0] = {}) => {
  const made = container(more);
  return { ...made, annotations: { ...made.annotations, [ANNOTATION.resources]: madeWith({ resources: small }) } };
};
const runs = seen({ containers: [madeSmall()] });
/** Whose cgroup the agent sets. */
const ours = (): PodInput['observed'] => {
  const made = seen({ containers: [madeSmall()] });
  return {
    ...made,
    sandboxes: made.sandboxes.map((one) => ({ ...one, annotations: { [ANNOTATION.limited]: 'true' } })),
  };
};
const LARGE_LIMITS = podLimits(asking(large));
const RESIZE = 'resize main-0 {"limits":{"memory":"256Mi"},"requests":{"cpu":"200m","memory":"64Mi"}}';

describe('a running container whose resources change', () => {
  const rows: readonly {
    readonly name: string;
    readonly given: Partial<PodInput>;
    readonly steps: readonly string[];
  }[] = [
    { name: 'runs as it was made: nothing', given: { pod: asking(small) }, steps: [] },
    { name: 'is resized in place', given: { pod: asking(large) }, steps: [RESIZE] },
    {
      name: 'whose changed resource needs a restart is ended',
      given: { pod: asking(large, onRestart('memory')) },
      steps: ['kill main-0 30s Resized'],
    },
    {
      name: 'is resized in place where only the other resource needs a restart',
      given: { pod: asking({ ...small, limits: { memory: '256Mi' } }, onRestart('cpu')) },
      steps: ['resize main-0 {"limits":{"memory":"256Mi"},"requests":{"cpu":"100m","memory":"64Mi"}}'],
    },
    {
      name: 'needs nothing of the runtime where only its request of memory changes',
      given: { pod: asking({ ...small, requests: { cpu: '100m', memory: '96Mi' } }) },
      steps: [],
    },
    {
      name: 'was resized: nothing',
      given: { pod: asking(large), memory: remembered({ resized: new Map([['main-0', large]]) }) },
      steps: [],
    },
    {
      name: 'was resized, and with it its pod',
      given: { pod: asking(large), observed: ours(), memory: remembered({ resized: new Map([['main-0', large]]) }) },
      steps: [`limit pod ${JSON.stringify(LARGE_LIMITS)}`],
    },
    {
      name: 'was resized, and its pod has its limits',
      given: {
        pod: asking(large),
        observed: ours(),
        memory: remembered({ resized: new Map([['main-0', large]]), limits: LARGE_LIMITS }),
      },
      steps: [],
    },
    {
      name: 'is resized before its pod',
      given: { pod: asking(large), observed: ours(), memory: remembered({ limits: podLimits(asking(small)) }) },
      steps: [RESIZE],
    },
    {
      name: 'runs as it was made, as does its pod',
      given: { pod: asking(small), observed: ours() },
      steps: [],
    },
    {
      name: 'waits after a failure',
      given: {
        pod: asking(large),
        memory: remembered({
          resizes: new Map([['main', { reason: 'ResizeError', message: 'm', at: NOW, pauseMs: 1000 }]]),
        }),
      },
      steps: [],
    },
    {
      name: 'of an agent that wrote nothing down is left alone',
      given: { pod: asking(large), observed: seen({ containers: [container()] }) },
      steps: [],
    },
    {
      name: 'that did its work by itself is not made again for new resources',
      given: {
        pod: asking(large, onRestart('memory'), {
          restartPolicy: 'OnFailure',
          initContainers: [{ name: 'aside', image: 'app:1', restartPolicy: 'Always' }],
        }),
        observed: seen({ containers: [madeSmall({ state: 'exited', attempt: 1 }), container({ name: 'aside' })] }),
      },
      // The pod is over.
      steps: ['kill aside-0 30s PodOver'],
    },
    {
      name: 'that ended for its new resources is made again at once, whatever its policy',
      given: {
        memory: remembered({ endedToResize: new Set(['main-1']) }),
        pod: asking(large, onRestart('memory'), { restartPolicy: 'OnFailure' }),
        observed: seen({ containers: [madeSmall({ state: 'exited', attempt: 1, backoffMs: 10_000 })] }),
        // Told while it ended: what is allocated.
        previous: {
          phase: 'Running',
          containerStatuses: [
            {
              name: 'main',
              state: {},
              lastState: {},
              ready: false,
              restartCount: 1,
              image: '',
              imageID: '',
              containerID: 'containerd://main-1',
              resources: large,
            },
          ],
        },
      },
      steps: ['start main #2 restarts=2 next-pause=10000'],
    },
    {
      name: 'whose resize an agent before this one may have been cut off in: done again',
      given: {
        pod: asking(small),
        previous: { phase: 'Running', conditions: [{ type: 'PodResizeInProgress', status: 'True' }] },
      },
      steps: ['resize main-0 {"limits":{"memory":"128Mi"},"requests":{"cpu":"100m","memory":"64Mi"}}'],
    },
  ];
  for (const { name, given, steps } of rows)
    it(name, () => assert.deepEqual(planPod(input({ observed: runs, ...given })).steps.map(brief), steps));
});

describe('what is remembered of containers that are ended to be resized', () => {
  const kill = { do: 'killContainer', id: 'main-0', container: 'main', graceSeconds: 1, message: '' } as const;
  const after = (reason: 'Resized' | 'Unhealthy') =>
    remember(remembered(), { ...kill, reason, preStop: undefined, after: [] }, { ok: true }, NOW).endedToResize;

  it('is which they are, until they are removed', () => {
    assert.deepEqual([...after('Resized')], ['main-0']);
    assert.deepEqual([...after('Unhealthy')], []);
    const memory = remembered({ endedToResize: after('Resized') });
    const removed = remember(memory, { do: 'removeContainer', id: 'main-0' }, { ok: true }, NOW);
    assert.deepEqual([...removed.endedToResize], []);
  });

  it('may be any that ran when the agent before was heard last', () => {
    const told = (name: string, state: object) =>
      ({ name, state, containerID: `containerd://${name}-0` }) as unknown as ContainerStatus;
    const previous: PodStatus = {
      phase: 'Running',
      containerStatuses: [told('a', { running: { startedAt: '' } }), told('b', { terminated: {} })],
      initContainerStatuses: [told('c', { running: { startedAt: '' } })],
    };
    assert.deepEqual([...memoryAfter(previous).endedToResize], ['a-0', 'c-0']);
    assert.deepEqual(memoryAfter(undefined).endedToResize, new Set());
  });
});

describe('the status of a pod that is resized', () => {
  const told = (more: Partial<PodInput>): PodStatus =>
    podStatus({ ...input({ observed: runs, ...more }), over: undefined, hostIP: '' });
  const conditions = ({ conditions = [] }: PodStatus): unknown[] =>
    conditions
      .filter(({ type }) => type.startsWith('PodResize'))
      .map(({ type, status, reason, message, observedGeneration }) => [
        type,
        status,
        reason,
        message,
        observedGeneration,
      ]);

  it('says what is allocated and what is in force, and that it is under way', () => {
    const status = told({ pod: asking(large) });
    assert.deepEqual(status.containerStatuses?.[0]?.allocatedResources, large.requests);
    assert.deepEqual(status.containerStatuses?.[0]?.resources, small);
    assert.deepEqual(conditions(status), [['PodResizeInProgress', 'True', undefined, undefined, 3]]);
    assert.equal(status.observedGeneration, 3);
  });

  it('says both alike, and nothing more, when it is done', () => {
    const before = told({ pod: asking(large) });
    const [step] = planPod(input({ observed: runs, pod: asking(large) })).steps;
    assert.ok(step);
    const status = told({
      pod: asking(large),
      previous: before,
      memory: remember(remembered(), step, { ok: true }, NOW),
    });
    assert.deepEqual(status.containerStatuses?.[0]?.resources, large);
    assert.deepEqual(conditions(status), []);
  });

  it('is over with the last that was resized, whatever else runs in the pod', () => {
    const wanted = asking(large);
    const look = EphemeralContainer.parse({ name: 'look', image: 'app:1' });
    const looked: Pod = { ...wanted, spec: { ...wanted.spec, ephemeralContainers: [look] } };
    const beside = container({ name: 'look' });
    const written = { ...beside.annotations, [ANNOTATION.resources]: madeWith(look) };
    const given = {
      pod: looked,
      observed: seen({ containers: [madeSmall(), { ...beside, annotations: written }] }),
    };
    const before = told(given);
    assert.equal(conditions(before).length, 1);
    const status = told({
      ...given,
      previous: before,
      memory: remembered({ resized: new Map([['main-0', large]]) }),
    });
    assert.deepEqual(conditions(status), []);
  });

  it('says why it waits, and why it fails', () => {
    const resize = { is: 'Deferred', message: 'no room' } as const;
    assert.deepEqual(conditions(told({ pod: asking(small), resize })), [
      ['PodResizePending', 'True', 'Deferred', 'no room', 3],
    ]);
    const memory = remembered({
      resizes: new Map([['main', { reason: 'ResizeError', message: 'busy', at: NOW, pauseMs: 1000 }]]),
    });
    assert.deepEqual(conditions(told({ pod: asking(large), memory })), [
      ['PodResizeInProgress', 'True', 'Error', 'busy', 3],
    ]);
  });

  it('is what the next agent takes for allocated', () => {
    const status = told({ pod: asking(small), resize: { is: 'Infeasible', message: 'm' } });
    const wanted = asking(large);
    const kept = withAllocation(wanted, allocatedBefore(wanted, status));
    assert.deepEqual(kept.spec.containers[0]?.resources, small);
    assert.equal(withAllocation(wanted, asked(wanted)), wanted);
  });
});

describe('the room for a resize', () => {
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: {},
    status: { allocatable: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1' } },
  };
  const other = asking({ requests: { cpu: '1500m', 'ephemeral-storage': '1Gi' } });
  const verdict = (cpu: string, others: readonly Pod[] = [other]): unknown =>
    resizeVerdict(asking({ requests: { cpu, 'ephemeral-storage': '1Gi' } }), node, others);

  it('is there, or not now, or never', () => {
    assert.deepEqual(verdict('500m'), { is: 'fits' });
    assert.deepEqual(verdict('600m'), {
      is: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000",
    });
    assert.deepEqual(verdict('600m', []), { is: 'fits' });
    assert.deepEqual(verdict('3'), {
      is: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
    });
  });
});
