import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { listenForWebhooks, type WebhookServer } from '../../../reconciler/adapters/webhooks/server.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';

const SECRET = Buffer.from('0123456789abcdef');
const signature = (body: string): string => `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;

describe('the webhook server', () => {
  let server: WebhookServer;
  let looks = 0;
  /** Stands still, so that nothing refills the rate. */
  const clock = { monotonic: () => 0 };
  const options = { host: '127.0.0.1', port: 0, secret: SECRET, log: SILENT_LOG, clock };

  beforeEach(async () => {
    looks = 0;
    server = await listenForWebhooks({ ...options, look: () => looks++ });
  });
  afterEach(() => server.close());

  async function post(body: string, headers: Readonly<Record<string, string>> = {}, path = ''): Promise<number> {
    const answer = await fetch(server.url + path, {
      method: 'POST',
      body,
      headers: { 'x-hub-signature-256': signature(body), ...headers },
    });
    await answer.text();
    return answer.status;
  }

  it('causes a look for each delivery, and none for one that is repeated', async () => {
    assert.equal(await post('{}', { 'x-github-delivery': 'a' }), 202);
    assert.equal(await post('{}', { 'x-github-delivery': 'b' }), 202);
    assert.equal(await post('{}', { 'x-github-delivery': 'a' }), 202);
    assert.deepEqual([looks, server.counts()], [2, { accepted: 3, repeated: 1, refused: 0 }]);
  });

  it('causes no look for what is not from the forge, and counts it', async () => {
    assert.equal(await post('{}', { 'x-hub-signature-256': signature('{ }') }), 401);
    assert.equal(await post('not JSON'), 400);
    assert.equal(await post('{}', {}, '/../etc/passwd'), 404);
    assert.equal((await fetch(server.url)).status, 405);
    assert.equal(looks, 0);
    assert.deepEqual(server.counts(), { accepted: 0, repeated: 0, refused: 4, lastRefusal: '405 a webhook is a POST' });
  });

  it('reads no body that is too large, whether it says so or not', async () => {
    const large = 'x'.repeat(1024 * 1024 + 1);
    assert.equal(await post(large), 413);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sending = request(server.url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, (answer) => {
        resolve(answer.statusCode);
        sending.destroy();
      });
      sending.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
      });
      sending.write(large);
      sending.write(large);
    });
    assert.equal(status, 413);
    assert.equal(looks, 0);
  });

  it('causes no more looks than its rate, whoever calls how often', async () => {
    for (let i = 0; i < 40; i++) assert.equal(await post('{}', { 'x-github-delivery': String(i) }), 202);
    assert.equal(looks, 10);
    assert.equal(server.counts().accepted, 40);
  });

  it('says where nobody can listen', async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(
      listenForWebhooks({ ...options, port, look: () => undefined }),
      (error: unknown) => error instanceof PlumbError && error.code === 'WebhookUnavailable',
    );
    const tls = { cert: Buffer.from('none'), key: Buffer.from('none') };
    await assert.rejects(
      listenForWebhooks({ ...options, tls, look: () => undefined }),
      (error: unknown) => error instanceof PlumbError && error.code === 'WebhookUnavailable',
    );
  });
});

describe('a look that had to wait', () => {
  it('is made later: the last push of a flood is not lost', async () => {
    const clock = new SystemClock();
    let looks = 0;
    let heard: (() => void) | undefined;
    const eleventh = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const server = await listenForWebhooks({
      host: '127.0.0.1',
      port: 0,
      secret: SECRET,
      log: SILENT_LOG,
      clock,
      look: () => {
        if (++looks === 11) heard?.();
      },
    });
    try {
      for (let i = 0; i < 15; i++)
        await fetch(server.url, { method: 'POST', body: '{}', headers: { 'x-hub-signature-256': signature('{}') } });
      await eleventh;
    } finally {
      await server.close();
    }
  });
});
