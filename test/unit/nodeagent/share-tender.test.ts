/** The loop that tends volumes on shares: which of them, in which order, and what it tells. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DATA_GIVEN_UP,
  NFS_FOLDER_MADE,
  NFS_ON_DELETE,
  NFS_SHARE,
  PROVISIONED_BY,
  TENDED_BY,
  type PersistentVolume,
} from '../../../contracts/objects/index.ts';
import type { TendedVolume } from '../../../contracts/agent/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startShareTender, type ShareTenderDeps } from '../../../nodeagent/loops/share-tender.ts';
import type { ShareFolders } from '../../../nodeagent/ports/share-folders.ts';

function volume(name: string, annotations: Record<string, string> = {}, metadata: object = {}): PersistentVolume {
  return {
    metadata: {
      name,
      annotations: {
        [PROVISIONED_BY]: 'nfs.csi.k8s.io',
        [NFS_SHARE]: '/srv',
        [NFS_ON_DELETE]: 'delete',
        [TENDED_BY]: 'n1',
        ...annotations,
      },
      ...metadata,
    },
    spec: { claimRef: { uid: 'u1' }, nfs: { server: 'files', path: `/srv/${name}` } },
  } as unknown as PersistentVolume;
}
const GOING = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const MADE = { [NFS_FOLDER_MADE]: 'true' };

describe('the tender of volumes on shares', () => {
  it('makes and removes what is its own to make and remove, again where that fails', async () => {
    const volumes = [
      volume('pvc-new'),
      volume('pvc-made', MADE),
      volume('pvc-elsewhere', { [TENDED_BY]: 'n2' }),
      volume('pvc-kept', MADE, GOING),
      volume('pvc-left', { ...MADE, [DATA_GIVEN_UP]: 'u1', [NFS_ON_DELETE]: 'retain' }, GOING),
      volume('pvc-gone', { ...MADE, [DATA_GIVEN_UP]: 'u1' }, GOING),
    ];
    const asked: string[] = [];
    const told: (readonly TendedVolume[])[] = [];
    const act =
      (what: string): ShareFolders['make'] =>
      ({ volume: name, server, share, folder }) => {
        asked.push(`${what} ${name} ${server}:${share} ${folder}`);
        return asked.length === 2 ? Promise.reject(new Error('no mount.nfs')) : Promise.resolve();
      };
    await new Promise<void>((resolve) => {
      const tender = startShareTender({
        assignment: {
          current: () => ({ node: 'n1', list: () => volumes }),
          onChange: () => () => undefined,
        } as unknown as ShareTenderDeps['assignment'],
        shares: {
          tidy: () => {
            asked.push('tidy');
            return Promise.resolve();
          },
          make: act('make'),
          remove: act('remove'),
        },
        // No pause lasts.
        clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) },
        log: jsonLog(() => undefined),
        onTended(words) {
          told.push(words);
          if (told.length === 2) void tender.close().then(resolve);
        },
      });
    });
    const both = ['make pvc-new files:/srv pvc-new', 'remove pvc-gone files:/srv pvc-gone'];
    assert.deepEqual(asked, ['tidy', ...both, ...both]);
    assert.deepEqual(told, [
      [
        { name: 'pvc-new', is: 'failed', message: 'no mount.nfs' },
        { name: 'pvc-gone', is: 'removed' },
      ],
      [
        { name: 'pvc-new', is: 'made' },
        { name: 'pvc-gone', is: 'removed' },
      ],
    ]);
  });
});
