/** What an earlier agent kept on its disk, read by this one. */
import assert from 'node:assert/strict';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { keyOf, objectKey } from '../../../contracts/objects/index.ts';
import { assignmentFile } from '../../../nodeagent/adapters/disk/assignment-file.ts';
import { statusFile } from '../../../nodeagent/adapters/disk/status-file.ts';
import { openAssignment } from '../../../nodeagent/loops/assignment-store.ts';
import type { AssignmentDisk } from '../../../nodeagent/ports/assignment-disk.ts';
import { POD_UID } from '../../fixtures/kept/objects.ts';
import { makeFolder } from '../../support/folder.ts';

const KIND_KEYS = fileURLToPath(new URL('../../fixtures/kept/kind-keys/node', import.meta.url));
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HELD = [
  'configmaps/default/settings',
  'endpointslices.discovery.k8s.io/default/web-x7k2p',
  'nodes//n1',
  'pods/default/web-5d4f8c7b9-bcdfg',
  'secrets/default/password',
  'services/default/web',
  'sources.plumbline.dev//main',
];

describe("an earlier agent's files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = makeFolder('plumbline-older-');
    await cp(KIND_KEYS, folder, { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const open = (): AssignmentDisk => assignmentFile(join(folder, 'state'), join(folder, 'run'));

  it('give the same assignment: pods with their uids, Secrets with their data, and nothing that was removed', async () => {
    const disk = open();
    const assignment = await openAssignment(disk, SILENT);
    const view = assignment.current();
    assert.deepEqual([assignment.acceptedVersion, view.node, assignment.epoch], ['v6', 'n1', 1_767_225_600_000]);
    assert.equal(view.get(objectKey('Pod', 'default', 'web-5d4f8c7b9-bcdfg'))?.metadata.uid, POD_UID);
    assert.deepEqual(view.get(objectKey('Secret', 'default', 'password'))?.data, {
      PASSWORD: Buffer.from('never in clear').toString('base64'),
    });
    const { statuses } = await statusFile(join(folder, 'state', 'statuses.json'), 'boot-1').load();
    assert.equal(statuses.get(POD_UID)?.phase, 'Running');
    await disk.close();
    assert.deepEqual((await keys(open())).sort(), HELD);
  });

  it('take changes with new keys, in one journal with the old ones and in the snapshot after it', async () => {
    const disk = open();
    await disk.load();
    const change = { epoch: 1_767_225_600_001, node: 'n1', whole: false, upsert: [], remove: [] };
    await disk.append({ ...change, version: 'v7', remove: [objectKey('ConfigMap', 'default', 'settings')] });
    await disk.close();
    assert.deepEqual((await keys(open())).sort(), HELD.slice(1));

    const again = open();
    await again.load();
    const big = (text: string) => ({
      apiVersion: 'v1' as const,
      kind: 'ConfigMap' as const,
      metadata: { name: 'big', namespace: 'default' },
      data: { text },
    });
    await again.append({ ...change, version: 'v8', upsert: [big('x'.repeat(1_200_000))] });
    await again.append({ ...change, version: 'v9', remove: [objectKey('Secret', 'default', 'password')] });
    await again.close();
    const [journal = ''] = (await readFile(join(folder, 'state', 'assignment.journal'), 'utf8')).split('\0');
    assert.equal(journal.trim().split('\n').length, 1, 'a snapshot took the place of the older lines');
    assert.doesNotMatch(journal, /"Secret\//);
    assert.equal(await readFile(join(folder, 'run', 'secrets.json'), 'utf8'), '{}');
    assert.deepEqual(
      (await keys(open())).sort(),
      ['configmaps/default/big', ...HELD.slice(1)].filter((key) => key !== 'secrets/default/password'),
    );
  });

  async function keys(disk: AssignmentDisk): Promise<string[]> {
    const { objects } = await disk.load();
    await disk.close();
    return objects.map(keyOf);
  }
});
