/**
 * How far the store is known to have come. Redis may come back with older data: a failover to a replica that lagged, a
 * restart from a snapshot, a restored backup. Then the position it tells is below this mark, and the store is a lost
 * one.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../../ports/clock.ts';

/** Incarnations that are over and still recognised when they come back. */
const KEPT_PAST = 50;
const SAVE_EVERY_MS = 2000;

const SavedMark = z.object({
  incarnation: z.string(),
  version: z.number().int().min(0),
  epoch: z.number().int().min(0).default(0),
  past: z.array(z.string()),
});

export class PositionMark {
  #incarnation = '';
  #version = 0;
  #epoch = 0;
  #past: readonly string[] = [];

  /** Of the store as it was last seen; empty before the first. */
  get incarnation(): string {
    return this.#incarnation;
  }

  get version(): number {
    return this.#version;
  }

  /** The highest epoch that was given out; 0 before the first. Redis' own count is believed only above it. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Incarnations that must not be worked on again. */
  get past(): readonly string[] {
    return this.#past;
  }

  /** Raises the mark; another incarnation makes the one before a past one. */
  advance(incarnation: string, version: number): void {
    if (incarnation !== this.#incarnation) {
      this.condemn(this.#incarnation);
      this.#incarnation = incarnation;
      this.#version = version;
    } else if (version > this.#version) {
      this.#version = version;
    }
  }

  /** Notes an epoch that is about to be given out. */
  count(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** From now on this incarnation is a past one, wherever it is found. */
  condemn(incarnation: string): void {
    if (incarnation === '' || this.#past.includes(incarnation)) return;
    this.#past = [...this.#past, incarnation].slice(-KEPT_PAST);
  }

  protected load(saved: z.infer<typeof SavedMark>): void {
    this.#incarnation = saved.incarnation;
    this.#version = saved.version;
    this.#epoch = saved.epoch;
    this.#past = saved.past;
  }
}

/**
 * A mark in a file, so that a control plane that was restarted still knows it. The file may lag: a lower mark only
 * means that going back by a few seconds is not noticed over a restart. One that cannot be read is a mark that was
 * never set; failing to write it is no error.
 */
export class FiledMark extends PositionMark {
  readonly #file: string;
  readonly #clock: Clock;
  #savedAt = -Infinity;
  #saving: Promise<void> | undefined;

  private constructor(file: string, clock: Clock) {
    super();
    this.#file = file;
    this.#clock = clock;
  }

  static async open(file: string, clock: Clock): Promise<FiledMark> {
    const mark = new FiledMark(file, clock);
    const text = await readFile(file, 'utf8').catch(() => '');
    try {
      mark.load(SavedMark.parse(JSON.parse(text)));
    } catch {
      // Never set, or cut short by a power failure.
    }
    return mark;
  }

  override advance(incarnation: string, version: number): void {
    const another = incarnation !== this.incarnation;
    super.advance(incarnation, version);
    if (another || this.#clock.monotonic() - this.#savedAt > SAVE_EVERY_MS) this.#saving ??= this.#save();
  }

  override condemn(incarnation: string): void {
    super.condemn(incarnation);
    this.#saving ??= this.#save();
  }

  override count(epoch: number): void {
    super.count(epoch);
    this.#saving ??= this.#save();
  }

  /** Writes it for the next control plane. */
  async close(): Promise<void> {
    await this.#saving;
    await this.#save();
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#clock.monotonic();
    // In the next turn: with what this one still adds.
    await Promise.resolve();
    const temporary = `${this.#file}.new`;
    const saved = { incarnation: this.incarnation, version: this.version, epoch: this.epoch, past: this.past };
    await writeFile(temporary, JSON.stringify(saved), { mode: 0o600 })
      .then(() => rename(temporary, this.#file))
      .catch(() => undefined);
    this.#saving = undefined;
  }
}
