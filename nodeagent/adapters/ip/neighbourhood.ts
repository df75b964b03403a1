/** `Neighbourhood` on Linux. */
import { connect, type Socket } from 'node:net';
import type { Neighbourhood } from '../../ports/neighbourhood.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { parseLinks } from './json.ts';

/** Where nobody listens (RFC 863, discard): the kernel refuses by itself, and no program of the other machine is woken. */
const QUIET_PORT = 9;
/** sshd's: it is what every machine of a cluster has open, also behind a firewall that drops what is not. */
const SSH_PORT = 22;
/** Without an answer at the first, in milliseconds: sshd starts a process for each connection, and writes it down. */
const QUIET_MS = 100;

/** Tests have other ports, and one where no answer comes. */
interface Asking {
  readonly quiet: number;
  readonly ssh: number;
  readonly open?: (at: { readonly host: string; readonly port: number }) => Socket;
}

export function createNeighbourhood(
  run: RunCommand,
  { quiet, ssh, open = connect }: Asking = { quiet: QUIET_PORT, ssh: SSH_PORT },
): Neighbourhood {
  return {
    reaches: (address, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve(false);
          return;
        }
        const sockets = new Set<Socket>();
        const end = (answer: boolean): void => {
          clearTimeout(patience);
          signal.removeEventListener('abort', give);
          for (const socket of sockets) socket.destroy();
          resolve(answer);
        };
        const give = (): void => {
          end(false);
        };
        const ask = (port: number, failed: () => void): void => {
          const socket = open({ host: address, port });
          sockets.add(socket);
          socket.once('connect', () => {
            end(true);
          });
          socket.on('error', (error: NodeJS.ErrnoException) => {
            if (error.code === 'ECONNREFUSED') end(true);
            else failed();
          });
        };
        const askSsh = (): void => {
          clearTimeout(patience);
          if (sockets.size === 1) ask(ssh, give);
        };
        const patience = setTimeout(askSsh, QUIET_MS);
        signal.addEventListener('abort', give, { once: true });
        ask(quiet, askSsh);
      }),

    async announce(address, devices, own, signal) {
      try {
        const { stdout } = await run(['ip', '-j', '-4', 'address', 'show'], { signal });
        const links = parseLinks(JSON.parse(stdout === '' ? '[]' : stdout)).filter(({ up }) => up);
        const at = links.filter(({ name, addresses }) =>
          devices.length > 0 ? devices.includes(name) : addresses.some((one) => one.address === own),
        );
        for (const { name } of at)
          await run(['arping', '-q', '-U', '-c', '1', '-w', '1', '-I', name, '-s', address, address], { signal });
        return 'done';
      } catch (error) {
        if (isMissingProgram(error)) return 'unsupported';
        throw error;
      }
    },
  };
}
