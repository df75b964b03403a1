import type { Server } from 'node:http';
import { join } from 'node:path';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { SshNodeTransport } from '../../../reconciler/adapters/ssh/transport.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { freePort } from '../../support/free-port.ts';
import { startSshd, type SshdSettings } from '../../support/ssh/sshd.ts';
import { nodeTransportSuite, type TransportHarness } from './suite.ts';

async function harness(settings: SshdSettings): Promise<TransportHarness> {
  const sshd = await startSshd(settings);
  const transport = new SshNodeTransport({
    privateKey: sshd.privateKey,
    log: SILENT_LOG,
    clock: new SystemClock(),
    bridgeRuntime: process.execPath,
  });
  const strangers: SshNodeTransport[] = [];
  return {
    transport,
    folder: join(sshd.folder, 'files'),
    target: (over) => sshd.target(over),
    async listen(server: Server) {
      const path = join(sshd.folder, 'agent.sock');
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return path;
    },
    dropConnections: () => sshd.dropConnections(),
    async stranger() {
      const other = new SshNodeTransport({ privateKey: sshd.strangerKey, log: SILENT_LOG, clock: new SystemClock() });
      strangers.push(other);
      return { transport: other, target: sshd.target() };
    },
    changeHostKey: () => sshd.changeHostKey(),
    closedPort: freePort,
    async close() {
      await Promise.all([transport, ...strangers].map((each) => each.close()));
      await sshd.stop();
    },
  };
}

nodeTransportSuite('ssh', () => harness({}));
nodeTransportSuite('ssh without socket forwarding', () => harness({ streamLocal: false }));
