/** How the objects of a source are. */
import { customSourceObjects, reportHealth, sourceObjects, type ObjectReport } from '../../core/revisions/health.ts';
import { turns } from '../runtime/slices.ts';
import type { SyncDependencies } from './dependencies.ts';

/** Changes of objects that come together are looked at once, in milliseconds. */
const SETTLE_MS = 50;
/** A look takes as long as there are objects: where changes never end, it has this share of the time. */
const SHARE = 1 / 20;

export class HealthReports {
  readonly #name: string;
  readonly #deps: Pick<SyncDependencies, 'view' | 'clock'>;
  #settleMs = SETTLE_MS;

  constructor(sourceName: string, deps: Pick<SyncDependencies, 'view' | 'clock'>) {
    this.#name = sourceName;
    this.#deps = deps;
  }

  /** From a change to the look for it, in milliseconds. */
  get settleMs(): number {
    return this.#settleMs;
  }

  /** In slices: what changes meanwhile asks for another look. */
  async read(signal: AbortSignal): Promise<readonly ObjectReport[]> {
    const { view, clock } = this.#deps;
    const reports: ObjectReport[] = [];
    let began = clock.monotonic();
    let tookMs = 0;
    for (const object of [...sourceObjects(view, this.#name), ...customSourceObjects(view.custom, this.#name)]) {
      if (turns.isOver) {
        tookMs += clock.monotonic() - began;
        await turns.next();
        signal.throwIfAborted();
        began = clock.monotonic();
      }
      reports.push(reportHealth(object, view));
    }
    tookMs += clock.monotonic() - began;
    this.#settleMs = Math.max(SETTLE_MS, Math.ceil(tookMs / SHARE));
    return reports;
  }
}
