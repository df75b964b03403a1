/** `Neighbourhood` on Linux. */
import { connect } from 'node:net';
import type { Neighbourhood } from '../../ports/neighbourhood.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { parseLinks } from './json.ts';

/** sshd's: it is what every machine of a cluster has open. */
const PORT = 22;

export function createNeighbourhood(run: RunCommand, port = PORT): Neighbourhood {
  return {
    reaches: (address, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve(false);
          return;
        }
        const socket = connect({ host: address, port });
        const end = (answer: boolean): void => {
          signal.removeEventListener('abort', give);
          socket.destroy();
          resolve(answer);
        };
        const give = (): void => {
          end(false);
        };
        signal.addEventListener('abort', give, { once: true });
        socket.once('connect', () => {
          end(true);
        });
        socket.on('error', (error: NodeJS.ErrnoException) => {
          end(error.code === 'ECONNREFUSED');
        });
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
