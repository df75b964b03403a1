/** `plumb up` as a process: how it ends, and that its private redis-server ends with it. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { findCondition, type Node, type Service } from '../../../contracts/objects/index.ts';
import { controlPlane } from '../../../cli/control-plane.ts';
import type { HistoryReport } from '../../../reconciler/api/types.ts';
import { processStart } from '../../../lab/process.ts';
import {
  scratchRepository,
  type NewFile,
  type ScratchRepository,
} from '../../contract/git-source/scratch-repository.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { inTime } from '../../support/in-time.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis } from '../../support/redis.ts';
import { startMachine, type TestMachine } from '../../support/ssh/machine.ts';
import { tied } from '../../support/tied.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { polled } from '../../support/patience.ts';

/** What `plumb up` promises, and a little for a busy machine. */
const STOPS_MS = 5000 + 1500;
/** Far more than anything here needs. */
const PATIENCE_MS = 30_000;
const SERVICE: NewFile = {
  path: 'web.yaml',
  content:
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: web\n  ports:\n    - port: 80\n',
};

describe('plumb up', () => {
  let box: TestMachine;
  let repository: ScratchRepository;
  let home: string;
  let up: ChildProcess;
  let said: string;
  let redis: number;

  before(buildCli);
  beforeEach(async () => {
    box = await startMachine();
    repository = scratchRepository();
    home = makeFolder('plumb-up-');
    said = '';
  });
  afterEach(async () => {
    await kill();
    if (processStart(redis) !== undefined) process.kill(redis, 'SIGKILL');
    await box.stop();
    repository.remove();
    rmSync(home, { recursive: true, force: true });
  });

  async function kill(): Promise<void> {
    if (up.exitCode !== null || up.signalCode !== null) return;
    up.kill('SIGKILL');
    await once(up, 'exit');
  }

  function start(more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): void {
    const [program, ...args] = tied(
      process.execPath,
      PLUMB,
      '--home',
      home,
      'up',
      '--repo',
      repository.dir,
      '--branch',
      'main',
      '--ssh-key',
      join(box.folder, 'client'),
      ...more,
    );
    up = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    up.once('exit', whenInterrupted('plumb up', kill));
    up.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }

  function commit(...files: readonly NewFile[]): void {
    repository.commit([{ path: 'plumbline.yaml', content: CLUSTER }, ...files]);
  }

  function machine(): NewFile {
    const { address, port, hostKey } = box.target('box');
    return {
      path: 'box.yaml',
      content: `apiVersion: plumbline.dev/v1alpha1\nkind: Machine\nmetadata:\n  name: box\nspec:\n  address: ${address}\n  port: ${port}\n  hostKey: ${hostKey}\n`,
    };
  }

  const says = (words: string): Promise<true> =>
    polled(
      `plumb up does not say ${words}`,
      () => {
        assert.equal(up.exitCode, null, said);
        return said.includes(words) || undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );

  /** Learns the private redis-server's process id. */
  async function findRedis(): Promise<void> {
    const client = new Redis({ path: join(home, 'redis.sock') });
    client.on('error', () => undefined);
    try {
      redis = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
    } finally {
      client.disconnect();
    }
  }

  const redisGone = (): Promise<true> =>
    polled(`redis-server ${redis} is still there`, () => (processStart(redis) === undefined ? true : undefined), {
      timeoutMs: 20_000,
    });

  /** Exit code after a signal, once all that was said is read; a process that a signal ended throws. */
  async function exit(): Promise<number> {
    const [code, signal] = (await inTime(`the end of plumb up, which said: ${said}`, STOPS_MS, once(up, 'close'))) as [
      number | null,
      NodeJS.Signals | null,
    ];
    assert.ok(code !== null, `ended by ${signal}`);
    return code;
  }

  it('stops at once though a machine went silent in the middle of a call', async () => {
    commit(machine());
    start();
    await says('ready:');
    await polled(
      'the machine is not connected',
      async () => {
        const node = await controlPlane(home)
          .get<Node>('/api/v1/nodes/box')
          .catch(() => undefined);
        return findCondition(node?.status?.conditions, 'AssignmentSynced')?.status === 'True' || undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
    await findRedis();
    const unanswered = box.silence();
    commit(machine(), SERVICE);
    await unanswered;
    up.kill('SIGTERM');
    assert.equal(await exit(), 0, said);
    assert.match(said, /SIGTERM: stopping.*\nstopped\n$/);
    await redisGone();
  });

  it('warns of a Redis that is spoken to in the clear, and of a password that everybody can read, and repeats none', async () => {
    commit();
    // Nobody is there: 192.0.2.0/24 is for documentation (RFC 5737).
    start(['--redis', 'redis://:hunter2@192.0.2.1:6379']);
    await says('note: everybody on this machine can read the password in --redis');
    await says('warning: Redis at 192.0.2.1:6379 is spoken to in the clear');
    up.kill('SIGTERM');
    await exit();
    assert.ok(!said.includes('hunter2'), said);
  });

  it('takes the URL and the password of its Redis from the environment', async () => {
    commit();
    const server = await startTestRedis();
    try {
      await server.client.config('SET', 'requirepass', 'hunter2');
      start([], { PLUMB_REDIS_URL: `unix://${server.connection.path ?? ''}`, PLUMB_REDIS_PASSWORD: 'hunter2' });
      await says('ready:');
      assert.ok(!said.includes('hunter2'), said);
      up.kill('SIGTERM');
      assert.equal(await exit(), 0, said);
    } finally {
      await server.close();
    }
  });

  it('stops while it asks a silent machine what it holds', async () => {
    commit(machine());
    const unanswered = box.silence();
    start();
    await unanswered;
    await findRedis();
    up.kill('SIGINT');
    assert.equal(await exit(), 0, said);
    await redisGone();
  });

  it('stops although its redis-server hangs, and ends that too', async () => {
    commit();
    start();
    await says('ready:');
    await findRedis();
    process.kill(redis, 'SIGSTOP');
    up.kill('SIGTERM');
    assert.equal(await exit(), 1);
    assert.match(said, /not everything stopped within 5 s/);
    await redisGone();
  });

  it('ends at once when it is told again, and its redis-server with it', async () => {
    commit();
    start();
    await says('ready:');
    await findRedis();
    process.kill(redis, 'SIGSTOP');
    up.kill('SIGINT');
    await says('SIGINT: stopping');
    const ended = exit();
    // As an impatient person does: one Ctrl-C after the other.
    const impatient = setInterval(() => {
      up.kill('SIGINT');
    }, 100);
    try {
      assert.equal(await ended, 130);
    } finally {
      clearInterval(impatient);
    }
    await redisGone();
  });

  it('answers, and says why, while Git is damaged and the state is gone; goes on once it is repaired', async () => {
    commit(SERVICE);
    start();
    await says('ready:');
    await findRedis();
    const repair = repository.damage(repository.git(['rev-parse', 'main:web.yaml']), () => Buffer.alloc(0));
    const client = new Redis({ path: join(home, 'redis.sock') });
    await client.flushall();
    client.disconnect();
    await says('trying on');
    await assert.rejects(
      controlPlane(home).get('/plumbline/v1/status'),
      /could not be rebuilt yet: object [0-9a-f]{40} in .* is damaged/,
    );
    repair();
    await says('rebuilt: everything goes on');
    const { synced } = await polled(
      'the state is not there again',
      async () => {
        const report = await controlPlane(home).get<{ synced: boolean }>('/plumbline/v1/status');
        return report.synced ? report : undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
    assert.ok(synced);
  });

  it('has its history, outcomes and objects again after it was stopped, and after it was killed', async () => {
    const remembered = async (revisions: number): Promise<readonly unknown[]> => {
      const { history } = await polled(
        'the revision is not healthy',
        async () => {
          const report = await controlPlane(home).get<HistoryReport>('/plumbline/v1/history');
          const isDone = report.history.length === revisions && report.history[0]?.outcome === 'Healthy';
          return isDone ? report : undefined;
        },
        { timeoutMs: PATIENCE_MS },
      );
      const { metadata } = await controlPlane(home).get<Service>('/api/v1/namespaces/default/services/web');
      return [metadata.uid, history.map(({ revision, outcome, seenAt }) => ({ revision, outcome, seenAt }))];
    };
    commit(SERVICE);
    start();
    await says('ready:');
    await remembered(1);
    commit(SERVICE, { path: 'more.yaml', content: String(SERVICE.content).replace('name: web', 'name: more') });
    const before = await remembered(2);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await findRedis();
      up.kill(signal);
      await once(up, 'exit');
      await redisGone();
      said = '';
      start();
      await says('ready:');
      assert.deepEqual(await remembered(2), before, signal);
      assert.ok(!said.includes('recovered'), said);
    }
  });

  it('leaves no redis-server behind when it is killed', async () => {
    commit();
    start();
    await says('ready:');
    await findRedis();
    up.kill('SIGKILL');
    await redisGone();
  });
});
