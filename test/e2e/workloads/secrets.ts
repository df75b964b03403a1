/** Secrets that are encrypted in Git reach the pod that mounts them, and their plain text is nowhere else. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import type { StatusReport } from '../../../reconciler/api/types.ts';
import { redisText } from '../../support/redis-text.ts';
import { eventually, run } from '../fleet.ts';
import { withRedis } from '../redis.ts';
import type { Theme } from './theme.ts';
import { filesBelow } from '../../support/files-below.ts';

export const secrets: Theme = (fleet, round) => {
  const namespace = `secrets-${round}`;
  const planted = { sops: randomBytes(12).toString('hex'), inline: randomBytes(12).toString('hex') };
  /** Everybody may see it: what finds nothing finds this. */
  const open = `seen-${randomBytes(8).toString('hex')}`;
  const secret = (name: string, value: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: ${namespace} }\nstringData:\n  token: ${value}\n`;
  const app = `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace}, annotations: { open: ${open} } }
---
apiVersion: v1
kind: Pod
metadata: { name: reader, namespace: ${namespace} }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: reader
      image: registry.lab/busybox:1
      command: [sh, -c, "cat /sops/token | sha256sum; cat /inline/token | sha256sum; sleep 3600"]
      volumeMounts: [{ name: sops, mountPath: /sops }, { name: inline, mountPath: /inline }]
      resources: { requests: { cpu: 10m, memory: 8Mi } }
  volumes: [{ name: sops, secret: { secretName: sops } }, { name: inline, secret: { secretName: inline } }]
`;
  const digest = (value: string): string => createHash('sha256').update(value).digest('hex');
  /** As text, and as a Secret's data has it. */
  const forms = (value: string): readonly string[] => [value, Buffer.from(value, 'utf8').toString('base64')];
  const wanted = (): readonly string[] => Object.values(planted).flatMap(forms);

  it('reach their pod, and are in no store, log, plan, mirror, process or file on a disk', async () => {
    const { home, repo, checkout, dir } = fleet();
    const made = await fleet().plumb('secret', 'keygen');
    assert.equal(made.code, 0, made.stderr);
    const recipient = made.stdout.trim();
    for (const [form, value] of Object.entries(planted)) {
      await fleet().write(`${namespace}-${form}.yaml`, secret(form, value));
      const file = join(checkout, `${namespace}-${form}.yaml`);
      const more = form === 'inline' ? ['--inline'] : [];
      const sealed = await fleet().plumb('secret', 'encrypt', '-r', recipient, ...more, file);
      assert.equal(sealed.code, 0, sealed.stderr);
    }
    await fleet().write(`${namespace}.yaml`, app);
    const pushed = await fleet().commitAndPush('Add encrypted Secrets');
    const log = await eventually('the pod has read both', 60, async () => {
      const { stdout } = await fleet().plumb('logs', 'reader', '-n', namespace);
      return stdout.split('\n').length > 2 && stdout;
    });
    for (const value of Object.values(planted)) assert.match(log, new RegExp(digest(value)));

    const said: [string, string][] = [['the push', pushed.stdout + pushed.stderr]];
    for (const argv of [
      ['plan', '--live'],
      ['plan', checkout, '--from', 'HEAD~1', '--to', 'HEAD', '-o', 'json'],
      ['explain', 'secret/sops', '-n', namespace],
      ['get', 'secrets', '-n', namespace, '-o', 'yaml'],
      ['get', 'secrets', '-n', namespace, '-o', 'json'],
      ['get', 'events', '-n', namespace, '-o', 'json'],
      ['history', '-o', 'json'],
      ['status', '-o', 'json'],
    ])
      said.push([argv.join(' '), await output(...argv)]);
    said.push(['Redis', await withRedis(fleet(), async (redis) => JSON.stringify(await redisText(redis)))]);
    said.push(['the repository', await everythingIn(repo)]);
    said.push(...(await filesBelow(dir, join(dir, 'lab'))));
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
      for (const part of ['cmdline', 'environ'])
        said.push([`/proc/${pid}/${part}`, await readFile(`/proc/${pid}/${part}`, 'latin1').catch(() => '')]);
    const found = said.flatMap(([place, text]) => (wanted().some((one) => text.includes(one)) ? [place] : []));
    assert.deepEqual(found, []);
    const seen = new Set(said.flatMap(([place, text]) => (text.includes(open) ? [place] : [])));
    for (const place of ['Redis', 'the repository']) assert.ok(seen.has(place), `${place} was looked at`);
    assert.ok(
      [...seen].some((place) => place.startsWith(checkout)),
      'files were looked at',
    );

    for (const { name } of fleet().lab.nodes) {
      // A class of one letter, so that the pattern does not find itself in a command line.
      const pattern = [...wanted(), open].map((one) => `${one.slice(0, -2)}[${one.at(-2)}]${one.at(-1)}`).join('|');
      const places = ['/var/lib/plumbline', '/var/lib/containerd', '/var/log', '/etc', '/root'];
      const command = `find "$@" -xdev -type f -size -16M -exec grep -lE '${pattern}' {} +`;
      const { stdout } = await fleet().on(name, ['sh', '-c', command, 'sh', ...places]);
      assert.deepEqual(stdout.trim(), '', `on the disk of ${name}`);
    }
    const { pid } = ((await fleet().get('/plumbline/v1/status')) as StatusReport).controlPlane;
    assert.match(await readFile(`/proc/${pid}/limits`, 'utf8'), /Max core file size +0 +0 /);
    const shown = await output('get', 'secret', 'sops', '-n', namespace, '-o', 'json', '--reveal');
    assert.ok(shown.includes(forms(planted.sops)[1] ?? ''), 'the value is there for who asks for it');
    assert.ok((await readdir(home)).includes('age.key'));
    await fleet().removeFiles(`${namespace}.yaml`, ...Object.keys(planted).map((form) => `${namespace}-${form}.yaml`));
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });

  async function output(...argv: readonly string[]): Promise<string> {
    const { stdout, stderr } = await fleet().plumb(...argv);
    return stdout + stderr;
  }

  /** All objects of a Git repository, as they are before they are compressed. */
  async function everythingIn(repo: string): Promise<string> {
    const all = ['cat-file', '--batch', '--batch-all-objects'];
    return (await run(['git', '--git-dir', repo, ...all])).stdout;
  }
};
