import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FileVault } from '../../../reconciler/adapters/home/vault.ts';
import { makeFolder } from '../../support/folder.ts';
import { MemoryLog } from '../../unit/runtime/world.ts';
import { certificateVaultSuite } from './suite.ts';

const sealKey = Buffer.alloc(32, 1);
const { signal } = new AbortController();

certificateVaultSuite('files', () => {
  const dir = makeFolder('plumb-vault-');
  return {
    vault: new FileVault({ dir: join(dir, 'certificates'), sealKey, log: new MemoryLog() }),
    close: () => {
      rmSync(dir, { recursive: true });
    },
  };
});

describe('the files of a vault', () => {
  let dir: string;
  const log = new MemoryLog();
  const open = (key = sealKey): FileVault => new FileVault({ dir: join(dir, 'certificates'), sealKey: key, log });
  const files = (): readonly string[] =>
    readdirSync(join(dir, 'certificates')).map((name) => join(dir, 'certificates', name));
  beforeEach(() => {
    dir = makeFolder('plumb-vault-');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  it('tell neither names nor texts, and are of their owner alone', async () => {
    await open().write('secret/default/canary-name', 'canary-text', signal);
    const [file = ''] = files();
    assert.doesNotMatch(file, /canary/);
    assert.doesNotMatch(readFileSync(file, 'latin1'), /canary/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(dir, 'certificates')).mode & 0o777, 0o700);
    assert.equal(files().length, 1);
  });

  it('are opened after a restart, with the same key alone', async () => {
    await open().write('a', 'text', signal);
    assert.equal(await open().read('a', signal), 'text');
    assert.equal(await open(Buffer.alloc(32, 2)).read('a', signal), undefined);
  });

  it('that are damaged, cut or in the place of another are as if they were not there, and it is told', async () => {
    const vault = open();
    for (const damage of [
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[20] = (bytes[20] ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
      (file: string) => {
        writeFileSync(file, readFileSync(file).subarray(0, 10));
      },
    ]) {
      await vault.write('a', 'text', signal);
      damage(files()[0] ?? '');
      assert.equal(await vault.read('a', signal), undefined);
    }
    await vault.write('a', 'text of a', signal);
    const [ofA = ''] = files();
    await vault.write('b', 'text of b', signal);
    renameSync(ofA, files().find((file) => file !== ofA) ?? '');
    assert.equal(await vault.read('b', signal), undefined);
    assert.ok(log.lines.length >= 3);
    assert.doesNotMatch(JSON.stringify(log.lines), /text/);
  });
});
