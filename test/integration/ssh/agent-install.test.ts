/** The real agent on a machine that has only sshd and (seemingly) containerd. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { FilePayloads } from '../../../reconciler/adapters/payload/payloads.ts';
import { SshNodeTransport } from '../../../reconciler/adapters/ssh/transport.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { AgentClient } from '../../../reconciler/controllers/nodes/agent-client.ts';
import { installAgent, type InstallResult } from '../../../reconciler/controllers/nodes/agent-install.ts';
import { removeAgent } from '../../../reconciler/controllers/nodes/agent-remove.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { AgentPayloads } from '../../../reconciler/ports/agent-payloads.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import type { NodeConnection } from '../../../reconciler/ports/node-transport.ts';
import { startMachine, type TestMachine } from '../../support/ssh/machine.ts';

const clock = new SystemClock();
const signal = new AbortController().signal;

/** The same runtime with another bundle. */
function withBundle(payloads: AgentPayloads, change: (bundle: string) => string): AgentPayloads {
  return {
    async get(arch, stop) {
      const payload = await payloads.get(arch, stop);
      const bundle = Buffer.from(change(payload.bundle.toString('utf8')));
      return { ...payload, bundle, bundleHash: createHash('sha256').update(bundle).digest('hex') };
    },
  };
}

describe('installing the agent', () => {
  let machine: TestMachine;
  let transport: SshNodeTransport;
  let connection: NodeConnection;
  const payloads = new FilePayloads();
  const install = (from: AgentPayloads, startTimeoutMs = 60_000): Promise<InstallResult> =>
    installAgent(connection, { nodeName: 'box', payloads: from, clock, log: SILENT_LOG, signal, startTimeoutMs });
  const running = (): string[] =>
    machine
      .inside('sh', '-c', 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline 2>/dev/null; echo; done')
      .split('\n')
      .filter((line) => line.includes('/agent.mjs'));

  before(async () => {
    execFileSync('node', ['build.mjs']);
    machine = await startMachine();
    transport = new SshNodeTransport({ privateKey: machine.privateKey, log: SILENT_LOG, clock });
    connection = await transport.connect(machine.target('box'), signal);
  });
  after(async () => {
    await transport.close();
    await machine.stop();
  });

  it('says what the machine lacks', async () => {
    machine.inside('rm', '/run/containerd/containerd.sock');
    await assert.rejects(
      install(payloads),
      (error: unknown) =>
        error instanceof PlumbError &&
        error.code === 'NodeNotPrepared' &&
        error.retry === 'after' &&
        error.message.includes('containerd'),
    );
    machine.inside('sh', '-c', `ln -s ${machine.folder}/containerd.sock /run/containerd/containerd.sock`);
  });

  it('brings up a machine that has nothing', async () => {
    const { did, info } = await install(payloads);
    const payload = await payloads.get('x64', signal);
    assert.equal(did, 'installed');
    assert.equal(info.bundleHash, payload.bundleHash);
    assert.equal(info.runtimeHash, payload.runtimeHash);
    assert.equal(running().length, 1);
    assert.match(machine.inside('/etc/init.d/plumbline-agent', 'status'), /is running/);
    assert.match(machine.inside('cat', `/proc/${info.pid}/limits`), /^Max core file size +0 +0 /m);
    // A machine may not let a process raise itself above others: then all is as it was.
    const mayRise = machine.inside(
      'sh',
      '-c',
      '{ echo -999 > /proc/$$/oom_score_adj; } 2>/dev/null || :; cat /proc/$$/oom_score_adj',
    );
    assert.equal(machine.inside('cat', `/proc/${info.pid}/oom_score_adj`), mayRise);
  });

  it('does nothing the second time', async () => {
    const pid = (await new AgentClient(connection, clock).info(signal)).pid;
    const { did, info } = await installAgent(connection, {
      nodeName: 'box',
      arch: 'x64',
      payloads,
      clock,
      log: SILENT_LOG,
      signal,
    });
    assert.equal(did, 'nothing');
    assert.equal(info.pid, pid);
  });

  it('starts an agent that was stopped', async () => {
    machine.inside('/etc/init.d/plumbline-agent', 'stop');
    assert.deepEqual(running(), []);
    assert.equal((await install(payloads)).did, 'started');
  });

  it('has an agent that died brought back by its supervisor', async () => {
    const client = new AgentClient(connection, clock);
    const { pid, startedAt } = await client.info(signal);
    machine.inside('kill', '-9', String(pid));
    for (;;) {
      const info = await client.info(signal).catch(() => undefined);
      if (info && info.startedAt !== startedAt) break;
      await clock.sleep(50, signal);
    }
  });

  it('upgrades in place and leaves no old version', async () => {
    const next = withBundle(payloads, (bundle) => `${bundle}\n// another build\n`);
    const { did, info } = await install(next);
    assert.equal(did, 'upgraded');
    assert.equal(info.bundleHash, (await next.get('x64', signal)).bundleHash);
    assert.equal(machine.inside('sh', '-c', 'ls -d /opt/plumbline/agent-*').trim().split('\n').length, 1);
    assert.equal(running().length, 1);
  });

  it('goes back to the version before when a new one does not start', async () => {
    const { bundleHash } = await new AgentClient(connection, clock).info(signal);
    const broken = withBundle(payloads, () => 'console.error("cannot go on"); process.exit(1);');
    await assert.rejects(
      install(broken, 3_000),
      (error: unknown) =>
        error instanceof PlumbError && error.code === 'AgentUpgradeFailed' && error.message.includes('cannot go on'),
    );
    const client = new AgentClient(connection, clock);
    for (;;) {
      const info = await client.info(signal).catch(() => undefined);
      if (info) {
        assert.equal(info.bundleHash, bundleHash);
        break;
      }
      await clock.sleep(50, signal);
    }
  });

  it('is removed without a trace', async () => {
    machine.inside('nft', 'add', 'table', 'ip', 'other');
    await removeAgent(connection, { clock, signal, stopPodsForMs: 10_000 });
    await removeAgent(connection, { clock, signal, stopPodsForMs: 0 });
    assert.deepEqual(running(), []);
    assert.equal(
      machine.inside('sh', '-c', 'for d in /opt /run /etc /var/lib /var/log; do find $d -name "*plumb*"; done').trim(),
      '',
    );
    assert.equal(machine.inside('nft', 'list', 'tables').trim(), 'table ip other');
    assert.doesNotMatch(machine.inside('ip', 'link'), /plumb/);
  });
});
