import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FilePayloads } from '../../../reconciler/adapters/payload/payloads.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { makeFolder } from '../../support/folder.ts';

const signal = new AbortController().signal;
const failsWith =
  (code: string, words: RegExp) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === code && words.test(error.message);

describe('the runtime cache', () => {
  const folder = makeFolder('plumb-payload-');
  const tarball = join(folder, 'made.tgz');
  const program = Buffer.from('#!/bin/sh\necho runtime\n');
  let fetched = 0;
  let integrity = '';
  const fetchTarball = async (_spec: string, into: string): Promise<string> => {
    fetched += 1;
    const path = join(into, 'fetched.tgz');
    copyFileSync(tarball, path);
    return path;
  };
  const payloads = (cache: string, wanted = integrity, fetch = fetchTarball): FilePayloads => {
    const pin = { spec: 'node-test@1.2.3', integrity: wanted };
    return new FilePayloads({
      cacheDir: join(folder, cache),
      bundlePath: join(folder, 'agent.mjs'),
      pins: { x64: pin, arm64: pin },
      fetchTarball: fetch,
    });
  };
  before(() => {
    mkdirSync(join(folder, 'package/bin'), { recursive: true });
    writeFileSync(join(folder, 'package/bin/node'), program);
    writeFileSync(join(folder, 'agent.mjs'), 'bundle');
    execFileSync('tar', ['-czf', tarball, '-C', folder, 'package']);
    integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('unpacks once, however many ask at the same time, and leaves nothing else', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => payloads('a').get('x64', signal)));
    for (const payload of all) {
      assert.equal(payload.runtimeHash, createHash('sha256').update(program).digest('hex'));
      assert.equal(payload.bundleHash, createHash('sha256').update('bundle').digest('hex'));
    }
    assert.deepEqual(readdirSync(join(folder, 'a')), ['node-test-1.2.3']);
    const before = fetched;
    const { runtimePath } = await payloads('a').get('x64', signal);
    assert.equal(fetched, before);
    assert.equal(execFileSync(runtimePath, { encoding: 'utf8' }), 'runtime\n');
  });

  it('gives the executable plain and compressed', async () => {
    const payload = await payloads('a').get('x64', signal);
    const read = async (form: 'plain' | 'gzip'): Promise<Buffer> =>
      Buffer.concat((await payload.runtime(form).toArray()) as Buffer[]);
    assert.deepEqual(await read('plain'), program);
    assert.deepEqual(gunzipSync(await read('gzip')), program);
  });

  it('refuses a package that is not the pinned one', async () => {
    await assert.rejects(
      payloads('b', 'sha512-other').get('x64', signal),
      failsWith('RuntimeUnavailable', /not the pinned one/),
    );
    assert.deepEqual(readdirSync(join(folder, 'b')), []);
  });

  it('says what to do when it cannot fetch, and tries again when asked again', async () => {
    const offline = payloads('c', integrity, async () => {
      throw new Error('ENOTFOUND');
    });
    await assert.rejects(
      offline.get('x64', signal),
      failsWith('RuntimeUnavailable', /ENOTFOUND.*connect to an npm registry/),
    );
    await payloads('c').get('x64', signal);
    await offline.get('x64', signal);
  });

  it('fetches into a folder of its own where the shared one may not be written, and takes from the shared one what is there', async () => {
    const pin = { spec: 'node-test@1.2.3', integrity };
    const options = { bundlePath: join(folder, 'agent.mjs'), pins: { x64: pin, arm64: pin }, fetchTarball };
    // No folder can be made below a file.
    const shared = join(folder, 'agent.mjs', 'cache');
    const { runtimePath } = await new FilePayloads({
      ...options,
      cacheDir: shared,
      ownCacheDir: join(folder, 'own'),
    }).get('x64', signal);
    assert.equal(runtimePath, join(folder, 'own', 'node-test-1.2.3', 'node'));
    const again = new FilePayloads({ ...options, cacheDir: join(folder, 'own'), ownCacheDir: join(folder, 'never') });
    assert.equal((await again.get('x64', signal)).runtimePath, runtimePath);
    assert.equal(existsSync(join(folder, 'never')), false);
  });

  it('says that the bundle was not built', async () => {
    await assert.rejects(
      new FilePayloads({ bundlePath: join(folder, 'none.mjs') }).get('x64', signal),
      failsWith('BundleMissing', /npm run build/),
    );
  });
});
