/** What a pod's spec says of its containers, and what the containers find. */
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasAppArmor } from '../../../nodeagent/adapters/system/app-armor.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import { deleted, isReady, key, main, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { printed, printer, printing } from './printing.ts';

/** Whether the machine's containerd can leave out the groups of an image: since 2.0. */
async function keepsStrictGroups(): Promise<boolean> {
  const { stdout } = await promisify(execFile)('containerd', ['--version']);
  return Number(/ v?(\d+)\./.exec(stdout)?.[1]) >= 2;
}

describe("a pod's spec", { timeout: 600_000 }, () => {
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

  const remove = async (...pods: Pod[]): Promise<void> => {
    await agent.assign({ upsert: pods.map((pod) => deleted(pod, 0)) });
    await Promise.all(pods.map((pod) => agent.until(pod.metadata.name, (report) => report.gone)));
    await agent.assign({ remove: pods.map(key) });
  };

  /** A folder of the host that containers write what they did to, in turn. */
  async function diary(name: string) {
    const path = join(host.folder, name);
    await mkdir(path);
    return {
      volume: { name: 'diary', hostPath: { path } },
      container: (of: string, line: string, more: Record<string, unknown> = {}) => ({
        name: of,
        image: BUSYBOX,
        command: ['/bin/sh', '-c', line],
        volumeMounts: [{ name: 'diary', mountPath: '/diary' }],
        ...more,
      }),
      lines: async () => (await readFile(join(path, 'lines'), 'utf8')).trim().split('\n'),
    };
  }
  const write = (what: string): string => `echo ${what} >> /diary/lines`;
  const untilTerm = (what: string, seconds = 0): string =>
    `trap "sleep ${seconds}; ${write(what)}; exit 0" TERM; touch /tmp/traps; while true; do sleep 0.05; done`;
  /** Else it might be told to end before its shell has come to the trap. */
  const WHEN_IT_TRAPS = {
    readinessProbe: { exec: { command: ['test', '-f', '/tmp/traps'] }, periodSeconds: 1, timeoutSeconds: 20 },
  };

  it('starts sidecars in order, each when it has started, and ends them behind the containers, the last one first', async () => {
    const { volume, container, lines } = await diary('sidecars');
    const pod = testPod('sidecars', {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 20,
      volumes: [volume],
      initContainers: [
        container(
          'proxy',
          `${write('proxy')}; sleep 0.5; ${write('proxy-up')}; touch /up; ${untilTerm('proxy-ended', 0.3)}`,
          {
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['test', '-f', '/up'] }, periodSeconds: 1, failureThreshold: 30 },
          },
        ),
        container('setup', write('setup')),
        container('logger', `${write('logger')}; ${untilTerm('logger-ended', 0.3)}`, {
          restartPolicy: 'Always',
          lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', write('logger-hook')] } } },
        }),
      ],
      containers: [container('main', `sleep 2; ${write('main')}; exit 3`)],
    });
    await agent.assign({ upsert: [pod] });
    const over = await agent.until('sidecars', (report) => report.status?.phase === 'Failed');
    const order = await lines();
    assert.deepEqual(
      order.filter((line) => line !== 'logger'),
      ['proxy', 'proxy-up', 'setup', 'main', 'logger-hook', 'logger-ended', 'proxy-ended'],
    );
    assert.ok(order.indexOf('setup') < order.indexOf('logger') && order.indexOf('logger') < order.indexOf('main'));
    assert.deepEqual(
      over.status?.initContainerStatuses?.map(({ name, state }) => [name, state.terminated?.exitCode]),
      [
        ['proxy', 0],
        ['setup', 0],
        ['logger', 0],
      ],
    );
    await remove(pod);
  });

  it('starts a sidecar again that ended, and ends the pod as it was told to, sidecars behind the rest', async () => {
    const { volume, container, lines } = await diary('deletion');
    const pod = testPod('deletion', {
      terminationGracePeriodSeconds: 20,
      volumes: [volume],
      initContainers: [
        container('proxy', `[ -f /diary/once ] || { touch /diary/once; exit 1; }; ${untilTerm('proxy')}`, {
          restartPolicy: 'Always',
          ...WHEN_IT_TRAPS,
        }),
      ],
      containers: [
        container('slow', untilTerm('slow', 1), WHEN_IT_TRAPS),
        container('quick', untilTerm('quick'), WHEN_IT_TRAPS),
      ],
    });
    await agent.assign({ upsert: [pod] });
    const ready = await agent.until('deletion', isReady);
    assert.equal(ready.status?.initContainerStatuses?.[0]?.restartCount, 1);
    assert.equal(ready.status?.initContainerStatuses?.[0]?.ready, true);
    await agent.assign({ upsert: [deleted(pod)] });
    await agent.until('deletion', (report) => report.gone);
    assert.deepEqual(await lines(), ['quick', 'slow', 'proxy']);
    await agent.assign({ remove: [key(pod)] });
  });

  const said = async (pod: string, line: string): Promise<string> => {
    const { stdout, stderr } = await agent.exec(pod, ['/bin/sh', '-c', line]);
    return (stdout + stderr).trim();
  };
  const sleeper = (name: string, more: Record<string, unknown> = {}) => ({
    name,
    image: BUSYBOX,
    command: ['/bin/sh', '-c', 'exec sleep 1000'],
    ...more,
  });
  /** Starts the pods and resolves when all are ready. */
  const started = async (...pods: Pod[]): Promise<void> => {
    await agent.assign({ upsert: pods });
    await Promise.all(pods.map((pod) => agent.until(pod.metadata.name, isReady)));
  };

  it('names the pod, and tells it names and resolvers [conformance: kubelet-hostaliases]', async () => {
    const pod = testPod('names', {
      terminationGracePeriodSeconds: 0,
      hostname: 'db',
      subdomain: 'dbs',
      setHostnameAsFQDN: true,
      hostAliases: [{ ip: '198.18.70.1', hostnames: ['foo.remote', 'bar'] }],
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['198.18.70.53'], searches: ['a.example'], options: [{ name: 'ndots', value: '2' }] },
      containers: [sleeper('main')],
    });
    await started(pod);
    assert.equal(await said('names', 'hostname; echo $HOSTNAME'), 'db.dbs.default.svc.cluster.local\ndb');
    const hosts = await said('names', 'cat /etc/hosts');
    const address = agent.pods.get('names')?.status?.podIP ?? '';
    assert.ok(hosts.includes(`${address}\tdb.dbs.default.svc.cluster.local\tdb\n`), hosts);
    assert.ok(hosts.endsWith('# Entries added by HostAliases.\n198.18.70.1\tfoo.remote\tbar'), hosts);
    assert.equal(
      await said('names', 'cat /etc/resolv.conf'),
      'search a.example\nnameserver 198.18.70.53\noptions ndots:2',
    );
    await remove(pod);
  });

  it("manages the hosts file, but none of the host's network or of the pod's own, and follows nothing in it [conformance: kubelet-managed-etc-hosts]", async () => {
    const own = join(host.folder, 'own-hosts');
    await writeFile(own, '127.0.0.1 own\n');
    const managed = testPod('managed', {
      terminationGracePeriodSeconds: 0,
      containers: [
        sleeper('main'),
        sleeper('ends', {
          command: [
            '/bin/sh',
            '-c',
            'until [ -f /etc/hosts.go ] || grep -q go /etc/hosts; do sleep 0.05; done; exit 0',
          ],
        }),
      ],
    });
    const mounted = testPod('mounted', {
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'hosts', hostPath: { path: own, type: 'File' } }],
      containers: [sleeper('main', { volumeMounts: [{ name: 'hosts', mountPath: '/etc/hosts' }] })],
    });
    const ofHost = testPod('of-host', {
      terminationGracePeriodSeconds: 0,
      hostNetwork: true,
      containers: [sleeper('main')],
    });
    await started(managed, mounted, ofHost);
    const head = '# Kubernetes-managed hosts file.';
    assert.ok((await said('managed', 'cat /etc/hosts')).startsWith(head));
    assert.equal(await said('mounted', 'cat /etc/hosts'), '127.0.0.1 own');
    assert.ok(!(await said('of-host', 'cat /etc/hosts')).includes(head));
    // What one container wrote is not what the next one is told.
    await said('managed', 'echo 198.18.70.66 go >> /etc/hosts');
    await agent.until('managed', (report) => {
      const ends = report.status?.containerStatuses?.[1];
      return ends?.restartCount === 1 && ends.state.running !== undefined;
    });
    assert.ok((await said('managed', 'cat /etc/hosts')).endsWith('go'));
    const file = join(host.folder, 'root/var/lib/plumbline/pods', managed.metadata.uid ?? '', 'etc-hosts');
    assert.doesNotMatch(await readFile(file, 'utf8'), /go/);
    await remove(managed, mounted, ofHost);
  });

  it('shows containers the processes and shared memory of their pod, or of the host, as they ask', async () => {
    const two = [sleeper('main'), sleeper('other')];
    const pods = [
      testPod('alone', { terminationGracePeriodSeconds: 0, containers: two }),
      testPod('shared', { terminationGracePeriodSeconds: 0, shareProcessNamespace: true, containers: two }),
      testPod('with-host', { terminationGracePeriodSeconds: 0, hostPID: true, hostIPC: true, containers: two }),
    ];
    await started(...pods);
    const processes = 'cat /proc/[0-9]*/cmdline | tr "\\0" " "';
    const ipc = await host.run(['readlink', '/proc/self/ns/ipc']);
    const seen = async (pod: string) => {
      const all = await said(pod, processes);
      return [
        all.split('sleep 1000').length - 1,
        all.includes('containerd'),
        (await said(pod, 'readlink /proc/self/ns/ipc')) === ipc.trim(),
      ];
    };
    assert.deepEqual(await seen('alone'), [1, false, false]);
    assert.deepEqual(await seen('shared'), [2, false, false]);
    const [sleeping, daemon, sameIpc] = await seen('with-host');
    assert.ok(Number(sleeping) >= 6);
    assert.deepEqual([daemon, sameIpc], [true, true]);
    await remove(...pods);
  });

  it('sets sysctls of the pod alone [conformance: sysctl-test-sysctls]', async () => {
    const read = (name: string) => `cat /proc/sys/${name.replaceAll('.', '/')}`;
    const pod = testPod('sysctls', {
      terminationGracePeriodSeconds: 0,
      securityContext: {
        sysctls: [
          { name: 'kernel.shm_rmid_forced', value: '1' },
          { name: 'net/ipv4/ip_local_port_range', value: '32000 33000' },
        ],
      },
      containers: [sleeper('main')],
    });
    await started(pod);
    assert.equal(
      await said('sysctls', `${read('kernel.shm_rmid_forced')}; ${read('net.ipv4.ip_local_port_range')}`),
      '1\n32000\t33000',
    );
    assert.notEqual((await host.run(['cat', '/proc/sys/net/ipv4/ip_local_port_range'])).trim(), '32000\t33000');
    await remove(pod);
  });

  it('takes in no pod with a sysctl of the host, and none gets so far whose is no name [conformance: sysctls-reject-invalid-sysctls]', async () => {
    const withSysctls = (...names: string[]) => ({
      securityContext: { sysctls: names.map((name) => ({ name, value: '100000000' })) },
      containers: [sleeper('main')],
    });
    const pod = testPod('unsafe', withSysctls('net.ipv4.tcp_syncookies', 'kernel.msgmax'));
    await agent.assign({ upsert: [pod] });
    const report = await agent.until('unsafe', (one) => one.status?.phase === 'Failed');
    assert.deepEqual(
      [report.status?.reason, report.status?.message],
      ['SysctlForbidden', 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'],
    );
    for (const name of ['foo-', 'bar..', 'kernel.-x'])
      assert.throws(() => testPod('invalid', withSysctls(name)), /must consist of lower case letters/);
    await remove(pod);
  });

  it('gives a process the capabilities and groups that it asks for, and lets none be root where it must not', async () => {
    const capabilities = (of: object): Record<string, unknown> => ({ securityContext: { capabilities: of } });
    const effective =
      "grep CapEff /proc/self/status | cut -f2; id -G; ip link add dummy9 type dummy 2>&1 | grep -c 'not permitted'; true";
    const pod = printer(
      'able',
      [
        printing('plain', effective),
        printing('none', effective, capabilities({ drop: ['ALL'] })),
        printing('one', effective, capabilities({ drop: ['ALL'], add: ['NET_ADMIN'] })),
        printing('more', effective, capabilities({ add: ['NET_ADMIN'] })),
      ],
      { securityContext: { supplementalGroups: [2001, 2002], fsGroup: 3001 } },
    );
    await agent.assign({ upsert: [pod] });
    const said = async (container: string): Promise<readonly string[]> =>
      (await printed(agent, 'able', container)).trim().split('\n');
    const NET_ADMIN = 1n << 12n;
    const bits = async (container: string): Promise<bigint> => BigInt(`0x${(await said(container))[0]}`);
    const plain = await bits('plain');
    assert.equal(plain & NET_ADMIN, 0n);
    assert.deepEqual([await bits('none'), await bits('one'), await bits('more')], [0n, NET_ADMIN, plain | NET_ADMIN]);
    const groups = (await said('plain'))[1]?.split(' ') ?? [];
    for (const group of ['2001', '2002', '3001']) assert.ok(groups.includes(group), groups.join());
    await remove(pod);

    const rootless = shellPod('rootless', 'sleep 1000', { spec: { securityContext: { runAsNonRoot: true } } });
    await agent.assign({ upsert: [rootless] });
    const waits = await agent.until(
      'rootless',
      (one) => main(one)?.state.waiting?.reason === 'CreateContainerConfigError',
    );
    assert.match(main(waits)?.state.waiting?.message ?? '', /runAsNonRoot and image will run as root/);
    await remove(rootless);
  });

  it('ends a container whose postStart hook fails, says so, and starts it again', async () => {
    const { volume, container, lines } = await diary('hooked');
    const hook = { postStart: { exec: { command: ['/bin/sh', '-c', `${write('hook')}; echo why; exit 3`] } } };
    const pod = testPod('hooked', {
      terminationGracePeriodSeconds: 1,
      containers: [container('main', `${write('main')}; exec sleep 1000`, { lifecycle: hook })],
      volumes: [volume],
    });
    await agent.assign({ upsert: [pod] });
    const again = await agent.until('hooked', (one) => (main(one)?.restartCount ?? 0) >= 1);
    assert.equal(again.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
    const told = agent.events.find((one) => one.name === 'hooked' && one.reason === 'FailedPostStartHook');
    assert.equal(told?.message, 'why');
    const count = async (word: string): Promise<number> => (await lines()).filter((line) => line === word).length;
    assert.ok((await count('hook')) >= 1 && (await count('main')) >= 2);
    await remove(pod);
  });

  it('is not run less confined than it asks to be, and runs where the machine has nothing to confine it with', async () => {
    const asks = (name: string, securityContext: object, ofContainer: object = {}) =>
      shellPod(name, 'sleep 1000', { spec: { securityContext }, container: { securityContext: ofContainer } });
    await agent.assign({
      upsert: [
        asks('armored', { appArmorProfile: { type: 'Localhost', localhostProfile: 'web' } }),
        asks('strict', { supplementalGroupsPolicy: 'Strict' }),
        asks(
          'labelled',
          { seLinuxOptions: { level: 's0:c1' }, appArmorProfile: { type: 'Unconfined' } },
          { seLinuxOptions: { type: 'container_t' } },
        ),
      ],
    });
    const reasonOf = async (name: string): Promise<unknown> =>
      (await agent.until(name, ({ status }) => status?.phase === 'Failed')).status?.reason;
    // Where the kernel has AppArmor, it does not have that profile.
    if (await hasAppArmor())
      await agent.until('armored', (one) => main(one)?.state.waiting?.reason === 'CreateContainerError');
    else assert.equal(await reasonOf('armored'), 'AppArmor');
    if (await keepsStrictGroups()) await agent.until('strict', (one) => main(one)?.state.running !== undefined);
    else assert.equal(await reasonOf('strict'), 'SupplementalGroupsPolicyNotSupported');
    await agent.until('labelled', (one) => main(one)?.state.running !== undefined);
  });
});
