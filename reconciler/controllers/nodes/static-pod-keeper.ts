/** Makes the pods of files on the nodes that are spoken to from here, as those tell them. */
import { errorText } from '../../../contracts/errors.ts';
import { objectKey, type Stored } from '../../../contracts/objects/index.ts';
import { staticPods, type NodeFile, type StaticPods } from '../../core/static-pods/files.ts';
import { isStaticPod, staticSteps } from '../../core/static-pods/static-pod.ts';
import type { Step } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { StoreCache } from '../runtime/cache.ts';
import { inSlices } from '../runtime/slices.ts';

export interface StaticPodKeeperOptions {
  readonly cache: Pick<StoreCache, 'get' | 'podsOnNode'>;
  /** Does the steps, and answers what was refused. */
  readonly execute: (
    steps: readonly Step[],
    by: string,
    signal: AbortSignal,
  ) => Promise<readonly { readonly message: string }[]>;
  readonly clock: Clock;
  readonly log: Log;
}

const AUTHOR = 'static-pods';
/** What could not be done is tried again. */
const AGAIN_MS = 20_000;

interface Told {
  readonly files: readonly NodeFile[];
  /** What they ask for, once they were read. */
  readonly wanted?: StaticPods;
}

export class StaticPodKeeper {
  readonly #options: StaticPodKeeperOptions;
  /** By node: what its files ask for, since it told. Of one that did not tell, nothing is made and nothing ends. */
  readonly #told = new Map<string, Told>();
  readonly #due = new Set<string>();
  /** Nodes with something that was refused. */
  readonly #again = new Set<string>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(options: StaticPodKeeperOptions) {
    this.#options = options;
  }

  told(node: string, files: readonly NodeFile[]): void {
    const before = this.#told.get(node);
    // A connection that is made anew tells all again.
    const isNews = !before || JSON.stringify(before.files) !== JSON.stringify(files);
    if (isNews) this.#told.set(node, { files });
    this.#wake(node);
  }

  /** It is spoken to from here no longer. */
  left(node: string): void {
    this.#told.delete(node);
  }

  /** To be told of every change, when the cache shows it. */
  observe(type: 'put' | 'delete', object: Stored, previous: Stored | undefined): void {
    if (object.kind === 'Node' && type === 'put' && previous === undefined) this.#wake(object.metadata.name);
    const node = object.kind === 'Pod' && type === 'delete' ? object.spec.nodeName : undefined;
    if (object.kind === 'Pod' && node !== undefined && isStaticPod(object, node)) this.#wake(node);
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the keeper of static pods is being closed'));
    await Promise.all([this.#running, this.#waiting]);
  }

  #wake(node: string): void {
    if (!this.#told.has(node) || this.#stopping.signal.aborted) return;
    this.#due.add(node);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Whoever wakes several nodes at once wakes them all first.
    await Promise.resolve();
    for (const node of this.#due) {
      this.#due.delete(node);
      if (this.#stopping.signal.aborted) break;
      if (!(await this.#make(node))) this.#again.add(node);
    }
    this.#running = undefined;
    if (this.#again.size > 0 && !this.#stopping.signal.aborted) this.#waiting ??= this.#tryAgain();
  }

  async #tryAgain(): Promise<void> {
    await this.#options.clock.sleep(AGAIN_MS, this.#stopping.signal).catch(() => undefined);
    this.#waiting = undefined;
    const nodes = [...this.#again];
    this.#again.clear();
    for (const node of nodes) this.#wake(node);
  }

  /** Whether all of it was done. */
  async #make(name: string): Promise<boolean> {
    const { cache, execute, log } = this.#options;
    const { signal } = this.#stopping;
    const told = this.#told.get(name);
    const node = cache.get(objectKey('Node', undefined, name));
    if (!told || !node) return true;
    const warn = (message: string): Step => ({
      do: 'event',
      regarding: node,
      type: 'Warning',
      reason: 'StaticPodRefused',
      message,
    });
    try {
      // A node chooses how long it takes to read its files.
      const wanted = told.wanted ?? (await inSlices(staticPods(name, told.files), signal));
      if (this.#told.get(name) !== told) return true;
      const events = told.wanted ? [] : wanted.refused.map(({ file, message }) => warn(`${file}: ${message}`));
      this.#told.set(name, { ...told, wanted });
      const refused = await execute(
        [...staticSteps(name, wanted.pods, cache.podsOnNode(name)), ...events],
        AUTHOR,
        signal,
      );
      if (refused.length === 0) return true;
      await execute(
        refused.map(({ message }) => warn(message)),
        AUTHOR,
        signal,
      );
    } catch (error) {
      if (!signal.aborted) log.warn('static pods could not be made', { node: name, error: errorText(error) });
    }
    return false;
  }
}
