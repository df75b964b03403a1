/**
 * How long members were silent, as one of them saw it. As in Kubernetes' leader election, no time is read from the
 * store: a member that lives changes its beat, and the observer measures by its own monotonic clock.
 */

interface Seen {
  readonly beat: number;
  readonly silentMs: number;
}

export class Silence {
  readonly #mostMs: number;
  #seen = new Map<string, Seen>();
  #lookedAt: number | undefined;

  /** `mostMs`: what one look adds at most, so that a store which was away does not make everybody silent. */
  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  /** One successful look at the table at `now` (monotonic, milliseconds). */
  look(members: readonly { readonly id: string; readonly beat: number }[], now: number): void {
    const passed = Math.min(this.#mostMs, now - (this.#lookedAt ?? now));
    this.#lookedAt = now;
    this.#seen = new Map(
      members.map(({ id, beat }) => {
        const before = this.#seen.get(id);
        return [id, { beat, silentMs: before?.beat === beat ? before.silentMs + passed : 0 }];
      }),
    );
  }

  /** Members that were silent for `limitMs` and longer, with the beat they were last seen at. */
  silentFor(limitMs: number): readonly { readonly id: string; readonly beat: number }[] {
    return [...this.#seen].filter(([, { silentMs }]) => silentMs >= limitMs).map(([id, { beat }]) => ({ id, beat }));
  }
}
