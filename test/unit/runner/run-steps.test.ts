/** The runner of the check's steps. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeFolder } from '../../support/folder.ts';

describe('steps of the check', () => {
  let folder: string;
  before(() => {
    folder = makeFolder('plumb-steps-');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** A step: the words of a shell script in a file. */
  function step(name: string, script: string): string {
    const file = join(folder, name);
    writeFileSync(file, script);
    return `sh ${file}`;
  }

  async function run(...words: readonly string[]): Promise<{ code: number | null; lines: readonly string[] }> {
    const options = words.filter((word) => word.startsWith('--'));
    const steps = words.filter((word) => !word.startsWith('--'));
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/run-steps.ts', ...options, '2', ...steps]);
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('exit', resolve)));
    return { code, lines: text.split('\n').filter((line) => !/ \d+ s$/.test(line) && line !== '') };
  }

  it('run at once, and what each says comes whole and in their order', async () => {
    const flag = join(folder, 'second-is-done');
    const first = step('first', `echo one; until [ -e ${flag} ]; do sleep 0.02; done; echo two`);
    const second = step('second', `echo three; echo four; touch ${flag}`);
    const { code, lines } = await run(first, second, step('third', 'echo five'));
    assert.deepEqual({ code, lines }, { code: 0, lines: ['one', 'two', 'three', 'four', 'five'] });
  });

  it('end with the first that fails, with its code and its words; the others are ended, and none begins', async () => {
    const flag = join(folder, 'begun');
    const endless = step('endless', `touch ${flag}; sleep 1000 & wait`);
    const bad = step('bad', `until [ -e ${flag} ]; do sleep 0.02; done; echo bad; exit 3`);
    const never = join(folder, 'never');
    const { code, lines } = await run(endless, bad, step('later', `touch ${never}`));
    assert.deepEqual({ code, lines }, { code: 3, lines: ['bad'] });
    assert.equal(existsSync(never), false);
  });

  it('all run to their end with --all, and the code is that of the first that failed', async () => {
    const flag = join(folder, 'bad-is-done');
    const slow = step('slow', `until [ -e ${flag} ]; do sleep 0.02; done; echo slow`);
    const bad = step('fails', `echo bad; touch ${flag}; exit 4`);
    const { code, lines } = await run('--all', slow, bad, step('last', 'echo last'));
    assert.deepEqual({ code, lines }, { code: 4, lines: ['slow', 'bad', 'last'] });
  });
});
