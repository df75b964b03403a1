import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { git, plumb, run, type Ran } from './cli-bench.ts';

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
/** In YAML: clears the screen, sets the title, clears it by C1, turns the direction. */
const EVIL = '\\e[2J\\e]0;t\\a\\x9b2J\\u202e';

describe('what the CLI prints', () => {
  let dir: string;
  before(() => {
    buildCli();
    dir = makeFolder('plumb terminal');
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('holds nothing that a terminal acts on, also where the pusher sees it', async () => {
    const shop = join(dir, 'shop');
    assert.equal((await plumb(['init', shop], dir)).code, 0);
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['remote', 'add', 'origin', join(dir, 'shop.git')], shop);
    const file = join(shop, 'evil.yaml');
    const object = (name: string, data: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {k: "${data}"}\n`;
    const all = ({ stdout, stderr }: Ran): string => stdout + stderr;

    writeFileSync(file, object(`"${EVIL}"`, 'x'));
    await git(['add', '.'], shop);
    await git(['commit', '-qm', 'bad'], shop);
    for (const ran of [
      await plumb(['check'], shop),
      await plumb(['plan'], shop),
      await run('git', ['push', 'origin', 'main'], shop),
    ]) {
      assert.equal(ran.code, 1);
      assert.match(all(ran), /evil\.yaml:3:18 InvalidValue/);
      assert.doesNotMatch(all(ran), CONTROL);
    }

    writeFileSync(file, object('evil', EVIL));
    await git(['commit', '-qam', 'good'], shop);
    for (const ran of [
      await plumb(['plan'], shop),
      await plumb(['plan', '-o', 'markdown'], shop),
      await run('git', ['push', 'origin', 'main'], shop),
    ]) {
      assert.equal(ran.code, 0, ran.stderr);
      assert.doesNotMatch(all(ran), CONTROL);
    }
    writeFileSync(file, object('evil', `${EVIL}2`));
    const json = await plumb(['plan', '-o', 'json'], shop);
    assert.doesNotMatch(json.stdout, CONTROL);
    assert.match(JSON.stringify(JSON.parse(json.stdout)), CONTROL);

    for (const words of [
      ['nonsense\u001b[2J'],
      ['get', '\u009b2J'],
      ['check', 'no\u001b[2J'],
      ['status', '--home', '/no\u001b[2J'],
    ]) {
      const ran = await plumb(words, dir);
      assert.notEqual(ran.code, 0);
      assert.doesNotMatch(all(ran), CONTROL, words.join(' '));
    }
  });

  it('may have no reader: it ends in silence, with its own exit code', async () => {
    writeFileSync(join(dir, 'a.yaml'), 'kind: Nope\n');
    const unread = (words: string): Promise<Ran> =>
      run('bash', ['-c', `{ "$0" "$1" ${words}; echo "code $?" >&2; } | true`, process.execPath, PLUMB], dir);
    for (const words of ['--help', 'help check', 'node --help', '--version'])
      assert.deepEqual((await unread(words)).stderr, 'code 0\n', words);
    for (const words of ['check a.yaml-is-no-folder/..', 'check .'])
      assert.match((await unread(words)).stderr, /^(?!.*at ).*code [12]\n$/s, words);
    const deaf = await run(
      'bash',
      [
        '-c',
        '{ "$0" "$1" check . 2>&1 >/dev/null; echo "code $?" >"$2"; } | true; cat "$2"',
        process.execPath,
        PLUMB,
        join(dir, 'code'),
      ],
      dir,
    );
    assert.equal(deaf.stdout, 'code 1\n');
  });
});
