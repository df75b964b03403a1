/** The server alone, with a feature that is none of the control plane's. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { type Duplex, PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { z } from 'zod';
import { notFound } from '../../../reconciler/api/answers.ts';
import { type Feature, read } from '../../../reconciler/api/routes.ts';
import { type ApiServer, serve } from '../../../reconciler/api/server.ts';
import type { ErrorStatus } from '../../../reconciler/api/types.ts';
import { makeFolder } from '../../support/folder.ts';
import { MemoryLog } from '../runtime/world.ts';

describe('the API server', () => {
  let folder: string;
  let server: ApiServer;
  let log: MemoryLog;
  /** What the route `/slow` sees of its asker. */
  let slow: EventEmitter<{ arrived: []; left: [unknown] }>;

  const feature: Feature = ({ app, signalOf, upgrade }) => {
    app.get('/sum', ({ query }) => {
      const { a, b } = read(z.object({ a: z.coerce.number(), b: z.coerce.number() }), query);
      return { sum: a + b };
    });
    app.get('/none', () => {
      throw notFound('there is none');
    });
    app.get('/broken', () => {
      throw new Error('a bug');
    });
    app.get('/slow', (_request, reply) => {
      const signal = signalOf(reply);
      signal.addEventListener('abort', () => slow.emit('left', signal.reason));
      slow.emit('arrived');
      return new Promise(() => undefined);
    });
    app.post('/body', () => ({ taken: true }));
    app.get('/named/:name', ({ params }) => params);
    app.get('/v1.jwks', () => ({}));
    upgrade(/^\/echo\/([^/]+)$/, 'echo', async ([name = '']) => {
      const echo = new PassThrough();
      echo.write(`${name}: `);
      return echo;
    });
  };

  beforeEach(async () => {
    log = new MemoryLog();
    slow = new EventEmitter();
    folder = makeFolder('plumb-api-');
    server = await serve(join(folder, 'control.sock'), [feature], log);
  });
  afterEach(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  function call(path: string, options: { readonly method?: string; readonly headers?: Record<string, string> } = {}) {
    return request({ socketPath: server.socket, path, ...options });
  }

  async function ask<T>(
    path: string,
    body?: string,
    type = 'application/json',
  ): Promise<{ code: number | undefined; body: T }> {
    const asking = call(path, body === undefined ? {} : { method: 'POST', headers: { 'content-type': type } });
    // A body that is too large is refused before it is sent whole.
    asking.on('error', () => undefined).end(body);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    return { code: answer.statusCode, body: JSON.parse(Buffer.concat(await answer.toArray()).toString()) as T };
  }

  it('answers what a feature registered', async () => {
    assert.deepEqual(await ask('/sum?a=2&b=3'), { code: 200, body: { sum: 5 } });
  });

  it('answers every error as a Status, and logs only what is our own fault', async () => {
    for (const [path, code, reason, message] of [
      ['/sum?a=2&b=x', 400, 'BadRequest', /^b: /],
      ['/none', 404, 'NotFound', /^there is none$/],
      ['/elsewhere', 404, 'NotFound', /^there is nothing at \/elsewhere$/],
      ['/broken', 500, 'InternalError', /^a bug$/],
    ] as const) {
      const { code: answered, body } = await ask<ErrorStatus>(path);
      assert.deepEqual([answered, body.kind, body.code, body.reason], [code, 'Status', code, reason]);
      assert.match(body.message, message);
    }
    assert.deepEqual(
      log.lines.map(({ fields }) => fields?.['error']),
      ['Error: a bug'],
    );
  });

  it('takes names as long as they may be', async () => {
    const name = 'x'.repeat(253);
    assert.deepEqual(await ask(`/named/${name}`), { code: 200, body: { name } });
    assert.deepEqual(await ask(`/named/${'%78'.repeat(253)}`), { code: 200, body: { name } });
    const { code, body } = await ask<ErrorStatus>(`/named/${'x'.repeat(1000)}`);
    assert.deepEqual([code, body.kind, body.reason], [414, 'Status', 'BadRequest']);
  });

  it('tells a path that has another method from none', async () => {
    for (const [path, code, reason] of [
      ['/sum?a=2&b=3', 405, 'MethodNotAllowed'],
      ['/named/web', 405, 'MethodNotAllowed'],
      ['/named', 404, 'NotFound'],
      ['/named/web/more', 404, 'NotFound'],
      ['/v1xjwks', 404, 'NotFound'],
    ] as const) {
      const { code: answered, body } = await ask<ErrorStatus>(path, '{}');
      assert.deepEqual([answered, body.kind, body.code, body.reason], [code, 'Status', code, reason], path);
    }
    assert.equal((await ask<ErrorStatus>('/body')).code, 405);
  });

  it('refuses a body over a mebibyte', async () => {
    assert.equal((await ask('/body', JSON.stringify('x'.repeat(1024)))).code, 200);
    const { code, body } = await ask<ErrorStatus>('/body', JSON.stringify('x'.repeat(1024 * 1024)));
    assert.deepEqual([code, body.kind, body.reason], [413, 'Status', 'RequestEntityTooLarge']);
  });

  it('says what is wrong with a body that it does not take, and with a path', async () => {
    for (const [path, body, type, code, reason] of [
      ['/body', '{', 'application/json', 400, 'BadRequest'],
      ['/body', '[]', 'application/json-patch+json', 415, 'UnsupportedMediaType'],
      ['/%zz', undefined, undefined, 400, 'BadRequest'],
    ] as const) {
      const told = await ask<ErrorStatus>(path, body, type);
      assert.deepEqual([told.code, told.body.kind, told.body.reason], [code, 'Status', reason], `${path} ${body}`);
    }
    assert.deepEqual(log.lines, []);
  });

  it('tells a feature when its asker goes away', async () => {
    const asking = call('/slow');
    asking.on('error', () => undefined).end();
    await once(slow, 'arrived');
    const left = once(slow, 'left');
    asking.destroy();
    assert.match(String(await left), /the client went away/);
  });

  it('joins an upgraded connection to what the feature opened, and refuses any other upgrade', async () => {
    const upgraded = call('/echo/a%20b', { headers: { connection: 'upgrade', upgrade: 'echo' } });
    upgraded.end();
    const [, socket, head] = (await once(upgraded, 'upgrade')) as [IncomingMessage, Duplex, Buffer];
    socket.end('hello');
    assert.equal(Buffer.concat([head, ...((await socket.toArray()) as Buffer[])]).toString(), 'a b: hello');
    for (const [path, protocol, code] of [
      ['/echo/x', 'something-else', 404],
      ['/echo/%zz', 'echo', 400],
      ['//', 'echo', 400],
    ] as const) {
      const refused = call(path, { headers: { connection: 'upgrade', upgrade: protocol } });
      refused.end();
      const [answer] = (await once(refused, 'response')) as [IncomingMessage];
      assert.equal(answer.statusCode, code, path);
      answer.resume();
    }
  });
});
