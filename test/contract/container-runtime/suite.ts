/** What every container runtime does: run on the memory adapter and on containerd. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { namesAddress } from '../../../nodeagent/core/pod/address.ts';
import type { PodIdentity } from '../../../nodeagent/core/pod/runtime-types.ts';
import { RuntimeError, type ContainerRuntime } from '../../../nodeagent/ports/container-runtime.ts';
import { podMaker } from './pods.ts';
import { patience, polled } from '../../support/patience.ts';

export interface RuntimeUnderTest {
  readonly runtime: ContainerRuntime;
  /** An image with a shell. */
  readonly image: string;
  readonly logFolder: string;
  close(): Promise<void>;
}

export function runtimeContract(name: string, make: () => Promise<RuntimeUnderTest>): void {
  describe(`container runtime: ${name}`, () => {
    let under: RuntimeUnderTest;
    let runtime: ContainerRuntime;
    const { signal } = new AbortController();
    before(async () => {
      under = await make();
      runtime = under.runtime;
    });
    after(async () => {
      await runtime.close();
      await under.close();
    });

    const { newPod, sandboxOf, containerOf } = podMaker(() => under);
    const start = async (line: string): Promise<{ pod: PodIdentity; sandbox: string; container: string }> => {
      const pod = newPod();
      const sandbox = await runtime.runSandbox(sandboxOf(pod), signal);
      const container = await runtime.createContainer(sandbox, containerOf(pod, line), sandboxOf(pod), signal);
      await runtime.startContainer(container, signal);
      return { pod, sandbox, container };
    };
    const exited = async (id: string) => {
      return polled(
        `${id} has ended`,
        async () => {
          const detail = await runtime.container(id, signal);
          return detail.state === 'exited' && detail;
        },
        { timeoutMs: 20_000, everyMs: 5 },
      );
    };
    /** Only when its shell has come to the trap does it count: it leaves a file then. The last word is for the memory adapter. */
    const trapped = (id: string): Promise<boolean> =>
      polled(
        `the shell of ${id} has its trap`,
        async () =>
          (await runtime.execSync(id, ['/bin/sh', '-c', '[ -e /tmp/up ]', 'exit 0'], 10, signal)).exitCode === 0,
        { timeoutMs: 20_000 },
      );
    const failsWith = (failure: string) => (error: unknown) =>
      error instanceof RuntimeError && error.failure === failure;
    const STUBBORN = 'sleep 1000';

    it('says who it is and that it is ready', async () => {
      assert.notEqual((await runtime.version(signal)).version, '');
      const health = await runtime.health(signal);
      assert.deepEqual([health.runtimeReady, health.networkReady], [true, true]);
      assert.notEqual(health.sandboxImage, '');
    });

    it("lists a pod's parts with what was written on them", async () => {
      const { pod, sandbox, container } = await start(STUBBORN);
      const [listed] = await runtime.listSandboxes(pod.uid, signal);
      assert.deepEqual(
        [listed?.id, listed?.pod, listed?.attempt, listed?.ready, listed?.annotations],
        [sandbox, pod, 0, true, { note: 'kept' }],
      );
      const [part] = await runtime.listContainers(pod.uid, signal);
      assert.deepEqual(
        [part?.id, part?.sandboxId, part?.podUid, part?.name, part?.attempt, part?.state],
        [container, sandbox, pod.uid, 'main', 3, 'running'],
      );
      assert.equal(part?.annotations['plumbline.dev/restart-count'], '3');
      assert.match((await runtime.sandboxAddresses(sandbox, signal))[0] ?? '', /^198\.18\./);
      assert.match((await runtime.sandboxNetwork(sandbox, signal)) ?? '', /^(\/var)?\/run\/netns\/./);
      await assert.rejects(runtime.sandboxNetwork('nobody', signal), { failure: 'NotFound' });
      const detail = await runtime.container(container, signal);
      assert.ok(Math.abs(Date.now() - detail.startedAt) < 60_000 && detail.finishedAt === 0);
      assert.ok((await runtime.listContainers(undefined, signal)).some((one) => one.id === container));
      assert.deepEqual(await runtime.listContainers('nobody', signal), []);
    });

    it('sees nothing that is not ours', async () => {
      const pod = newPod();
      const id = await runtime.runSandbox(sandboxOf(pod, { labels: { other: 'yes' } }), signal);
      assert.ok(!(await runtime.listSandboxes(undefined, signal)).some((one) => one.id === id));
      await runtime.stopSandbox(id, signal);
      await runtime.removeSandbox(id, signal);
    });

    it('tells how a program ended', async () => {
      for (const [line, code, reason] of [
        ['exit 0', 0, 'Completed'],
        ['exit 42', 42, 'Error'],
      ] as const) {
        const detail = await exited((await start(line)).container);
        assert.deepEqual([detail.exitCode, detail.reason], [code, reason]);
        assert.ok(detail.finishedAt >= detail.startedAt);
      }
    });

    it('asks a program to end, and ends it by force', async () => {
      const polite = await start('trap "exit 5" TERM; touch /tmp/up; while true; do sleep 0.05; done');
      await trapped(polite.container);
      await runtime.stopContainer(polite.container, 20, signal);
      assert.equal((await runtime.container(polite.container, signal)).exitCode, 5);
      const stubborn = await start(STUBBORN);
      await runtime.stopContainer(stubborn.container, 0, signal);
      assert.equal((await runtime.container(stubborn.container, signal)).exitCode, 137);
      await runtime.stopContainer(stubborn.container, 5, signal);
    });

    it('asks with another signal, and ends by force what does not heed it', async () => {
      const SIGUSR1 = 10;
      const polite = await start(
        'trap "exit 7" USR1; trap "exit 5" TERM; touch /tmp/up; while true; do sleep 0.05; done',
      );
      const deaf = await start('trap "" USR1; touch /tmp/up; while true; do sleep 0.05; done');
      for (const { container } of [polite, deaf]) await trapped(container);
      await runtime.stopContainer(polite.container, 20, signal, SIGUSR1);
      assert.equal((await runtime.container(polite.container, signal)).exitCode, 7);
      await runtime.stopContainer(deaf.container, 1, signal, SIGUSR1);
      assert.equal((await runtime.container(deaf.container, signal)).exitCode, 137);
      for (const { container } of [polite, deaf]) await runtime.stopContainer(container, 5, signal, SIGUSR1);
    });

    it('runs commands in what runs only', async () => {
      const { container } = await start(STUBBORN);
      assert.equal((await runtime.execSync(container, ['/bin/sh', '-c', 'exit 9'], 10, signal)).exitCode, 9);
      await runtime.stopContainer(container, 0, signal);
      await assert.rejects(runtime.execSync(container, ['/bin/sh', '-c', 'exit 9'], 10, signal), RuntimeError);
    });

    it('ends a command when its time is over', async () => {
      const { container } = await start(STUBBORN);
      await assert.rejects(runtime.execSync(container, ['/bin/sh', '-c', STUBBORN], 1, signal), failsWith('Timeout'));
    });

    it('ends what is in a sandbox with it, and forgets both', async () => {
      const { pod, sandbox, container } = await start(STUBBORN);
      await runtime.stopSandbox(sandbox, signal);
      assert.equal((await exited(container)).exitCode, 137);
      assert.equal((await runtime.listSandboxes(pod.uid, signal))[0]?.ready, false);
      await runtime.removeSandbox(sandbox, signal);
      assert.deepEqual(await runtime.listSandboxes(pod.uid, signal), []);
      assert.deepEqual(await runtime.listContainers(pod.uid, signal), []);
      await assert.rejects(runtime.container(container, signal), failsWith('NotFound'));
      for (const again of [
        runtime.stopSandbox(sandbox, signal),
        runtime.removeSandbox(sandbox, signal),
        runtime.stopContainer(container, 1, signal),
        runtime.removeContainer(container, signal),
      ])
        await again;
    });

    it('refuses a second sandbox of the same pod and attempt', async () => {
      const pod = newPod();
      await runtime.runSandbox(sandboxOf(pod), signal);
      await assert.rejects(runtime.runSandbox(sandboxOf(pod), signal), RuntimeError);
      await runtime.runSandbox(sandboxOf(pod, { attempt: 1 }), signal);
    });

    it('runs a pod by the handler that is asked for, and tells of one that it does not have', async () => {
      const pod = newPod();
      await runtime.runSandbox(sandboxOf(pod, { runtimeHandler: 'runc' }), signal);
      await assert.rejects(
        runtime.runSandbox(sandboxOf(newPod(), { runtimeHandler: 'nobody-has-it' }), signal),
        (error) => {
          assert.ok(error instanceof RuntimeError);
          return /nobody-has-it/.test(error.message);
        },
      );
    });

    it('gives the address that is asked for back to a pod, and none twice', async () => {
      const pod = newPod();
      const first = await runtime.runSandbox(sandboxOf(pod), signal);
      const address = (await runtime.sandboxAddresses(first, signal))[0] ?? '';
      const other = newPod();
      await assert.rejects(
        runtime.runSandbox(sandboxOf(other, { address }), signal),
        (error: unknown) => error instanceof RuntimeError && namesAddress(error.message, address),
      );
      assert.deepEqual(await runtime.listSandboxes(other.uid, signal), []);
      await runtime.stopSandbox(first, signal);
      await runtime.runSandbox(sandboxOf(other), signal);
      const second = await runtime.runSandbox(sandboxOf(pod, { attempt: 1, address }), signal);
      assert.equal((await runtime.sandboxAddresses(second, signal))[0] ?? '', address);
      const listed = await runtime.listSandboxes(pod.uid, signal);
      assert.deepEqual(
        listed.map((one) => one.pod),
        [pod, pod],
      );
      // Its end gives the address back like any other's.
      await runtime.stopSandbox(second, signal);
      const third = await runtime.runSandbox(sandboxOf(pod, { attempt: 2, address }), signal);
      assert.equal((await runtime.sandboxAddresses(third, signal))[0] ?? '', address);
    });

    it('tells of ends as they happen', async () => {
      const stop = new AbortController();
      const heard = new Set<string>();
      const listening = (async () => {
        for await (const id of runtime.events(stop.signal)) heard.add(id);
      })().catch(() => undefined);
      // The subscription is in force a moment after it was asked for: until then others end.
      for (const isOver = patience(60_000); heard.size === 0;) {
        assert.ok(!isOver(), 'nothing is heard');
        await runtime.stopContainer((await start(STUBBORN)).container, 0, signal);
      }
      const { container } = await start(STUBBORN);
      await runtime.stopContainer(container, 0, signal);
      await polled('its end is told', () => heard.has(container), { timeoutMs: 20_000 });
      stop.abort();
      await listening;
    });

    it('gives a call up when it is told to', async () => {
      await assert.rejects(runtime.listContainers(undefined, AbortSignal.abort(new Error('enough'))), /enough/);
    });
  });
}
