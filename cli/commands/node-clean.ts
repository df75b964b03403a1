/** `plumb node clean`: takes everything that Plumbline put on a machine off it again, except data of volumes. */
import { join } from 'node:path';
import { NODE_PATHS } from '../../contracts/agent/places.ts';
import { errorText } from '../../contracts/errors.ts';
import { CliFailure } from '../failure.ts';
import { homeFolder } from '../home.ts';
import { print, progress } from '../print/terminal.ts';
import { parseDestination, privateKey, settleHostKey } from './node-add.ts';

export interface NodeCleanOptions {
  readonly home?: string;
  readonly hostKey?: string;
  readonly yes?: boolean;
  readonly sshKey?: string;
}

/** Time for the machine's pods to end before their containers are removed, and for the whole, in milliseconds. */
const STOP_PODS_MS = 60_000;
const TIMEOUT_MS = 120_000;

export async function nodeClean(text: string, options: NodeCleanOptions): Promise<void> {
  const destination = parseDestination(text);
  const keyFile = options.sshKey ?? join(homeFolder(options.home), 'ssh', 'id_ed25519');
  const [{ SshNodeTransport }, { removeAgent, SILENT_LOG, SystemClock }] = await Promise.all([
    import('../../reconciler/adapters/ssh/transport.ts'),
    import('../../reconciler/main.ts'),
  ]);
  const transport = new SshNodeTransport({
    privateKey: await privateKey(keyFile),
    log: SILENT_LOG,
    clock: new SystemClock(),
  });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const hostKey = await settleHostKey(transport, destination, options);
    const connection = await transport
      .connect({ name: destination.address, ...destination, hostKey }, signal)
      .catch((error: unknown) => {
        throw new CliFailure(1, errorText(error), 'name the private key that the machine accepts with --ssh-key');
      });
    progress('stopping its pods, then removing the agent, its rules, routes, network device, service and folders');
    await removeAgent(connection, { clock: new SystemClock(), signal, stopPodsForMs: STOP_PODS_MS });
    await connection.close();
    await print(
      `nothing of Plumbline is left on ${destination.address}, except data of volumes where there was any (${NODE_PATHS.volumes})\n`,
    );
  } finally {
    await transport.close();
  }
}
