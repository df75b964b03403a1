import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Kind, Stored, StoredOf, StoredPod } from '../../../contracts/objects/index.ts';
import { CustomTable } from '../../../reconciler/controllers/runtime/custom-table.ts';
import { postMortem } from '../../../reconciler/core/revisions/post-mortem.ts';

const SOURCE = { 'plumbline.dev/source': 'main' };

/** A Pod that came from Git, with these container statuses. */
function pod(name: string, ...containerStatuses: object[]): StoredPod {
  const ready = containerStatuses.every((c) => (c as { ready?: boolean }).ready);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: SOURCE,
    },
    spec: { containers: [], nodeName: 'n1' },
    status: {
      phase: 'Running',
      containerStatuses,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  } as unknown as StoredPod;
}

function world(...objects: Stored[]): Parameters<typeof postMortem>[0] {
  return {
    custom: new CustomTable(),
    get: () => undefined,
    labelled: () => [],
    fromSource: <K extends Kind>(kind: K) =>
      objects.filter((o) => o.kind === kind && o.metadata.annotations) as StoredOf<K>[],
    ownedBy: <K extends Kind>(kind: K, uid: string) =>
      objects.filter((o) => o.kind === kind && o.metadata.ownerReferences?.some((r) => r.uid === uid)) as StoredOf<K>[],
  };
}

const well = {
  name: 'web',
  ready: true,
  restartCount: 0,
  state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  lastState: {},
};
const crashing = (message: string) => ({
  name: 'web',
  ready: false,
  restartCount: 4,
  state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
  lastState: { terminated: { exitCode: 3, reason: 'Error', message } },
});
const starting = {
  name: 'web',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason: 'ContainerCreating' } },
  lastState: {},
};
const unpulled = {
  name: 'web',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } },
  lastState: {},
};

describe('post-mortem of a revision', () => {
  it('says of a healthy one only that', () => {
    assert.deepEqual(postMortem(world(pod('a', well)), 'main'), { health: 'Healthy', causes: [], containers: [] });
  });

  it('keeps exit code, reason and last lines of a container that fails', () => {
    const { health, causes, containers } = postMortem(world(pod('a', crashing('config: no such file\n'))), 'main');
    assert.equal(health, 'Degraded');
    assert.match(causes[0] ?? '', /^Pod default\/a is /);
    assert.deepEqual(containers, [
      {
        pod: 'default/a',
        container: 'web',
        reason: 'CrashLoopBackOff',
        exitCode: 3,
        restarts: 4,
        message: 'config: no such file',
      },
    ]);
  });

  it('tells what starts from what fails without ever having run', () => {
    assert.deepEqual(postMortem(world(pod('a', starting)), 'main').containers, []);
    assert.equal(postMortem(world(pod('a', starting)), 'main').health, 'Progressing');
    assert.deepEqual(postMortem(world(pod('a', unpulled)), 'main').containers, [
      { pod: 'default/a', container: 'web', reason: 'ErrImagePull', restarts: 0, message: 'no such image' },
    ]);
  });

  it('is small and plain whatever containers write, and however many fail', () => {
    const end = postMortem(
      world(...Array.from({ length: 50 }, (_, i) => pod(`p${i}`, crashing(`\u001b[31m${'x'.repeat(100_000)}end`)))),
      'main',
    );
    assert.ok(JSON.stringify(end).length < 3000);
    assert.deepEqual([end.containers.length, end.moreContainers], [3, 47]);
    assert.match(end.containers[0]?.message ?? '', /^…x+end$/);
    assert.doesNotMatch(JSON.stringify(end), /u001b/);
  });
});
