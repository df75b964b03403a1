/** The loop that removes volumes that were given up: which of them, and what it tells. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DATA_GIVEN_UP,
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  PROVISIONED_BY,
  type PersistentVolume,
} from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startVolumeRemover, type VolumeRemoverDeps } from '../../../nodeagent/loops/volume-remover.ts';

function volume(name: string, { node = 'n1', givenUp = 'u1', deleted = true } = {}): PersistentVolume {
  return {
    metadata: {
      name,
      annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER, [DATA_GIVEN_UP]: givenUp },
      ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      capacity: { storage: '1Gi' },
      claimRef: { uid: 'u1' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
        },
      },
    },
  } as unknown as PersistentVolume;
}

describe('the end of volumes on a node', () => {
  it('is of its own that were given up and deleted, tried again while something is in the way', async () => {
    const volumes = [
      volume('pvc-a'),
      volume('pvc-b'),
      volume('pvc-elsewhere', { node: 'n2' }),
      volume('pvc-kept', { givenUp: '' }),
      volume('pvc-in-use', { deleted: false }),
    ];
    const asked: string[] = [];
    const told: (readonly string[])[] = [];
    const warnings: string[] = [];
    await new Promise<void>((resolve) => {
      const remover = startVolumeRemover({
        assignment: {
          current: () => ({ node: 'n1', list: () => volumes }),
          onChange: () => () => undefined,
        } as unknown as VolumeRemoverDeps['assignment'],
        folders: {
          remove(name) {
            asked.push(name);
            return name === 'pvc-a' && asked.length < 5 ? Promise.reject(new Error('mounted')) : Promise.resolve();
          },
        },
        // No pause lasts.
        clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) },
        log: jsonLog((line) => warnings.push(line)),
        onGone(names) {
          told.push(names);
          if (told.length === 2) void remover.close().then(resolve);
        },
      });
    });
    assert.deepEqual(asked, ['pvc-a', 'pvc-b', 'pvc-a', 'pvc-b', 'pvc-a', 'pvc-b']);
    assert.deepEqual(told, [['pvc-b'], ['pvc-a', 'pvc-b']]);
    assert.equal(warnings.filter((line) => line.includes('mounted')).length, 2);
  });
});
