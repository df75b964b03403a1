/** Upgraded requests at the agent's socket: where they are taken, and how many at once. */
import assert from 'node:assert/strict';
import { once, setMaxListeners } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { PassThrough, type Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { EXEC_UPGRADE } from '../../../contracts/agent/places.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { startApi, type ApiDeps } from '../../../nodeagent/loops/api/server.ts';
import type { ContainerStreams } from '../../../nodeagent/ports/container-runtime.ts';
import { makeFolder } from '../../support/folder.ts';
import { container, pod, seen } from './pods.ts';

const EXEC = '/v1/exec?namespace=default&pod=app&command=cat';

interface Refused {
  readonly status: number | undefined;
  readonly code: string;
}

describe('upgraded requests', () => {
  let folder: string;
  let api: Awaited<ReturnType<typeof startApi>>;
  /** Sessions of commands that wait for their input's end. */
  const sessions = new Set<ContainerStreams>();

  function session(): ContainerStreams {
    const stdout = new PassThrough();
    const opened: ContainerStreams = {
      stdin: undefined,
      stdout,
      stderr: undefined,
      exit: once(stdout, 'close').then(() => ({ exitCode: 0 })),
      resize: () => undefined,
      close() {
        stdout.destroy();
        sessions.delete(opened);
      },
    };
    sessions.add(opened);
    return opened;
  }

  const socketPath = (): string => `${folder}/agent.sock`;

  before(async () => {
    // As in the agent: the end of its API ends all streams.
    setMaxListeners(0);
    folder = makeFolder('agent-api-');
    api = await startApi({
      socket: socketPath(),
      assignment: { current: () => ({ get: () => pod() }) },
      pods: { observed: () => seen({ containers: [container()] }) },
      folders: { state: '/nowhere', run: '/nowhere', podLogs: '/nowhere' },
      clock: systemClock,
      logs: {
        async *read(_request: unknown, signal: AbortSignal) {
          yield ['2026-01-01T00:00:00Z stdout F begins'];
          await once(signal, 'abort');
        },
      },
      runtime: {
        exec: (_id: string, { command }: { readonly command: readonly string[] }) =>
          command[0] === 'cat' ? Promise.resolve(session()) : Promise.reject(new Error('no such command')),
      },
      info: {},
    } as unknown as ApiDeps);
  });
  after(async () => {
    await api.close();
    await removeFolder(folder);
  });

  /** The stream, or the refusal. */
  async function ask(path: string): Promise<Duplex | Refused> {
    const asked = request({
      socketPath: socketPath(),
      path,
      headers: { connection: 'Upgrade', upgrade: EXEC_UPGRADE },
    }).end();
    return new Promise((resolve, reject) => {
      asked.once('error', reject);
      asked.once('upgrade', (_answer, socket: Duplex) => {
        socket.on('error', () => undefined);
        resolve(socket);
      });
      asked.once('response', (answer: IncomingMessage) => {
        answer.toArray().then((chunks: Buffer[]) => {
          const { code } = JSON.parse(Buffer.concat(chunks).toString()) as { code: string };
          resolve({ status: answer.statusCode, code });
        }, reject);
      });
    });
  }
  async function open(): Promise<Duplex> {
    const socket = await ask(EXEC);
    if ('code' in socket) return assert.fail(socket.code);
    return socket;
  }

  it('are refused where nothing is', async () => {
    for (const path of ['/v1Xexec', '/v1/x', '/exec', '/v1/exec/', '/v1'])
      assert.deepEqual(await ask(EXEC.replace('/v1/exec', path)), { status: 404, code: 'NotFound' }, path);
  });

  it('are at most 100 at once, those that were refused or have ended not counted', async () => {
    for (let times = 0; times < 3; times += 1)
      assert.deepEqual(await ask(EXEC.replace('cat', 'none')), { status: 500, code: 'Internal' });
    const streams = await Promise.all(Array.from({ length: 100 }, open));
    assert.deepEqual(await ask(EXEC), { status: 503, code: 'TooManyStreams' });
    assert.equal(sessions.size, 100);
    const leaving = streams.pop() ?? assert.fail();
    leaving.resume().end();
    await once(leaving, 'end');
    streams.push(await open());
    assert.deepEqual(await ask(EXEC), { status: 503, code: 'TooManyStreams' });
    for (const stream of streams) stream.destroy();
  });

  it('and so are logs that are followed, but not logs', async () => {
    const log = (follow: boolean): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const path = `/v1/logs?namespace=default&pod=app&follow=${follow}`;
        request({ socketPath: socketPath(), path, agent: false }, resolve).on('error', reject).end();
      });
    const followed = await Promise.all(Array.from({ length: 100 }, () => log(true)));
    assert.deepEqual([...new Set(followed.map(({ statusCode }) => statusCode))], [200]);
    const refused = await log(true);
    assert.equal(refused.statusCode, 503);
    assert.match(Buffer.concat((await refused.toArray()) as Buffer[]).toString(), /100 logs of this node are followed/);
    const read = await log(false);
    assert.equal(read.statusCode, 200);
    const leaving = followed.pop() ?? assert.fail();
    leaving.destroy();
    // The agent hears of it when it does.
    let again = await log(true);
    while (again.statusCode === 503) {
      again.resume();
      again = await log(true);
    }
    for (const one of [...followed, again, read]) one.destroy();
  });
});
