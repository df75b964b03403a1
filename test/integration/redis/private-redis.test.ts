import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { startPrivateRedis, type PrivateRedis } from '../../../reconciler/adapters/redis/private-redis.ts';
import { makeFolder } from '../../support/folder.ts';
import { inTime } from '../../support/in-time.ts';
import { inPatience } from '../../support/patience.ts';

const inFolder = (body: (dir: string, socketPath: string) => Promise<void>) => async (): Promise<void> => {
  const dir = makeFolder('plumb-redis-');
  try {
    await body(dir, join(dir, 'redis.sock'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};
async function withClient<T>(server: PrivateRedis, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ ...server.connection, replyMapping: 'legacy' });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
const signal = inPatience(600_000);

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

  for (const [how, end] of [
    ['closed', (server: PrivateRedis) => server.close()],
    [
      'killed',
      async (server: PrivateRedis) => {
        process.kill(server.pid, 'SIGKILL');
        await server.ended;
      },
    ],
  ] as const)
    it(
      `has what one that was ${how} held, where that is to be kept`,
      inFolder(async (dir, socketPath) => {
        const first = await startPrivateRedis({ dir, socketPath, keep: true, signal });
        await withClient(first, (client) => client.set('x', 'y'));
        await end(first);
        writeFileSync(join(dir, 'temp-rewriteaof-bg-1.aof'), 'half');
        const second = await startPrivateRedis({ dir, socketPath, keep: true, signal });
        try {
          assert.equal(await withClient(second, (client) => client.get('x')), 'y');
          assert.equal(second.unreadable, undefined);
          assert.equal(existsSync(join(dir, 'temp-rewriteaof-bg-1.aof')), false);
        } finally {
          await second.close();
          await first.close();
        }
      }),
    );

  for (const [what, damage] of [
    ['a log with other bytes in it', (file: string) => writeFileSync(file, 'none of ours')],
    ['a log that is not there', (file: string) => rmSync(file)],
  ] as const)
    it(
      `puts ${what} aside, says so, and starts empty`,
      inFolder(async (dir, socketPath) => {
        const first = await startPrivateRedis({ dir, socketPath, keep: true, signal });
        await withClient(first, (client) => client.set('x', 'y'));
        await first.close();
        const kept = join(dir, 'appendonlydir');
        const [log] = (await readdir(kept)).filter((name) => name.endsWith('.incr.aof'));
        damage(join(kept, log ?? ''));
        const second = await startPrivateRedis({ dir, socketPath, keep: true, signal });
        try {
          assert.match(second.unreadable ?? '', /append only file|AOF/);
          assert.equal(await withClient(second, (client) => client.get('x')), null);
          assert.ok(existsSync(join(dir, 'appendonlydir.unreadable')));
        } finally {
          await second.close();
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
