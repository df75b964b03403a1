import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PodGroupManifest, type PodGroupStatus } from '../../../contracts/objects/index.ts';
import { planPodGroup } from '../../../reconciler/core/workloads/pod-group.ts';
import { pod, TIME } from '../controllers/objects.ts';
import { stored } from '../nodes/stored.ts';

type Phases = readonly ('Pending' | 'Running' | 'Succeeded' | 'Failed' | 'terminating')[];

const group = stored<'PodGroup'>(
  PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'g', namespace: 'default' },
    spec: { minMember: 3 },
  }),
);

function statusOf(phases: Phases, of = group): PodGroupStatus | undefined {
  const pods = phases.map((phase, at) =>
    phase === 'terminating'
      ? stored<'Pod'>({ ...pod(`p${at}`), status: { phase: 'Running' } }, { deletionTimestamp: TIME })
      : stored<'Pod'>({ ...pod(`p${at}`), status: { phase } }),
  );
  const [step] = planPodGroup(of, pods).steps;
  return step?.do === 'updateStatus' && step.object.kind === 'PodGroup' ? step.object.status : undefined;
}

describe('the status of a PodGroup', () => {
  const rows: readonly (readonly [what: string, phases: Phases, status: PodGroupStatus])[] = [
    ['without pods', [], { phase: 'Pending', running: 0, succeeded: 0, failed: 0 }],
    [
      'with too few pods, though they run',
      ['Running', 'Running'],
      { phase: 'Pending', running: 2, succeeded: 0, failed: 0 },
    ],
    [
      'whose pods wait',
      ['Pending', 'Pending', 'Pending'],
      { phase: 'Scheduling', running: 0, succeeded: 0, failed: 0 },
    ],
    [
      'of which too few run',
      ['Running', 'Succeeded', 'Pending', 'Pending'],
      { phase: 'Scheduling', running: 1, succeeded: 1, failed: 0 },
    ],
    [
      'of which enough run',
      ['Running', 'Running', 'Succeeded', 'Pending'],
      { phase: 'Running', running: 2, succeeded: 1, failed: 0 },
    ],
    [
      'of which one failed when enough had started',
      ['Running', 'Running', 'Failed'],
      { phase: 'Failed', running: 2, succeeded: 0, failed: 1 },
    ],
    [
      'of which one failed before enough had started',
      ['Running', 'Failed', 'Pending'],
      { phase: 'Scheduling', running: 1, succeeded: 0, failed: 1 },
    ],
    [
      'of which enough ended well',
      ['Succeeded', 'Succeeded', 'Succeeded', 'Running'],
      { phase: 'Finished', running: 1, succeeded: 3, failed: 0 },
    ],
    [
      'one of whose pods goes',
      ['Running', 'Running', 'terminating'],
      { phase: 'Pending', running: 2, succeeded: 0, failed: 0 },
    ],
  ];
  for (const [what, phases, status] of rows)
    it(what, () => {
      assert.deepEqual(statusOf(phases), status);
    });

  it('is written only when it changed', () => {
    const phases = ['Running', 'Running', 'Running'] as const;
    const status = statusOf(phases);
    assert.ok(status);
    assert.equal(statusOf(phases, { ...group, status }), undefined);
  });
});
