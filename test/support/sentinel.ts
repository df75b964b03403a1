/** A primary, a replica and Sentinels that watch them, on ports of 127.0.0.1: ended and removed by `close`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { removeFolder } from '../../lab/remove-folder.ts';
import { makeFolder } from './folder.ts';
import { freePorts } from './free-port.ts';
import { whenInterrupted } from './interruption.ts';
import { tied } from './tied.ts';
import { polled } from './patience.ts';

export interface SentinelGroup {
  /** For `plumb up --redis`. */
  readonly url: string;
  /** Kills the server that is the primary now; resolves when the Sentinels name another one. */
  failOver(): Promise<void>;
  /** Stops the primary's process where it is; the same otherwise. Answers how it goes on. */
  freeze(): Promise<() => void>;
  close(): Promise<void>;
}

const PATIENCE_MS = 30_000;
const QUORUM = 2;

export async function startSentinels(): Promise<SentinelGroup> {
  const dir = makeFolder('plumb-sentinel-');
  const children = new Map<number, ChildProcess>();
  const ports = await freePorts(2 + 3);
  const [first = 0, second = 0, ...watchers] = ports;
  const run = (port: number, ...args: string[]): void => {
    const [program, ...words] = tied('redis-server', ...args);
    children.set(port, spawn(program, words, { stdio: 'ignore' }));
  };
  const close = async (): Promise<void> => {
    for (const child of children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    forget();
    await removeFolder(dir);
  };
  const forget = whenInterrupted(`the Sentinels in ${dir}`, close);
  const server = [
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--save',
    '',
    '--appendonly',
    'no',
    '--repl-diskless-sync-delay',
    '0',
  ];
  run(first, '--port', String(first), ...server);
  run(second, '--port', String(second), ...server, '--replicaof', '127.0.0.1', String(first));
  try {
    await polled(
      'no replica',
      async () =>
        (await ask(second, (client) => client.info('replication'))).includes('master_link_status:up') || undefined,
      { timeoutMs: PATIENCE_MS },
    );
    for (const port of watchers) {
      const file = join(dir, `sentinel-${port}.conf`);
      writeFileSync(
        file,
        [
          'bind 127.0.0.1',
          `port ${port}`,
          `dir ${dir}`,
          `sentinel monitor plumb 127.0.0.1 ${first} ${QUORUM}`,
          'sentinel down-after-milliseconds plumb 300',
          'sentinel failover-timeout plumb 2000',
          '',
        ].join('\n'),
      );
      run(port, file, '--sentinel');
    }
    for (const port of watchers) {
      await polled(
        'no Sentinel that knows the others',
        async () => {
          const told = await ask(port, (client) => client.call('SENTINEL', 'CKQUORUM', 'plumb')).catch(() => '');
          const replicas = await ask(port, (client) => client.call('SENTINEL', 'REPLICAS', 'plumb')).catch(() => []);
          return (
            (String(told).startsWith(`OK ${watchers.length} `) && (replicas as unknown[]).length === 1) || undefined
          );
        },
        { timeoutMs: PATIENCE_MS },
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  const primaries = (): Promise<readonly number[]> =>
    Promise.all(
      watchers.map(async (port) => {
        const [, primary] = (await ask(port, (client) =>
          client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'plumb'),
        )) as [string, string];
        return Number(primary);
      }),
    );
  const replace = async (signal: NodeJS.Signals): Promise<ChildProcess | undefined> => {
    const [old = 0] = await primaries();
    const child = children.get(old);
    child?.kill(signal);
    await polled('no other primary', async () => (await primaries()).every((port) => port !== old) || undefined, {
      timeoutMs: PATIENCE_MS,
    });
    return child;
  };
  return {
    url: `redis+sentinel://${watchers.map((port) => `127.0.0.1:${port}`).join(',')}/plumb`,
    failOver: async () => {
      await replace('SIGKILL');
    },
    freeze: async () => {
      const child = await replace('SIGSTOP');
      return () => {
        child?.kill('SIGCONT');
      };
    },
    close,
  };
}

async function ask<T>(port: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    replyMapping: 'legacy',
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}
