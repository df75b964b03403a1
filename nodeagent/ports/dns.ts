/** Where names are asked for: questions of this machine's processes and pods come in, others' servers are asked. */
import type { DnsServer } from '../core/dns/upstreams.ts';

export type DnsTransport = 'udp' | 'tcp';

export interface DnsListener {
  close(): Promise<void>;
}

export interface DnsSockets {
  /**
   * Listens for both transports. `answer` gets each message of who `isAllowed`, and the address it came from; nothing is
   * sent where it gives nothing. Connections are bounded in number, also of one address, in time without a question, and
   * in the size of one. Rejects where the address or its port is not to be had, and leaves nothing open then.
   */
  listen(
    at: DnsServer,
    handlers: {
      readonly isAllowed: (address: string) => boolean;
      readonly answer: (
        query: Uint8Array,
        transport: DnsTransport,
        from: string,
      ) => Promise<Uint8Array | undefined> | Uint8Array | undefined;
    },
  ): Promise<DnsListener>;
  /**
   * Sends the query from a port of its own and resolves with the first message for which `isAnswer`; others are thrown
   * away. Rejects when the server refuses, or when the signal aborts.
   */
  ask(
    server: DnsServer,
    query: Uint8Array,
    transport: DnsTransport,
    isAnswer: (message: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}
