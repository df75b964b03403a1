/** Images that a node reports, from a real container runtime. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { NodeImage, PodReport } from '../../../contracts/agent/index.ts';
import { configMap, deleted, isReady, main, secret, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { offer, SERVE } from './registry.ts';

const REGISTRY = '127.0.0.1:5000';

describe('images on a node', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(async () => {
    await host.close();
  });

  const named = (images: readonly NodeImage[], name: string): NodeImage | undefined =>
    images.find(({ names }) => names.includes(name));

  it('are told at the start: tags, and sizes, the largest first', async () => {
    const images = await agent.untilImages((list) => named(list, BUSYBOX) !== undefined);
    const busybox = named(images, BUSYBOX);
    assert.ok(busybox && busybox.sizeBytes > 100_000, JSON.stringify(busybox));
    assert.deepEqual(
      images,
      [...images].sort((a, b) => b.sizeBytes - a.sizeBytes),
    );
    assert.ok(
      images.some(({ names }) => names.some((name) => name.includes('pause'))),
      JSON.stringify(images),
    );
  });

  it('are told after a pull, with the digest, and once', async () => {
    const folder = join(host.folder, 'registry');
    await mkdir(folder);
    const digest = await offer(folder, 'v1', 3_000_000);
    const server = host.spawn([process.execPath, '-e', SERVE, folder]);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    const before = agent.imageLines();
    await agent.assign({
      upsert: [
        testPod('pulling', {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: `${REGISTRY}/app:v1`, command: ['/data'] }],
        }),
      ],
    });
    const images = await agent.untilImages((list) => named(list, `${REGISTRY}/app:v1`) !== undefined);
    const app = named(images, `${REGISTRY}/app:v1`);
    assert.deepEqual(app?.names, [`${REGISTRY}/app@${digest}`, `${REGISTRY}/app:v1`]);
    assert.ok(app.sizeBytes >= 3_000_000, String(app.sizeBytes));
    assert.equal(agent.imageLines(), before + 1);
    server.kill();
  });

  it('that take long are told of as they come', async () => {
    const folder = join(host.folder, 'slow');
    await mkdir(folder);
    await offer(folder, 'v1', 26_000_000);
    const server = host.spawn([process.execPath, '-e', SERVE, folder, '', '5002', '2000000']);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    await agent.assign({
      upsert: [
        testPod('slow', {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: '127.0.0.1:5002/app:v1', command: ['/data'] }],
        }),
      ],
    });
    await agent.untilImages((list) => named(list, '127.0.0.1:5002/app:v1') !== undefined);
    const told = agent.events.map(({ message }) => message).filter((words) => words.includes('received'));
    const [, mib, seconds] =
      /^Pulling image "127.0.0.1:5002\/app:v1": ([\d.]+) MiB received in (\d+)s$/.exec(told[0] ?? '') ?? [];
    assert.ok(Number(seconds) >= 10 && Number(mib) >= 10 && Number(mib) < 25, told.join('\n'));
    assert.ok(told.length <= 2, told.join('\n'));
    server.kill();
  });

  it('come from a registry that asks for a name and a password, which a pull secret has, and nobody hears them', async () => {
    const folder = join(host.folder, 'private');
    await mkdir(folder);
    await offer(folder, 'v1', 1000);
    const login = Buffer.from('ann:open-sesame').toString('base64');
    const server = host.spawn([process.execPath, '-e', SERVE, folder, login, '5001']);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    const pod = (name: string, secrets: readonly string[]) =>
      testPod(name, {
        terminationGracePeriodSeconds: 0,
        restartPolicy: 'Never',
        imagePullSecrets: secrets.map((secret) => ({ name: secret })),
        containers: [{ name: 'main', image: '127.0.0.1:5001/app:v1', imagePullPolicy: 'Always', command: ['/data'] }],
      });
    const withSecret = pod('let-in', ['stale', 'registry']);
    const auths = (password: string) => JSON.stringify({ auths: { '127.0.0.1:5001': { username: 'ann', password } } });
    const pullSecret = (name: string, password: string, version: string) => ({
      ...secret(name, { '.dockerconfigjson': auths(password) }, version),
      type: 'kubernetes.io/dockerconfigjson',
    });
    await agent.assign({ upsert: [withSecret, pod('kept-out', []), pullSecret('stale', 'wrong', '1')] });
    const reason = (report: PodReport) => main(report)?.state.waiting?.reason;
    for (const name of ['let-in', 'kept-out'])
      await agent.until(name, (report) => /^(ErrImagePull|ImagePullBackOff)$/.test(reason(report) ?? ''));
    await agent.assign({ upsert: [pullSecret('registry', 'open-sesame', '2')] });
    // There is nothing in it to run, but it is there.
    const report = await agent.until('let-in', (one) => one.status?.phase === 'Failed');
    assert.match(reason(agent.pods.get('kept-out') ?? assert.fail()) ?? '', /^(ErrImagePull|ImagePullBackOff)$/);
    const told = JSON.stringify([report, ...agent.pods.values(), ...agent.events, agent.log()]);
    for (const word of ['open-sesame', login]) assert.ok(!told.includes(word), `${word} was told`);
    server.kill();
  });

  it('lose the sandbox image to somebody else, and get it back: a pod that waits for it starts', async () => {
    const pause = (
      await agent.untilImages((list) => list.some(({ names }) => names.some((name) => name.includes('pause'))))
    )
      .flatMap(({ names }) => names)
      .filter((name) => name.includes('pause'));
    await host.run([
      'ctr',
      '--address',
      host.containerdSocket,
      '--namespace',
      'k8s.io',
      'images',
      'rm',
      '--sync',
      ...pause,
    ]);
    await agent.assign({ upsert: [shellPod('later', 'sleep 1000')] });
    await agent.until('later', isReady);
  });

  it('show a part of a volume where the container asked for it', async () => {
    const script = 'echo inside > /part/file; echo "$(cat /whole/a/b/file) $(cat /key)"; sleep 1000';
    const mounts = [
      { name: 'v', mountPath: '/whole' },
      { name: 'v', mountPath: '/part', subPath: 'a/b' },
      { name: 'c', mountPath: '/key', subPath: 'key' },
    ];
    const pod = shellPod('parts', script, {
      container: { volumeMounts: mounts },
      spec: {
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'c', configMap: { name: 'c' } },
        ],
      },
    });
    await agent.assign({ upsert: [configMap('c', { key: 'value' }), pod] });
    await agent.until('parts', isReady);
    assert.equal((await agent.exec('parts', ['cat', '/whole/a/b/file', '/key'])).stdout, 'inside\nvalue');
    await agent.assign({ upsert: [deleted(pod, 0)] });
    await agent.until('parts', (told) => told.gone);
    assert.ok(!(await host.run(['cat', '/proc/self/mountinfo'])).includes(pod.metadata.uid ?? ''));
  });
});
