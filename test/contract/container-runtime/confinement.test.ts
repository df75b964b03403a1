/** What a container may do to its host, from a pod's security context to the kernel's answer. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { criImages } from '../../../nodeagent/adapters/cri/cri-images.ts';
import { criRuntime } from '../../../nodeagent/adapters/cri/cri-runtime.ts';
import { GrpcClient } from '../../../nodeagent/adapters/cri/grpc.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { seccompFolder } from '../../../nodeagent/core/pod/layout.ts';
import { containerSecurity, sandboxSecurity } from '../../../nodeagent/core/pod/security.ts';
import type { ContainerRuntime } from '../../../nodeagent/ports/container-runtime.ts';
import { testPod } from '../../integration/nodeagent/agent.ts';
import { BUSYBOX, startHost, type TestHost } from '../../integration/nodeagent/host.ts';
import { podMaker } from './pods.ts';

/** Lets everything through but mkdir, whose answer then tells whose filter is in force. */
const NO_MKDIR = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 42 }],
};

describe('what a container may do', () => {
  let host: TestHost;
  let runtime: ContainerRuntime;
  const { signal } = new AbortController();
  const { newPod, sandboxOf, containerOf } = podMaker(() => ({ image: BUSYBOX, logFolder: `${host.folder}/logs` }));
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    const client = new GrpcClient(host.containerdSocket);
    runtime = criRuntime({ client, folder: `${host.folder}/commands`, run: createRunCommand(), clock: systemClock });
    await criImages(client, host.containerdSocket, host.folder).ensureSandboxImage(
      (await runtime.health(signal)).sandboxImage,
      signal,
    );
    const profiles = seccompFolder({ state: host.folder, run: host.folder, podLogs: host.folder });
    await mkdir(profiles, { recursive: true });
    await writeFile(join(profiles, 'no-mkdir.json'), JSON.stringify(NO_MKDIR));
  });
  after(async () => {
    await runtime.close();
    await host.close();
  });

  /** Runs each line in a container with these security contexts, and answers `exit code: output` of each. */
  async function tried(
    lines: readonly string[],
    context: Record<string, unknown> = {},
    ofPod: Record<string, unknown> = {},
  ): Promise<string[]> {
    const pod = testPod('any', {
      securityContext: ofPod,
      containers: [{ name: 'main', image: BUSYBOX, securityContext: context }],
    });
    const security = containerSecurity(pod, pod.spec.containers[0] ?? assert.fail(), {
      folders: { state: host.folder, run: host.folder, podLogs: host.folder },
      thermalPaths: [],
    });
    assert.ok(security.ok);
    const identity = newPod();
    const sandbox = sandboxOf(identity, { privileged: security.value.privileged, security: sandboxSecurity(pod) });
    const sandboxId = await runtime.runSandbox(sandbox, signal);
    const id = await runtime.createContainer(
      sandboxId,
      containerOf(identity, 'exec sleep 1000', { security: security.value }),
      sandbox,
      signal,
    );
    await runtime.startContainer(id, signal);
    const answers: string[] = [];
    for (const line of lines) {
      const { exitCode, stdout, stderr } = await runtime.execSync(id, ['/bin/sh', '-c', line], 20, signal);
      answers.push(`${exitCode}: ${stdout.toString()}${stderr.toString()}`.trim());
    }
    await runtime.stopSandbox(sandboxId, signal);
    await runtime.removeSandbox(sandboxId, signal);
    return answers;
  }
  const status = (field: string): string => `/bin/busybox sed -n 's/^${field}:[[:space:]]*//p' /proc/1/status`;
  const FILTERED = '0: 2';
  const UNFILTERED = '0: 0';

  /** Writes what is there already, so that a test that fails leaves the host as it was. */
  const WRITE_CORE_PATTERN = 'cat /proc/sys/kernel/core_pattern > /tmp/p && cat /tmp/p > /proc/sys/kernel/core_pattern';
  /** Not every kernel has each of them. */
  const emptyIfThere = (path: string): string => `[ ! -e ${path} ] || head -c 16 ${path} | wc -c`;

  it('root cannot write the kernel settings of its host', async () => {
    const [write] = await tried([WRITE_CORE_PATTERN]);
    assert.match(write ?? '', /^1: .*Read-only file system/);
  });

  it('root reads neither the memory, the keys nor the interrupts of its host', async () => {
    const answers = await tried([
      ...['/proc/kcore', '/proc/keys', '/proc/timer_list'].map(emptyIfThere),
      'cat /proc/interrupts',
      'ls /sys/firmware',
    ]);
    assert.deepEqual(
      answers.filter((answer) => answer !== '0: 0' && answer !== '0:'),
      [],
    );
  });

  it('mounts nothing and makes no user namespace', async () => {
    const [mount, unshare] = await tried(['mount -t tmpfs none /tmp', '/bin/busybox unshare -U true']);
    assert.match(mount ?? '', /^1: .*(Operation not permitted|permission denied)/i);
    assert.match(unshare ?? '', /^1: .*Operation not permitted/);
  });

  it('is filtered unless it asks not to be; the container is heard before the pod', async () => {
    const profile = (type: string, localhostProfile?: string) => ({
      seccompProfile: { type, ...(localhostProfile !== undefined && { localhostProfile }) },
    });
    const seccomp = [status('Seccomp')];
    assert.deepEqual(await tried(seccomp), [FILTERED]);
    assert.deepEqual(await tried(seccomp, {}, profile('Unconfined')), [UNFILTERED]);
    assert.deepEqual(await tried(seccomp, profile('RuntimeDefault'), profile('Unconfined')), [FILTERED]);
    assert.deepEqual(await tried(seccomp, profile('Unconfined'), profile('RuntimeDefault')), [UNFILTERED]);
    const [filtered, folder] = await tried(
      [...seccomp, '/bin/busybox mkdir /tmp/x'],
      {},
      profile('Localhost', 'no-mkdir.json'),
    );
    assert.equal(filtered, FILTERED);
    assert.match(folder ?? '', /^1: .*No message of desired type/);
    await assert.rejects(tried(seccomp, profile('Localhost', 'none.json')), /none\.json/);
  });

  it('gains no privileges where that is forbidden', async () => {
    const [forbidden] = await tried([status('NoNewPrivs')], { allowPrivilegeEscalation: false });
    const [open] = await tried([status('NoNewPrivs')]);
    assert.deepEqual([forbidden, open], ['0: 1', '0: 0']);
  });

  it('does as it likes when it is privileged', async () => {
    assert.deepEqual(
      await tried([WRITE_CORE_PATTERN, 'mount -t tmpfs none /tmp', status('Seccomp')], { privileged: true }),
      ['0:', '0:', UNFILTERED],
    );
  });

  it('is bound by the filter as the process that holds its namespaces', async () => {
    const identity = newPod();
    const sandbox = await runtime.runSandbox(sandboxOf(identity), signal);
    const pid = (await host.run(['ctr', '--address', host.containerdSocket, '--namespace', 'k8s.io', 'tasks', 'ls']))
      .split('\n')
      .find((line) => line.startsWith(sandbox))
      ?.split(/\s+/)[1];
    assert.match(await host.run(['cat', `/proc/${pid ?? assert.fail()}/status`]), /^Seccomp:\t2$/m);
    await runtime.stopSandbox(sandbox, signal);
    await runtime.removeSandbox(sandbox, signal);
  });
});
