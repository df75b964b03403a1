/** Ports that are taken on nodes. */
import type { HostPort } from '../../../contracts/objects/host-ports.ts';
import { addTo } from './columns.ts';

/** The ports that are taken on one node. */
export class TakenPorts {
  /** How many pods take `TCP/80` at any address, `TCP/80@` at all, `TCP/80@198.18.0.1` at that one. */
  readonly #counts = new Map<string, number>();

  count(ports: readonly HostPort[], by: 1 | -1): void {
    for (const { port, address } of ports) {
      addTo(this.#counts, port, by);
      addTo(this.#counts, `${port}@${address ?? ''}`, by);
    }
  }

  has({ port, address }: HostPort): boolean {
    return address === undefined
      ? this.#counts.has(port)
      : this.#counts.has(`${port}@`) || this.#counts.has(`${port}@${address}`);
  }
}
