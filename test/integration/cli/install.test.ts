/** `plumb up --install`, `plumb upgrade` and `plumb up --uninstall`, on a machine apart. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildCli } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { run } from './cli-bench.ts';
import { machineApart, type MachineApart } from './stand-in-systemd.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PLUMB = `${process.execPath} ${join(ROOT, 'bin/plumb.mjs')}`;

describe('a control plane that is installed', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  let folder: string;
  let machine: MachineApart;
  /** Of a version: what `npm pack` made, with another version, and more done to it. */
  const packageOf = async (version: string, change: (dir: string) => Promise<void>): Promise<string> => {
    const dir = join(folder, version, 'package');
    const [tarball = ''] = (await run('sh', ['-c', 'ls *.tgz'], folder)).stdout.split('\n');
    const unpacked = await run('sh', ['-c', `mkdir ${version} && tar -xzf ${tarball} -C ${version}`], folder);
    assert.equal(unpacked.code, 0, unpacked.stderr);
    const manifest = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(dir, 'package.json'), JSON.stringify({ ...manifest, version }));
    await change(dir);
    return dir;
  };
  const must = async (script: string): Promise<string> => {
    const ran = await machine.sh(`set -eu\n${script}`);
    assert.equal(ran.code, 0, `${script}\n${ran.stdout}\n${ran.stderr}`);
    return ran.stdout;
  };
  const revisions = async (): Promise<readonly string[]> => {
    const { history } = JSON.parse(await must('plumb history -o json')) as { history: { subject: string }[] };
    return history.map(({ subject }) => subject);
  };

  before(async () => {
    buildCli();
    folder = makeFolder('plumb-install-');
    const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], ROOT, { HOME: folder });
    assert.equal(packed.code, 0, packed.stderr);
    machine = await machineApart(folder);
  });
  after(async () => {
    await machine?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs as a user of its own, who may not write programs, settings or hooks', async () => {
    await must(`${PLUMB} init --bare /srv/fleet.git\n${PLUMB} up --install --repo /srv/fleet.git`);
    const pid = (await must('cat /run/unit.pid')).trim();
    assert.equal((await must(`stat -c %U /proc/${pid}`)).trim(), 'plumbline');
    const owners = await must(
      'stat -c "%a %U %n" /etc/plumbline/environment /var/lib/plumbline-control /usr/local/bin/plumb',
    );
    assert.deepEqual(owners.trim().split('\n'), [
      '600 root /etc/plumbline/environment',
      '700 plumbline /var/lib/plumbline-control',
      '755 root /usr/local/bin/plumb',
    ]);
    for (const path of [
      '/srv/fleet.git/hooks/x',
      '/srv/fleet.git/commondir',
      '/srv/fleet.git/config',
      '/usr/local/lib/plumbline/x',
    ])
      assert.notEqual(
        (await machine.sh(`setpriv --reuid=plumbline --regid=plumbline --init-groups touch ${path}`)).code,
        0,
        path,
      );
    const hook = await must('cat /srv/fleet.git/hooks/pre-receive');
    assert.match(hook, /^cli='\/usr\/local\/lib\/plumbline\/current\/bin\/plumb\.mjs'$/m);
  });

  it('is found by the commands, hears pushes, and is rolled back by who may push', async () => {
    assert.match(await must('plumb doctor || :'), /ok +control plane: version/);
    await must('plumb init fleet\ncd fleet\ngit remote add origin /srv/fleet.git\ngit push -q -u origin main');
    await must('cd fleet\nsed -i s/1.27/1.28/ apps/hello.yaml\ngit commit -q -a -m newer\ngit push -q');
    await must('until plumb history | grep -q "[*].*newer"; do sleep 0.2; done\nplumb rollback -m Back');
    await must(
      'until plumb history | grep -q Back; do sleep 0.2; done\ncd fleet\ngit pull -q\ngrep -q 1.27 apps/hello.yaml',
    );
    assert.deepEqual(await revisions(), ['Back', 'newer', 'Start with one app']);
    await must('plumb secret keygen');
    assert.equal((await must('stat -c "%a %U" /var/lib/plumbline-control/age.key')).trim(), '600 plumbline');
  });

  it('is upgraded and keeps its history; a version that does not start is taken back', async () => {
    const newer = await packageOf('0.1.1', async () => undefined);
    const broken = await packageOf('0.1.2', (dir) =>
      writeFile(
        join(dir, 'bin/plumb.mjs'),
        "if (process.argv.includes('up')) { console.error('out of order'); process.exit(7); }\nawait import('../dist/plumb.mjs');\n",
      ),
    );
    const before = await revisions();
    const first = (await must('plumb --version')).trim();
    await must(`plumb upgrade ${newer}`);
    assert.equal((await must('plumb --version')).trim(), '0.1.1');
    assert.deepEqual(await revisions(), before);
    const refused = await machine.sh(`plumb upgrade ${broken}`);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /version 0\.1\.2 does not answer .*so 0\.1\.1 runs again[^]*out of order/);
    await must('plumb upgrade --back');
    assert.equal((await must('plumb --version')).trim(), first);
    assert.deepEqual(await revisions(), before);
    assert.equal((await machine.sh('plumb upgrade')).code, 2);
    assert.equal((await machine.sh(`plumb upgrade ${folder}`)).code, 2);
  });

  it('refuses a repository that its user cannot see', async () => {
    await must(`${PLUMB} init --bare /srv/closed/fleet.git\nchmod 700 /srv/closed`);
    for (const repo of ['/srv/closed/fleet.git', '/root', '/srv/none', '/srv/root/fleet']) {
      const refused = await machine.sh(`plumb up --install --repo ${repo}`);
      assert.equal(refused.code, 2, repo);
    }
    assert.match(await must('cat /etc/plumbline/service.json'), /"\/srv\/fleet\.git"/);
  });

  it('goes, but for its home folder', async () => {
    await must('plumb up --uninstall');
    for (const path of [
      '/usr/local/lib/plumbline',
      '/usr/local/bin/plumb',
      '/etc/plumbline',
      '/etc/systemd/system/plumbline.service',
    ])
      assert.notEqual((await machine.sh(`test -e ${path}`)).code, 0, path);
    await must('test -e /var/lib/plumbline-control/seal.key');
    assert.equal(existsSync('/var/lib/plumbline-control'), false, 'nothing of it is on the real machine');
  });
});
