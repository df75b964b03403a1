/** The control plane's API over a real store and repository, for the CLI; its one node is made up. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { EXEC_CHANNEL } from '../../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { PodSpec, type Pod, type PodStatus } from '../../../contracts/objects/index.ts';
import { startApi } from '../../../reconciler/api/index.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { rebalance } from '../../../reconciler/controllers/descheduling/rebalance.ts';
import type { Measured } from '../../../reconciler/controllers/metrics/measure-now.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { planRevision } from '../../../reconciler/controllers/sync/index.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import type { NodeConnection } from '../../../reconciler/ports/node-transport.ts';
import { makeFolder } from '../../support/folder.ts';
import { type SyncBench, syncBench } from '../git/sync-bench.ts';
import { plumb, type Ran } from './cli-bench.ts';

export interface ApiBench {
  readonly bench: SyncBench;
  readonly home: string;
  /** What nodes say that they take; nothing at first. */
  measured: ReadonlyMap<string, Measured>;
  /** What its agent sends of a log. */
  log: () => Readable;
  /** `plumb` with these arguments. */
  run(...args: readonly string[]): Promise<Ran>;
  /** `web-1` on `node-1`, whose container fails again and again. */
  makePod(): Promise<void>;
  close(): Promise<void>;
}

/** A node whose agent has a log, and whose exec prints the command and ends with 7. */
const connection = {
  httpUpgrade: async (_socket: string, path: string) => {
    const output = new PassThrough();
    const input = new PassThrough();
    const command = new URL(path, 'http://x').searchParams.getAll('command').join('|');
    input.on(
      'data',
      execFrameReader((channel, payload) => {
        if (channel !== EXEC_CHANNEL.stdin || payload.length > 0) return;
        output.write(execFrame(EXEC_CHANNEL.stdout, Buffer.from(`${command}\n`)));
        output.write(execFrame(EXEC_CHANNEL.stderr, Buffer.from('warned\n')));
        output.write(execFrame(EXEC_CHANNEL.result, Buffer.from('{"exitCode":7}')));
      }),
    );
    return Duplex.from({ writable: input, readable: output });
  },
};

const crashing: PodStatus = {
  phase: 'Running',
  containerStatuses: [
    {
      name: 'web',
      ready: false,
      restartCount: 3,
      image: 'x',
      imageID: 'y',
      containerID: 'c',
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
      lastState: { terminated: { exitCode: 3, reason: 'Error', startedAt: '', finishedAt: '', containerID: 'c' } },
    },
  ],
};

export async function apiBench(): Promise<ApiBench> {
  const bench = await syncBench();
  const home = makeFolder('plumb-home-');
  const { git, cache, sync, writer } = bench;
  const api = await startApi(join(home, 'control.sock'), {
    view: cache,
    git,
    sourceName: 'main',
    info: { version: '0', pid: 1, startedAt: '2026-01-01T00:00:00Z', home, warnings: [] },
    keySet: { keys: [] },
    storeProblem: () => undefined,
    measure: async () => made.measured,
    clock: new SystemClock(),
    log: SILENT_LOG,
    rebalance: (order, s) =>
      rebalance(
        {
          view: cache,
          clock: new SystemClock(),
          execute: (steps, during) => writer.attempt(steps, 'descheduler', during),
        },
        order,
        s,
      ),
    plan: (rev, format, s) => planRevision(sync.reader, git, cache, 'main', { rev, format, now: new Date() }, s),
    explainPlacement: (pod) => PendingPods.of(cache).explain(pod),
    rollback: (order, s) => sync.rollBack(order, s),
    submit: async () => undefined,
    connectionTo: () =>
      ({
        ...connection,
        httpStream: async () => ({ status: 200, body: made.log() }),
      }) as unknown as NodeConnection,
    onChange: (listener) => cache.subscribe(listener),
  });

  const made: ApiBench = {
    bench,
    home,
    measured: new Map(),
    log: () => Readable.from(['first\n', 'second\n']),
    run: (...args) => plumb([...args], home, { PLUMB_HOME: home }),
    async makePod() {
      const pod: Pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web-1', namespace: 'default' },
        spec: PodSpec.parse({ nodeName: 'node-1', containers: [{ name: 'web', image: 'x:1' }] }),
      };
      await bench.writer.submit([{ do: 'create', object: pod }], 'test', new AbortController().signal);
      const made = bench.cache.get('pods/default/web-1');
      assert.ok(made);
      await bench.writer.submit(
        [{ do: 'updateStatus', object: { ...made, status: crashing } }],
        'test',
        new AbortController().signal,
      );
    },
    async close() {
      await api.close();
      await bench.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return made;
}
