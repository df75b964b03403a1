/**
 * The whole way of `plumb exec`: CLI, control plane's API, SSH, the agent as it is shipped, containerd, a container.
 * Only scheduling is left out.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../../contracts/objects/index.ts';
import { SshNodeTransport } from '../../../reconciler/adapters/ssh/transport.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { startApi } from '../../../reconciler/api/index.ts';
import { planRevision } from '../../../reconciler/controllers/sync/index.ts';
import type { Writer } from '../../../reconciler/controllers/runtime/writer.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import type { NodeConnection } from '../../../reconciler/ports/node-transport.ts';
import { makeFolder } from '../../support/folder.ts';
import { startSshd, type TestSshd } from '../../support/ssh/sshd.ts';
import { syncBench } from '../git/sync-bench.ts';
import { isReady, shellPod, startAgent } from '../nodeagent/agent.ts';
import { BUSYBOX, startHost } from '../nodeagent/host.ts';

export interface ExecBench {
  readonly home: string;
  readonly sshd: TestSshd;
  readonly writer: Writer;
  /** After the connection to the node was dropped. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

/** A cluster with one running pod, `tool`, and what else is given. */
export async function execBench(more: readonly Pod[] = []): Promise<ExecBench> {
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  const signal = new AbortController().signal;
  try {
    const home = makeFolder('plumb-home-');
    closers.push(() => rmSync(home, { recursive: true, force: true }));
    const host = await startHost();
    closers.push(() => host.close());
    await host.importImage(BUSYBOX);
    const agent = await startAgent(host);
    const pods = [shellPod('tool', 'exec sleep 1000'), ...more];
    await agent.assign({ upsert: pods });
    for (const { metadata } of pods) await agent.until(metadata.name, isReady);

    // The sshd has the host's files, where the agent's socket is at its usual place, and this machine's network.
    await host.run(['sh', '-c', `mkdir -p /run/sshd && ln -s "${host.folder}/root/run/plumbline" /run/plumbline`]);
    const sshd = await startSshd({ wrapper: ['nsenter', '--target', String(host.pid), '--mount', '--'] });
    closers.push(() => sshd.stop());
    const transport = new SshNodeTransport({ privateKey: sshd.privateKey, log: SILENT_LOG, clock: new SystemClock() });
    closers.push(() => transport.close());
    const connect = (): Promise<NodeConnection> => transport.connect(sshd.target({ name: 'test-node' }), signal);
    let connection = await connect();

    const { cache, git, sync, writer, ...bench } = await syncBench();
    closers.push(() => bench.close());
    await writer.submit(
      pods.map((pod) => ({
        do: 'create' as const,
        object: {
          ...pod,
          metadata: { name: pod.metadata.name, namespace: 'default', labels: { app: pod.metadata.name } },
          spec: { ...pod.spec, nodeName: 'test-node' },
        },
      })),
      'test',
      signal,
    );
    const api = await startApi(join(home, 'control.sock'), {
      view: cache,
      git,
      sourceName: 'main',
      info: { version: '0', pid: 1, startedAt: '2026-01-01T00:00:00Z', home, warnings: [] },
      keySet: { keys: [] },
      storeProblem: () => undefined,
      measure: async () => new Map(),
      clock: new SystemClock(),
      log: SILENT_LOG,
      plan: (rev, format, s) => planRevision(sync.reader, git, cache, 'main', { rev, format, now: new Date() }, s),
      explainPlacement: () => undefined,
      rollback: (order, s) => sync.rollBack(order, s),
      submit: async () => undefined,
      rebalance: async () => {
        throw new Error('not here');
      },
      connectionTo: () => connection,
      onChange: (listener) => cache.subscribe(listener),
    });
    closers.push(() => api.close());
    return {
      home,
      sshd,
      writer,
      close,
      reconnect: async () => {
        connection = await connect();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
