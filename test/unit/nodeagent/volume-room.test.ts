/** The loop that tells how much room there is for volumes: of which it counts what they take, and when it is news. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  PROVISIONED_BY,
  VOLUME_SIZE,
  type PersistentVolume,
} from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startVolumeRoom, type VolumeRoomDeps } from '../../../nodeagent/loops/volume-room.ts';

function volume(name: string, node: string, size: 'enforced' | 'unenforced'): PersistentVolume {
  return {
    metadata: { name, annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER, [VOLUME_SIZE]: size } },
    spec: {
      capacity: { storage: '1Gi' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
        },
      },
    },
  } as unknown as PersistentVolume;
}

describe('the room for volumes of a node', () => {
  it('is told at first and when it differs by more than a little, with what its own volumes take', async () => {
    const volumes = [
      volume('pvc-own', 'n1', 'enforced'),
      volume('pvc-folder', 'n1', 'unenforced'),
      volume('pvc-elsewhere', 'n2', 'enforced'),
    ];
    const seen = [1000, 1010, 990, 900, 901];
    const asked: (readonly string[])[] = [];
    const told: number[] = [];
    const warnings: string[] = [];
    await new Promise<void>((resolve) => {
      const room = startVolumeRoom({
        assignment: {
          current: () => ({ node: 'n1', list: () => volumes }),
        } as unknown as VolumeRoomDeps['assignment'],
        folders: {
          room(names) {
            asked.push(names);
            const bytes = seen.shift();
            if (bytes !== undefined) return Promise.resolve(bytes);
            void room.close().then(resolve);
            return Promise.reject(new Error('no disk'));
          },
        },
        // No pause lasts.
        clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) },
        log: jsonLog((line) => warnings.push(line)),
        onRoom: (bytes) => told.push(bytes),
      });
    });
    assert.deepEqual(asked[0], ['pvc-own']);
    assert.deepEqual(told, [1000, 900]);
    assert.ok(warnings.some((line) => line.includes('no disk')));
  });
});
