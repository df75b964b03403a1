/** `GET /v1/logs?follow=true`, of a container that runs and ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { logFiles } from '../../../nodeagent/adapters/disk/log-files.ts';
import { logFile } from '../../../nodeagent/core/pod/layout.ts';
import { identityOf } from '../../../nodeagent/core/pod/objects.ts';
import type { ObservedPod } from '../../../nodeagent/core/pod/observed.ts';
import { streamLogs, type LogRequestDeps } from '../../../nodeagent/loops/api/logs.ts';
import { makeFolder } from '../../support/folder.ts';
import { container, pod, seen } from './pods.ts';

const line = (tag: 'F' | 'P', message: string): string => `2026-01-01T00:00:00Z stdout ${tag} ${message}`;
const RUNNING = seen({ containers: [container()] });
const ENDED = seen({ containers: [container({ state: 'exited' })] });

describe('a request for a log that is followed', () => {
  let folder: string;
  let path: string;
  let socketPath: string;
  let server: Server;
  let observed: ObservedPod | undefined;
  let served: Promise<void> | undefined;
  const closing = new AbortController();

  beforeEach(async () => {
    folder = makeFolder('plumbline-log-request-');
    const folders = { state: join(folder, 'state'), run: join(folder, 'run'), podLogs: join(folder, 'logs') };
    path = logFile(folders, identityOf(pod()), 'main', 0);
    await mkdir(dirname(path), { recursive: true });
    observed = RUNNING;
    const deps: LogRequestDeps = {
      assignment: { current: () => ({ get: () => pod() }) } as unknown as LogRequestDeps['assignment'],
      logs: logFiles(),
      folders,
      observed: () => observed,
    };
    socketPath = join(folder, 'agent.sock');
    server = createServer((asked, response) => {
      const { searchParams } = new URL(asked.url ?? '', 'http://agent');
      served = streamLogs(response, searchParams, deps, closing.signal);
    });
    server.listen(socketPath);
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  async function follow(): Promise<IncomingMessage> {
    const asking = request({ socketPath, path: '/v1/logs?pod=app&follow=true', agent: false });
    asking.end();
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    return answer;
  }

  it('ends with the container, whose last line has no end', async () => {
    await writeFile(path, `${line('F', 'one')}\n`);
    const answer = await follow();
    const [first] = (await once(answer, 'data')) as [Buffer];
    assert.equal(first.toString(), 'one\n');
    await appendFile(path, `${line('F', 'two')}\n${line('P', 'last')}\n`);
    observed = ENDED;
    assert.equal(await text(answer), 'two\nlast');
    await served;
  });

  it('ends with a pod that is no more, and its log with it', async () => {
    await writeFile(path, `${line('F', 'one')}\n`);
    const answer = await follow();
    await once(answer, 'data');
    await rm(join(folder, 'logs'), { recursive: true });
    observed = undefined;
    assert.equal(await text(answer), '');
    await served;
  });

  it('ends when its reader is gone, also one that did not read', async () => {
    await writeFile(path, `${line('F', 'x'.repeat(1000))}\n`.repeat(20_000));
    const answer = await follow();
    answer.destroy();
    await served;
  });
});
