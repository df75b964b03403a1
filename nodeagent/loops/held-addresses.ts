/** Addresses of load balancers that this machine has for a while, and those who decide it. */

/** As the network loop takes them. */
export interface HeldAddresses {
  /** Ordered; the same list until it changes. */
  current(): readonly string[];
  onChange(listener: () => void): () => void;
  /** The machine has these now, and their rules. */
  inForce(addresses: readonly string[]): void;
}

/** What any of them holds; each hears of its own. */
export function joinHeld(parts: readonly HeldAddresses[]): HeldAddresses {
  let joined: readonly string[] = [];
  return {
    current() {
      const next = [...new Set(parts.flatMap((part) => part.current()))].sort();
      if (next.join() !== joined.join()) joined = next;
      return joined;
    },
    onChange(listener) {
      const ends = parts.map((part) => part.onChange(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    inForce(addresses) {
      for (const part of parts) {
        const own = new Set(part.current());
        part.inForce(addresses.filter((address) => own.has(address)));
      }
    },
  };
}
