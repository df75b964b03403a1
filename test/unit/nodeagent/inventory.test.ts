/** What a node tells of what it holds, after the store was lost. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CLAIMED_KINDS, type AgentInfo } from '../../../contracts/agent/index.ts';
import { keyOf, type Kind } from '../../../contracts/objects/index.ts';
import { inventoryLines } from '../../../nodeagent/loops/api/inventory.ts';
import { openAssignment } from '../../../nodeagent/loops/assignment-store.ts';
import { EXAMPLES } from '../kinds/examples.ts';

const INFO: AgentInfo = {
  agentVersion: '1',
  bundleHash: '',
  runtimeHash: '',
  pid: 1,
  startedAt: '',
  epoch: 1,
  assignmentVersion: 'v1',
};
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

it('tells of everything that it was given, whatever its kind: some whole, of the rest the keys', async () => {
  const objects = Object.values(EXAMPLES);
  const stored = { epoch: 1, version: 'v1', node: 'n1', objects };
  const assignment = await openAssignment(
    { load: async () => stored, append: async () => undefined, close: async () => undefined },
    silent,
  );
  const whole: Kind[] = [];
  const named: string[] = [];
  for (const line of inventoryLines(INFO, assignment, { pods: () => [] })) {
    if ('object' in line) whole.push(line.object.kind);
    if ('held' in line) named.push(...line.held);
  }
  const others = objects.filter((object) => !whole.includes(object.kind)).map(keyOf);
  assert.deepEqual(named, others.sort());
  assert.deepEqual(whole, CLAIMED_KINDS);
});
