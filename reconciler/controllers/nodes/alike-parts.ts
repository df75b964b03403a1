/** What all nodes hold alike, asked of one of them. See contracts/agent/alike.ts. */
import { AlikeDigest } from '../../../contracts/agent/index.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import { RetryableError } from '../../core/errors.ts';
import { readPart } from '../../core/nodes/alike-claims.ts';
import type { AlikePart } from '../../core/nodes/node-word.ts';
import type { Clock } from '../../ports/clock.ts';
import { inSlices } from '../runtime/slices.ts';

/** Lines of a part as a node told them, and their digest. */
export interface ToldPart {
  readonly digest: string;
  readonly lines: readonly string[];
}

/** Asks the node for parts. */
export type AskForParts = (parts: readonly number[]) => Promise<ReadonlyMap<number, ToldPart>>;

/** How long a node waits for what another one was asked for: one that names what it does not tell delays others no longer. */
const WAIT_MS = 1000;
/** Lines of a node. */
const MOST = 100_000;

interface Wanted {
  readonly id: string;
  readonly part: number;
  readonly digest: string;
}

/**
 * Parts by what they hold, of any node. What a node tells is held against the digest that was asked for, so no node can
 * have another one be believed to have said what it did not. Bounded: a part that finds no room is asked of each node.
 */
export class AlikeParts {
  readonly #clock: Pick<Clock, 'deadline'>;
  readonly #signal: AbortSignal;
  readonly #mostChars: number;
  readonly #read = new Map<string, AlikePart>();
  /** Settles when the node that was asked told it, or failed to. */
  readonly #asked = new Map<string, Promise<void>>();
  #chars = 0;

  constructor(clock: Pick<Clock, 'deadline'>, signal: AbortSignal, mostChars = 64 * 1024 * 1024) {
    this.#clock = clock;
    this.#signal = signal;
    this.#mostChars = mostChars;
  }

  /**
   * The parts that a node names by their digests. What nobody told yet is asked of it. RetryableError `AgentFailed` where it
   * tells others than it named; rejects as `ask` does.
   */
  async of(named: ReadonlyMap<number, string>, ask: AskForParts): Promise<readonly AlikePart[]> {
    const wanted = [...named].map(([part, digest]) => ({ id: `${part} ${digest}`, part, digest }));
    const told = new Map<string, AlikePart>();
    const open = wanted.filter(({ id }) => !this.#read.has(id));
    const others = open.flatMap(({ id }) => this.#asked.get(id) ?? []);
    const first = open.filter(({ id }) => !this.#asked.has(id));
    await Promise.all([this.#ask(first, ask, told), this.#waitFor(others)]);
    const rest = open.filter(({ id }) => !this.#read.has(id) && !told.has(id));
    await this.#ask(rest, ask, told);
    return wanted.map(({ id, part }) => {
      const found = this.#read.get(id) ?? told.get(id);
      if (!found)
        throw new RetryableError('AgentFailed', `the agent names other content of part ${part} than it tells`);
      return found;
    });
  }

  async #waitFor(others: readonly Promise<void>[]): Promise<void> {
    if (others.length === 0) return;
    using limit = this.#clock.deadline(WAIT_MS, this.#signal);
    await unlessAborted(limit.signal, Promise.all(others)).catch(() => undefined);
  }

  async #ask(wanted: readonly Wanted[], ask: AskForParts, into: Map<string, AlikePart>): Promise<void> {
    if (wanted.length === 0) return;
    const asking = this.#take(wanted, ask, into);
    // Who waits looks for itself what came of it.
    const settled = asking.catch(() => undefined);
    for (const { id } of wanted) this.#asked.set(id, settled);
    try {
      await asking;
    } finally {
      for (const { id } of wanted) if (this.#asked.get(id) === settled) this.#asked.delete(id);
    }
  }

  async #take(wanted: readonly Wanted[], ask: AskForParts, into: Map<string, AlikePart>): Promise<void> {
    const told = await ask(wanted.map(({ part }) => part));
    for (const { id, part, digest } of wanted) {
      const text = told.get(part);
      if (text?.digest !== digest) continue;
      const read = this.#read.get(id) ?? (await inSlices(readPart(part, text.lines), this.#signal));
      into.set(id, read);
      const chars = text.lines.reduce((sum, { length }) => sum + length, 0);
      if (this.#read.has(id) || this.#chars + chars > this.#mostChars) continue;
      this.#read.set(id, read);
      this.#chars += chars;
    }
  }
}

/** Reads a node's answer to a question for parts. Nothing of it is looked at before its digest is known. */
export class ToldParts {
  readonly #parts = new Map<number, { readonly digest: AlikeDigest; readonly lines: string[] }>();
  #part: { readonly digest: AlikeDigest; readonly lines: string[] } | undefined;
  #lines = 0;
  #ended = false;

  take(line: string): void {
    const begun = /^\{"part":(\d{1,4})\}$/.exec(line);
    if (line === '{"end":true}') this.#ended = true;
    else if (begun) {
      this.#part = { digest: new AlikeDigest(), lines: [] };
      this.#parts.set(Number(begun[1]), this.#part);
    } else if (this.#part && this.#lines < MOST) {
      this.#part.digest.add(line);
      this.#part.lines.push(line);
      this.#lines += 1;
    }
  }

  /** Once. RetryableError `AgentFailed` when the answer was cut off. */
  finish(): ReadonlyMap<number, ToldPart> {
    if (!this.#ended) throw new RetryableError('AgentFailed', "the agent's answer has no end: it is asked again");
    return new Map([...this.#parts].map(([part, { digest, lines }]) => [part, { digest: digest.end(), lines }]));
  }
}
