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
  let logDeps: () => LogRequestDeps;
  const closing = new AbortController();

  beforeEach(async () => {
    folder = makeFolder('plumbline-log-request-');
    const folders = { state: join(folder, 'state'), run: join(folder, 'run'), podLogs: join(folder, 'logs') };
    path = logFile(folders, identityOf(pod()), 'main', 0);
    await mkdir(dirname(path), { recursive: true });
    observed = RUNNING;
    logDeps = () => ({
      assignment: { current: () => ({ get: () => pod() }) } as unknown as LogRequestDeps['assignment'],
      logs: logFiles(),
      folders,
      observed: () => observed,
      clock: { now: () => new Date('2026-01-01T01:00:00Z') },
    });
    socketPath = join(folder, 'agent.sock');
    server = createServer((asked, response) => {
      const { searchParams } = new URL(asked.url ?? '', 'http://agent');
      served = streamLogs(response, searchParams, logDeps(), closing.signal);
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

  /** What comes first; the rest waits for who reads it. */
  async function first(answer: IncomingMessage): Promise<string> {
    const [chunk] = (await once(answer, 'data')) as [Buffer];
    answer.pause();
    return chunk.toString();
  }

  it('ends with the container, whose last line has no end', async () => {
    await writeFile(path, `${line('F', 'one')}\n`);
    const answer = await follow();
    assert.equal(await first(answer), 'one\n');
    await appendFile(path, `${line('F', 'two')}\n${line('P', 'last')}\n`);
    observed = ENDED;
    assert.equal(await text(answer), 'two\nlast');
    await served;
  });

  it('ends with a pod that is no more, and its log with it', async () => {
    await writeFile(path, `${line('F', 'one')}\n`);
    const answer = await follow();
    await first(answer);
    await rm(join(folder, 'logs'), { recursive: true });
    observed = undefined;
    assert.equal(await text(answer), '');
    await served;
  });

  it('tells what was printed since, by the clock of the node', async () => {
    const at = (time: string, message: string): string => `2026-01-01T${time} stdout F ${message}\n`;
    await writeFile(
      path,
      at('00:10:00.5Z', 'early') +
        at('00:59:29.9+00:00', 'before') +
        at('01:59:30+01:00', 'in') +
        at('01:00:00.1Z', 'last'),
    );
    observed = ENDED;
    const asked = async (query: string): Promise<string> => {
      const asking = request({ socketPath, path: `/v1/logs?pod=app&${query}`, agent: false }).end();
      const [answer] = (await once(asking, 'response')) as [IncomingMessage];
      return text(answer);
    };
    assert.equal(await asked('sinceSeconds=30'), 'in\nlast\n');
    assert.equal(await asked('sinceTime=2026-01-01T00:59:29Z'), 'before\nin\nlast\n');
    assert.equal(await asked('sinceSeconds=30&tail=1'), 'last\n');
    assert.equal(await asked('sinceSeconds=86400'), 'early\nbefore\nin\nlast\n');
    for (const wrong of ['sinceSeconds=x', 'sinceSeconds=-1', 'sinceTime=yesterday'])
      await assert.rejects(
        streamLogs({} as never, new URLSearchParams(`pod=app&${wrong}`), logDeps(), closing.signal),
        {
          code: 'BadRequest',
        },
      );
  });

  it('ends when its reader is gone, also one that did not read', async () => {
    await writeFile(path, `${line('F', 'x'.repeat(1000))}\n`.repeat(20_000));
    const answer = await follow();
    answer.destroy();
    await served;
  });
});
