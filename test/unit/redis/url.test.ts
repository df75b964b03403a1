import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isExposed, placeOfRedis, redisOptionsFromUrl } from '../../../reconciler/adapters/redis/url.ts';

describe('redisOptionsFromUrl', () => {
  it('reads what people write', () => {
    assert.deepEqual(redisOptionsFromUrl('redis://example.test'), { host: 'example.test', port: 6379, db: 0 });
    assert.deepEqual(redisOptionsFromUrl('rediss://u:p%40ss@[::1]:7000/2'), {
      host: '::1',
      port: 7000,
      db: 2,
      username: 'u',
      password: 'p@ss',
      tls: {},
    });
    assert.deepEqual(redisOptionsFromUrl('unix:///run/redis.sock'), { path: '/run/redis.sock' });
  });

  it('reads Sentinels', () => {
    const sentinels = [
      { host: 'a.test', port: 26379 },
      { host: '10.0.0.2', port: 7000 },
      { host: 'fd00::3', port: 26379 },
    ];
    assert.deepEqual(redisOptionsFromUrl('redis+sentinel://a.test,10.0.0.2:7000,[fd00::3]/plumb'), {
      sentinels,
      name: 'plumb',
      db: 0,
    });
    assert.deepEqual(redisOptionsFromUrl('redis+sentinel://:p%40ss@a.test/plumb/3'), {
      sentinels: sentinels.slice(0, 1),
      name: 'plumb',
      db: 3,
      password: 'p@ss',
    });
    assert.deepEqual(redisOptionsFromUrl('rediss+sentinel://u:p@a.test/plumb'), {
      sentinels: sentinels.slice(0, 1),
      name: 'plumb',
      db: 0,
      username: 'u',
      password: 'p',
      tls: {},
      sentinelTLS: {},
      enableTLSForSentinelMode: true,
    });
  });

  it('takes passwords from elsewhere, and prefers those', () => {
    assert.equal(redisOptionsFromUrl('redis://u@h', { password: 'x' }).password, 'x');
    assert.equal(redisOptionsFromUrl('redis://u:old@h', { password: 'x', sentinelPassword: 'y' }).password, 'x');
    assert.equal('sentinelPassword' in redisOptionsFromUrl('redis://h', { sentinelPassword: 'y' }), false);
    const { password, sentinelPassword } = redisOptionsFromUrl('redis+sentinel://h/m', {
      password: 'x',
      sentinelPassword: 'y',
    });
    assert.deepEqual([password, sentinelPassword], ['x', 'y']);
  });

  it('refuses the rest without repeating a password', () => {
    for (const url of [
      'localhost:6379',
      'http://u:hunter2@h',
      'redis://u:hunter2@h/x',
      '',
      'redis://',
      'redis://u:hunter2%zz@h',
      'redis+sentinel://u:hunter2@h',
      'redis+sentinel://u:hunter2@h/',
      'redis+sentinel://u:hunter2@h:99999/m',
      'redis+sentinel://u:hunter2@h,/m',
      'redis+sentinel://u:hunter2@h/m/x',
      'x-redis+sentinel://u:hunter2@h/m',
    ]) {
      assert.throws(
        () => redisOptionsFromUrl(url),
        (error: Error & { code?: string }) => error.code === 'RedisUrlInvalid' && !error.message.includes('hunter2'),
        url,
      );
    }
  });
});

describe('isExposed', () => {
  for (const [url, exposed] of [
    ['redis://10.0.0.5', true],
    ['redis://redis.example.test', true],
    ['redis://127.0.0.1.example.test', true],
    ['redis+sentinel://127.0.0.1,10.0.0.5/m', true],
    ['redis://127.0.0.1', false],
    ['redis://127.8.0.1:7000', false],
    ['redis://[::1]', false],
    ['redis://localhost', false],
    ['rediss://10.0.0.5', false],
    ['unix:///run/redis.sock', false],
    ['redis+sentinel://127.0.0.1,[::1]:7000/m', false],
    ['rediss+sentinel://10.0.0.5/m', false],
  ] as const) {
    it(`is ${exposed} for ${url}`, () => {
      assert.equal(isExposed(redisOptionsFromUrl(url)), exposed);
    });
  }
});

describe('placeOfRedis', () => {
  it('names the server and no login', () => {
    assert.equal(placeOfRedis(redisOptionsFromUrl('redis://u:p@h:7000/2')), 'h:7000');
    assert.equal(placeOfRedis(redisOptionsFromUrl('unix:///run/redis.sock')), '/run/redis.sock');
    assert.equal(
      placeOfRedis(redisOptionsFromUrl('redis+sentinel://u:p@a,b:7000/m')),
      'm of the sentinels a:26379, b:7000',
    );
  });
});
