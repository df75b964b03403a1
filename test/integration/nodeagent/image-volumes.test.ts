/** Images, and huge pages, as volumes of containers on a real runtime. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Pod } from '../../../contracts/objects/index.ts';
import { deleted, isReady, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { NODE, printed, printer, printing } from './printing.ts';

const PAGES = 'hugepages-2Mi';
const image = (reference: string, pullPolicy = 'Never') => ({ name: 'v', image: { reference, pullPolicy } });
const mounted = (more: Record<string, unknown> = {}) => ({ volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] });

describe('volumes of images and of huge pages', () => {
  let host: TestHost;
  let agent: TestAgent;
  let files: Pod;
  const snapshots = async (): Promise<readonly string[]> => {
    const argv = ['ctr', '--address', host.containerdSocket, '--namespace', 'k8s.io', 'snapshots', 'ls'];
    return (await host.run(argv)).split('\n').filter((line) => line.includes('plumbline-image-volume'));
  };

  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
    const allocatable = { ...NODE.status?.allocatable, [PAGES]: '64Mi' };
    await agent.assign({ upsert: [{ ...NODE, status: { ...NODE.status, allocatable } }] });
  });
  after(() => host.close());

  it('an image: its files are there, and nobody writes or runs them', async () => {
    const read = 'test -x /v/bin/busybox && cmp /v/bin/busybox /bin/busybox && echo same';
    const refused = (what: string): string => `(${what}) 2>&1 | busybox sed 's/.*: //'`;
    const looks = {
      whole: [`${read}; ${refused('echo x > /v/x')}; ${refused('/v/bin/busybox true')}`, mounted()],
      again: [refused('/v/bin/busybox true'), mounted({ readOnly: true })],
      part: [`${refused('/v/busybox true')}; busybox test -e /v/busybox && echo there`, mounted({ subPath: 'bin' })],
    } as const;
    const containers = Object.entries(looks).map(([name, [script, more]]) => printing(name, script, more));
    files = printer('files', containers, { volumes: [image(BUSYBOX)] });
    await agent.assign({ upsert: [files] });
    assert.equal(await printed(agent, 'files', 'whole'), 'same\nRead-only file system\nPermission denied\n');
    assert.equal(await printed(agent, 'files', 'again'), 'Permission denied\n');
    assert.equal(await printed(agent, 'files', 'part'), 'Permission denied\nthere\n');
    assert.equal((await snapshots()).length, 1);
  });

  it('an image: another agent finds the volume, and nothing is left of it with its pod', async () => {
    await agent.kill();
    agent = await startAgent(host);
    const second = shellPod('second', 'exec sleep 1000', { spec: { volumes: [image(BUSYBOX)] } });
    await agent.assign({ upsert: [second] });
    await agent.until('second', isReady);
    assert.equal((await snapshots()).length, 2);
    await agent.assign({ upsert: [deleted(files, 0), deleted(second, 0)] });
    for (const name of ['files', 'second']) await agent.until(name, (report) => report.gone, 60_000);
    assert.deepEqual(await snapshots(), []);
    assert.ok(!(await host.run(['cat', '/proc/self/mountinfo'])).includes('/volumes/v '));
  });

  it('an image that is not there: its pod waits with the reason', async () => {
    await agent.assign({
      upsert: [shellPod('waits', 'exec sleep 1000', { spec: { volumes: [image('registry.test/none:1')] } })],
    });
    const report = await agent.until('waits', (one) => main(one)?.state.waiting?.reason === 'ErrImageNeverPull');
    assert.equal(
      main(report)?.state.waiting?.message,
      'volume "v": Container image "registry.test/none:1" is not present with pull policy of Never',
    );
  });

  it('huge pages: a file system of them, of the size that is asked for', async () => {
    const resources = { limits: { [PAGES]: '2Mi', memory: '16Mi', cpu: '100m' } };
    const look = printing('look', `mount | busybox grep ' /v type hugetlbfs'; stat -c %a /v`, {
      ...mounted(),
      resources,
    });
    const pages = { name: 'v', emptyDir: { medium: 'HugePages-2Mi' } };
    await agent.assign({ upsert: [printer('pages', [look], { volumes: [pages] })] });
    assert.match(await printed(agent, 'pages', 'look'), /type hugetlbfs \(.*pagesize=2M.*\)\n777\n$/);
    const other = { ...look, resources: {} };
    await agent.assign({ upsert: [printer('none', [other], { volumes: [pages] })] });
    const report = await agent.until(
      'none',
      (one) => one.status?.containerStatuses?.[0]?.state.waiting?.message !== undefined,
    );
    assert.match(
      report.status?.containerStatuses?.[0]?.state.waiting?.message ?? '',
      /medium HugePages-2Mi: hugePages storage requested, but there is no resource request for huge pages/,
    );
  });
});
