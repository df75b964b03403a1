import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isListenedOn } from '../../contracts/unix-socket.ts';
import { makeFolder } from '../support/folder.ts';
import { tied } from '../support/tied.ts';

describe('a Unix socket', () => {
  const folder = makeFolder('plumb-socket-');
  after(() => rm(folder, { recursive: true, force: true }));

  it('is listened on while somebody does, and not before', async () => {
    const path = join(folder, 'live');
    assert.equal(await isListenedOn(path), false);
    const server = createServer((client) => client.destroy()).listen(path);
    await once(server, 'listening');
    assert.equal(await isListenedOn(path), true);
    server.close();
    await once(server, 'close');
    assert.equal(await isListenedOn(path), false);
  });

  it('that a crash left behind is not', async () => {
    const path = join(folder, 'left');
    const [program, ...args] = tied(
      process.execPath,
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    );
    await once(spawn(program, args, { stdio: 'ignore' }), 'exit');
    assert.equal(await isListenedOn(path), false);
  });

  it('is not told to be free where that cannot be known', async () => {
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(isListenedOn(join(folder, 'file', 'socket')), /ENOTDIR/);
  });
});
