/** The loop that lets volumes grow: which of them, and what it tells. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GrowingVolume } from '../../../contracts/agent/index.ts';
import {
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  PROVISIONED_BY,
  SIZE_BEFORE_GROWTH,
  VOLUME_SIZE,
  type PersistentVolume,
} from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startVolumeGrower, type VolumeGrowerDeps } from '../../../nodeagent/loops/volume-grower.ts';

const GIB = 2 ** 30;

function volume(name: string, node = 'n1', marks: Readonly<Record<string, string>> = {}): PersistentVolume {
  return {
    metadata: {
      name,
      annotations: {
        [PROVISIONED_BY]: LOCAL_PROVISIONER,
        [VOLUME_SIZE]: 'enforced',
        [SIZE_BEFORE_GROWTH]: '1Gi',
        ...marks,
      },
    },
    spec: {
      capacity: { storage: '2Gi' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
        },
      },
    },
  } as unknown as PersistentVolume;
}

/** What it tells, until it has told `times` times. `refuse`: why one does not grow, at its n-th try. */
async function told(
  times: number,
  volumes: readonly PersistentVolume[],
  refuse: (name: string, attempt: number) => string | undefined,
): Promise<readonly (readonly GrowingVolume[])[]> {
  const words: (readonly GrowingVolume[])[] = [];
  const attempts = new Map<string, number>();
  let enough = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const grower = startVolumeGrower({
    assignment: {
      current: () => ({ node: 'n1', list: () => volumes }),
      onChange: () => () => undefined,
    } as unknown as VolumeGrowerDeps['assignment'],
    folders: {
      async grow(name) {
        const attempt = (attempts.get(name) ?? 0) + 1;
        attempts.set(name, attempt);
        const why = refuse(name, attempt);
        if (why !== undefined) throw new Error(why);
      },
    },
    // No pause lasts.
    clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) },
    log: jsonLog(() => undefined),
    onGrowth(next) {
      words.push(next);
      if (words.length === times) enough();
    },
  });
  await over;
  await grower.close();
  return words;
}

describe('the growth of volumes on a node', () => {
  it('is of its own volumes that are to grow, and of no other', async () => {
    const others = [
      volume('pvc-b', 'n2'),
      volume('pvc-c', 'n1', { [VOLUME_SIZE]: '' }),
      volume('pvc-d', 'n1', { [PROVISIONED_BY]: 'somebody' }),
    ];
    const [words] = await told(1, [volume('pvc-a'), ...others], () => undefined);
    assert.deepEqual(words, [{ name: 'pvc-a', bytes: 2 * GIB }]);
  });

  it('is tried again while something is in the way, of which it tells once', async () => {
    const words = await told(2, [volume('pvc-a'), volume('pvc-b')], (name, attempt) =>
      name === 'pvc-a' && attempt < 4 ? 'no room' : undefined,
    );
    assert.deepEqual(words, [
      [
        { name: 'pvc-a', message: 'no room' },
        { name: 'pvc-b', bytes: 2 * GIB },
      ],
      [
        { name: 'pvc-a', bytes: 2 * GIB },
        { name: 'pvc-b', bytes: 2 * GIB },
      ],
    ]);
  });
});
