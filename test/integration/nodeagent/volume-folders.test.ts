/** Volumes that containers write, and what is the machine's own, as containers on a real runtime see them. */
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { deleted, isReady, main, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { NODE, printed, printer, printing, untilSays } from './printing.ts';
import { polled } from '../../support/patience.ts';

const MEDIA = [
  ['default', {}],
  ['memory', { medium: 'Memory' }],
] as const;
const MODES = ['0644', '0666', '0777'];
const NON_ROOT = { runAsUser: 1001 };

/** As the conformance suite names them: of the disk, those of root are the second ones; of memory, the first ones. */
function idOf(medium: string, mode: string, root: boolean): string {
  const id = `emptydir-medium-${medium}-volume-mode-${mode}`;
  if (medium === 'default') return root ? `${id}-2` : id;
  return root ? id : `${id}-non-root`;
}

describe('volumes of folders', () => {
  let host: TestHost;
  let agent: TestAgent;
  const folders = MEDIA.map(([medium, emptyDir]) => {
    const mounts = (name: string) => ({ volumeMounts: [{ name, mountPath: '/v' }] });
    const writers = [true, false].flatMap((root) =>
      MODES.map((mode) => {
        const name = `${root ? 'root' : 'other'}-${mode}`;
        const script = `echo mine > /v/f && busybox chmod ${mode} /v/f && stat -c '%a %u' /v/f && cat /v/f`;
        return printing(name, script, { ...mounts(name), ...(!root && { securityContext: NON_ROOT }) });
      }),
    );
    const look = `stat -c %a /v; mount | busybox grep -c ' /v type tmpfs' || true`;
    const all = [...writers, printing('mode', look, mounts('mode'))];
    return printer(`folder-${medium}`, all, { volumes: all.map(({ name }) => ({ name, emptyDir })) });
  });
  const shared = printer(
    'shared',
    [
      printing('writer', 'echo said > /v/draft && busybox mv /v/draft /v/said', {
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
      }),
      printing('reader', 'until test -e /w/said; do sleep 0.05; done; cat /w/said', {
        volumeMounts: [{ name: 'v', mountPath: '/w' }],
      }),
    ],
    { volumes: [{ name: 'v', emptyDir: {} }] },
  );
  /** Types of what is at a path of the machine, and what is said of another. */
  const TYPES = {
    Socket: 'is not a socket file',
    CharDevice: 'is not a character device',
    BlockDevice: 'is not a block device',
    File: 'is not a file',
    Directory: 'is not a directory',
  };
  const withPath = (name: string, path: string, type: string) =>
    testPod(name, {
      terminationGracePeriodSeconds: 0,
      containers: [printing('main', 'exec sleep 1000', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
      volumes: [{ name: 'v', hostPath: { path, type } }],
    });

  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
    await agent.assign({ upsert: [NODE, ...folders, shared] });
  });
  after(() => host.close());

  for (const [medium] of MEDIA) {
    for (const root of [true, false])
      for (const mode of MODES)
        it(`emptyDir, ${medium}: ${root ? 'root' : 'another'} writes with ${mode} [conformance: ${idOf(medium, mode, root)}]`, async () => {
          const text = await printed(agent, `folder-${medium}`, `${root ? 'root' : 'other'}-${mode}`);
          assert.equal(text, `${mode.slice(1)} ${root ? 0 : 1001}\nmine\n`);
        });
    it(`emptyDir, ${medium}: its own mode [conformance: emptydir-medium-${medium}-volume-mode-default]`, async () => {
      assert.equal(await printed(agent, `folder-${medium}`, 'mode'), `777\n${medium === 'memory' ? 1 : 0}\n`);
    });
  }
  it('emptyDir: containers share it [conformance: emptydir-shared-volumes-between-containers]', async () => {
    assert.equal(await printed(agent, 'shared', 'reader'), 'said\n');
  });

  it('emptyDir: a pod that writes more than its limit is evicted, and its neighbour is not', async () => {
    const writes = (name: string, sizeLimit: string) =>
      shellPod(name, 'dd if=/dev/zero of=/v/big bs=1024 count=2048 2>/dev/null; exec sleep 1000', {
        spec: { volumes: [{ name: 'v', emptyDir: { sizeLimit } }] },
        container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      });
    await agent.assign({ upsert: [writes('modest', '3Mi'), writes('greedy', '1Mi')] });
    const { status } = await agent.until('greedy', (report) => report.status?.phase === 'Failed');
    assert.equal(status?.reason, 'Evicted');
    assert.equal(status?.message, 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ');
    assert.ok(isReady(agent.pods.get('modest') ?? assert.fail('no report')));
  });

  it('a pod that writes more than its limit to its own files is evicted, and its neighbour is not', async () => {
    const writes = (name: string, limit: string) =>
      shellPod(name, 'dd if=/dev/zero of=/big bs=1024 count=2048 2>/dev/null; exec sleep 1000', {
        container: { resources: { limits: { 'ephemeral-storage': limit } } },
      });
    await agent.assign({ upsert: [writes('modest-layer', '3Mi'), writes('greedy-layer', '1Mi')] });
    const { status } = await agent.until('greedy-layer', (report) => report.status?.phase === 'Failed', 60_000);
    assert.equal(status?.reason, 'Evicted');
    assert.equal(status?.message, 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ');
    assert.ok(isReady(agent.pods.get('modest-layer') ?? assert.fail('no report')));
  });

  it('hostPath: each type is what is there, and nothing else', async () => {
    const there = {
      Socket: host.containerdSocket,
      CharDevice: '/dev/null',
      BlockDevice: `${host.folder}/block`,
      File: `${host.folder}/file`,
      Directory: host.folder,
    };
    await host.run(['mknod', there.BlockDevice, 'b', '7', '250']);
    await host.run(['touch', there.File]);
    const cases = Object.entries(there).flatMap(([own, path]) =>
      Object.entries(TYPES).map(([type, why]) => ({
        name: `path-${own}-${type}`.toLowerCase(),
        path,
        type,
        why: own === type ? undefined : `hostPath type check failed: ${path} ${why}`,
      })),
    );
    await agent.assign({ upsert: cases.map(({ name, path, type }) => withPath(name, path, type)) });
    for (const { name, why } of cases)
      if (why === undefined) await agent.until(name, isReady);
      else {
        const report = await agent.until(name, (one) => main(one)?.state.waiting?.message !== undefined);
        assert.equal(main(report)?.state.waiting?.message, `MountVolume.SetUp failed for volume "v" : ${why}`);
      }
  });

  it('mounts made later reach the container, and those of a privileged one the machine, where that is said', async () => {
    const folder = `${host.folder}/shared`;
    const prepare = 'mkdir $0; mount -t tmpfs tmpfs $0; mount --make-rshared $0; mkdir $0/in $0/out';
    await host.run(['sh', '-ec', prepare, folder]);
    const mount = (mountPropagation?: string) => ({
      volumeMounts: [{ name: 'v', mountPath: '/v', ...(mountPropagation !== undefined && { mountPropagation }) }],
    });
    const pod = testPod('propagating', {
      terminationGracePeriodSeconds: 0,
      containers: [
        printing('apart', 'exec sleep 1000', mount()),
        printing('hearing', 'exec sleep 1000', mount('HostToContainer')),
        printing('both', 'mount -t tmpfs tmpfs /v/out && echo made > /v/out/file && exec sleep 1000', {
          ...mount('Bidirectional'),
          securityContext: { privileged: true },
        }),
      ],
      volumes: [{ name: 'v', hostPath: { path: folder, type: 'Directory' } }],
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('propagating', isReady);
    await host.run(['sh', '-ec', 'mount -t tmpfs tmpfs $0/in; echo late > $0/in/file', folder]);
    const seenBy = async (container: string): Promise<string> => {
      const id = agent.pods
        .get('propagating')
        ?.status?.containerStatuses?.find(({ name }) => name === container)
        ?.containerID?.replace('containerd://', '');
      const pid = (
        await host.run(['sh', '-c', `cat /run/containerd/io.containerd.runtime.v2.task/k8s.io/${id ?? ''}/init.pid`])
      ).trim();
      return await host.run(['sh', '-c', `cd /proc/${pid}/root/v; cat in/file out/file 2>/dev/null || true`]);
    };
    // It mounts as soon as it runs.
    await polled('its own mount is there', async () => (await seenBy('both')) === 'late\nmade\n', {
      timeoutMs: 20_000,
    });
    assert.equal(await seenBy('apart'), '');
    assert.equal(await seenBy('hearing'), 'late\nmade\n');
    assert.equal(await host.run(['cat', `${folder}/out/file`]), 'made\n');
  });

  it('nfs: mounted on the machine for its pod, and gone with it, also after an agent that was killed', async () => {
    // Stands in for the kernel's helper, and the server: what it exports is a folder of the machine.
    const bin = `${host.folder}/bin`;
    await host.run(['mkdir', '-p', bin, `${host.folder}/export/data`]);
    await writeFile(`${bin}/mount.nfs`, `#!/bin/sh\nexec mount --bind ${host.folder}/export "$2"\n`, { mode: 0o755 });
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${bin}:${path}`;
    try {
      await agent.stop();
      agent = await startAgent(host);
      const pod = shellPod('files', 'echo mine > /all/data/file; cat /part/file; exec sleep 1000', {
        spec: { volumes: [{ name: 'v', nfs: { server: 'files', path: '/export' } }], terminationGracePeriodSeconds: 0 },
        container: {
          volumeMounts: [
            { name: 'v', mountPath: '/all' },
            { name: 'v', mountPath: '/part', subPath: 'data' },
          ],
        },
      });
      const mounts = (): Promise<string> =>
        host.run(['sh', '-c', `grep -c ${pod.metadata.uid ?? ''} /proc/self/mountinfo || true`]);
      await agent.assign({ upsert: [pod] });
      await agent.until('files', isReady);
      await untilSays(agent, 'files', 'cat /part/file', 'mine\n');
      assert.equal(await mounts(), '2\n');
      await agent.kill();
      agent = await startAgent(host);
      await agent.assign({ upsert: [deleted(pod, 0)] });
      await agent.until('files', (report) => report.gone);
      assert.equal(await mounts(), '0\n');
      assert.equal(await host.run(['cat', `${host.folder}/export/data/file`]), 'mine\n');
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('what is mounted below is read-only too only where the runtime can do it', async () => {
    const spec = (recursiveReadOnly: string) => ({
      spec: { volumes: [{ name: 'v', emptyDir: {} }] },
      container: { volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly }] },
    });
    await agent.assign({
      upsert: [
        shellPod('strict', 'exec sleep 1000', spec('Enabled')),
        shellPod('lenient', 'exec sleep 1000', spec('IfPossible')),
      ],
    });
    await agent.until('lenient', isReady);
    await untilSays(agent, 'lenient', 'touch /v/x 2>/dev/null || echo read-only', 'read-only\n');
    // containerd before 2.0 says nothing of it.
    const report = await agent.until('strict', (one) => main(one)?.state.waiting?.message !== undefined);
    assert.equal(
      main(report)?.state.waiting?.message,
      'volume "v" requested recursive read-only mode, but it is not supported by the runtime',
    );
  });
});
