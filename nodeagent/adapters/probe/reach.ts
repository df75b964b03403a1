/** `Reach` on sockets of the machine. */
import { connect } from 'node:net';
import { CLUSTER_DNS } from '../../../contracts/agent/places.ts';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import { errorText } from '../../../contracts/errors.ts';
import { addressesIn, DNS_CODE, DNS_TYPE, isAnswerTo, readQuery, writeQuery } from '../../core/wire/dns-message.ts';
import type { DnsSockets } from '../../ports/dns.ts';
import type { Reach, Reached } from '../../ports/reach.ts';

export function createReach(sockets: Pick<DnsSockets, 'ask'>, randomId: () => number): Reach {
  return {
    connect({ address, port }, signal) {
      return new Promise((resolve) => {
        const socket = connect({ host: address, port });
        const end = (reached: Reached): void => {
          signal.removeEventListener('abort', silent);
          socket.destroy();
          resolve(reached);
        };
        const silent = (): void => end({ outcome: 'silent' });
        socket.once('connect', () => end({ outcome: 'answered' }));
        socket.on('error', (error: NodeJS.ErrnoException) => {
          if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') end({ outcome: 'refused' });
          else if (error.code === 'ETIMEDOUT') silent();
          else end({ outcome: 'failed', message: text(error) });
        });
        if (signal.aborted) silent();
        else signal.addEventListener('abort', silent, { once: true });
      });
    },

    async resolve(name, signal) {
      const message = writeQuery(randomId(), name, DNS_TYPE.A);
      const query = readQuery(message);
      if (!('question' in query)) return { outcome: 'failed', message: 'it is no name' };
      const { length } = query.raw;
      try {
        const isAnswer = (found: Uint8Array): boolean => isAnswerTo(message, found, length);
        const found = await sockets.ask(CLUSTER_DNS, message, 'udp', isAnswer, signal);
        const code = (found[3] ?? 0) & 0x0f;
        if (code === DNS_CODE.noName) return { outcome: 'refused', message: 'there is no such name' };
        if (code !== DNS_CODE.ok) return { outcome: 'failed', message: `the server answered with code ${code}` };
        const addresses = addressesIn(found, length, name).flatMap(({ data }) =>
          data.type === 'A' && 'bytes' in data ? [data.bytes.join('.')] : [],
        );
        return { outcome: 'answered', addresses: addresses.slice(0, NETWORK_LIMITS.addresses) };
      } catch (error) {
        return signal.aborted ? { outcome: 'silent' } : { outcome: 'failed', message: text(error) };
      }
    },
  };
}

function text(error: unknown): string {
  return errorText(error).slice(0, NETWORK_LIMITS.text);
}
