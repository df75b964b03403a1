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
const OBJECTS = Object.values(EXAMPLES);
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function told(only?: string): Promise<{ readonly whole: readonly Kind[]; readonly named: readonly string[] }> {
  const stored = { epoch: 1, version: 'v1', node: 'n1', objects: OBJECTS };
  const assignment = await openAssignment(
    { load: async () => stored, append: async () => undefined, close: async () => undefined },
    silent,
  );
  assert.equal(assignment.size, OBJECTS.length);
  const whole: Kind[] = [];
  const named: string[] = [];
  for (const line of inventoryLines(INFO, assignment, { pods: () => [] }, [], only)) {
    if ('object' in line) whole.push(line.object.kind);
    if ('held' in line) named.push(...line.held);
  }
  return { whole, named };
}

const keysBut = (whole: readonly Kind[]): string[] =>
  OBJECTS.filter(({ kind }) => !whole.includes(kind))
    .map(keyOf)
    .sort();

it('tells of everything that it was given, whatever its kind: some whole, of the rest the keys', async () => {
  const { whole, named } = await told();
  assert.deepEqual(named, keysBut(whole));
  assert.deepEqual(whole, CLAIMED_KINDS);
});

it('tells whole what it is asked for, and of all else the keys', async () => {
  assert.deepEqual(await told('Pod'), { whole: ['Pod'], named: keysBut(['Pod']) });
  assert.deepEqual(await told('Nothing'), { whole: [], named: keysBut([]) });
});
