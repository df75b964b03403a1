import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { startPrivateRedis } from '../../../reconciler/adapters/redis/private-redis.ts';
import { inTime } from '../../support/in-time.ts';

const inFolder = (body: (dir: string, socketPath: string) => Promise<void>) => async (): Promise<void> => {
  const dir = await mkdtemp(join(tmpdir(), 'plumb-redis-'));
  try {
    await body(dir, join(dir, 'redis.sock'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};
const signal = AbortSignal.timeout(60_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('startPrivateRedis', () => {
  it(
    'listens on its socket only, keeps nothing on disk, and is gone after close',
    inFolder(async (dir, socketPath) => {
      const server = await startPrivateRedis({ dir, socketPath, signal });
      const client = new Redis({ ...server.connection, replyMapping: 'legacy' });
      try {
        assert.deepEqual(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
        assert.deepEqual(await client.config('GET', 'port'), ['port', '0']);
        assert.deepEqual(await client.config('GET', 'save'), ['save', '']);
        assert.deepEqual(await client.config('GET', 'appendonly'), ['appendonly', 'no']);
        await client.set('x', 'y');
      } finally {
        client.disconnect();
        await server.close();
      }
      assert.equal(isAlive(server.pid), false);
      assert.deepEqual(await readdir(dir), []);
      await server.close();
    }),
  );

  it(
    'kills a server that does not end by itself',
    inFolder(async (dir, socketPath) => {
      const server = await startPrivateRedis({ dir, socketPath, signal });
      process.kill(server.pid, 'SIGSTOP');
      await inTime('close', 5000, server.close());
      assert.equal(isAlive(server.pid), false);
    }),
  );

  it(
    'ends what a killed control plane left behind, and starts empty',
    inFolder(async (dir, socketPath) => {
      const leftover = await startPrivateRedis({ dir, socketPath, signal });
      const client = new Redis({ ...leftover.connection, replyMapping: 'legacy' });
      await client.set('x', 'y');
      client.disconnect();
      const server = await startPrivateRedis({ dir, socketPath, signal });
      const second = new Redis({ ...server.connection, replyMapping: 'legacy' });
      try {
        await leftover.ended;
        assert.equal(await second.get('x'), null);
      } finally {
        second.disconnect();
        await server.close();
        await leftover.close();
      }
    }),
  );

  it(
    'refuses a socket that somebody works with',
    inFolder(async (dir, socketPath) => {
      const first = await startPrivateRedis({ dir, socketPath, signal });
      const client = new Redis({ ...first.connection, replyMapping: 'legacy' });
      try {
        await client.ping();
        await assert.rejects(startPrivateRedis({ dir, socketPath, signal }), {
          name: 'TerminalError',
          code: 'RedisInUse',
        });
        assert.equal(await client.ping(), 'PONG');
      } finally {
        client.disconnect();
        await first.close();
      }
    }),
  );

  it(
    'says what to install when there is no redis-server',
    inFolder(async (dir, socketPath) => {
      const { PATH } = process.env;
      process.env['PATH'] = dir;
      try {
        await assert.rejects(startPrivateRedis({ dir, socketPath, signal }), {
          name: 'TerminalError',
          code: 'RedisMissing',
          message: /apt-get install redis-server/,
        });
      } finally {
        process.env['PATH'] = PATH;
      }
    }),
  );

  it(
    "tells the server's own words when it does not start",
    inFolder(async (dir) => {
      const socketPath = join(dir, 'missing', 'redis.sock');
      await assert.rejects(startPrivateRedis({ dir, socketPath, signal }), {
        name: 'RetryableError',
        code: 'RedisNotStarted',
        message: /socket|bind|No such file/i,
      });
    }),
  );

  it(
    'refuses a path that no socket can have, and an aborted start leaves nothing',
    inFolder(async (dir, socketPath) => {
      await assert.rejects(startPrivateRedis({ dir, socketPath: join(dir, 'x'.repeat(110)), signal }), {
        code: 'RedisSocketPath',
      });
      await assert.rejects(
        startPrivateRedis({ dir, socketPath, signal: AbortSignal.abort(new Error('enough')) }),
        /enough/,
      );
      assert.equal(existsSync(socketPath), false);
    }),
  );
});
