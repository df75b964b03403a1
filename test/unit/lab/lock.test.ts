/** One change to a lab at a time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { describe, it } from 'node:test';
import { whileLocked } from '../../../lab/lock.ts';

/** The lock as another process holds it. */
async function held(name: string): Promise<Server> {
  const server = createServer().listen(`\0plumbline-lab/${name}`);
  await once(server, 'listening');
  return server;
}

describe('the lock of a lab', () => {
  it('waits for one that is about to be let go', async () => {
    const other = await held('unit-lock');
    const waiting = whileLocked('unit-lock', () => Promise.resolve('ours'));
    other.close();
    assert.equal(await waiting, 'ours');
  });

  it('is refused while another command has it, and free again afterwards', async () => {
    const other = await held('unit-lock');
    await assert.rejects(
      whileLocked('unit-lock', () => Promise.resolve()),
      { exitCode: 2, message: /Another command is changing the lab 'unit-lock'/ },
    );
    other.close();
    await once(other, 'close');
    assert.equal(await whileLocked('unit-lock', () => Promise.resolve('ours')), 'ours');
  });
});
