/**
 * Tokens of the pods on the nodes that are spoken to from here: made when a pod has its node, and anew long before they
 * expire. They go to the pod's node with what it holds of its own, and are in no store, queue or log.
 */
import { errorText } from '../../../contracts/errors.ts';
import {
  keyOf,
  objectKey,
  type ObjectKey,
  type Stored,
  type StoredPod,
  type StoredSecret,
} from '../../../contracts/objects/index.ts';
import { tokenRequests } from '../../../contracts/objects/pod-tokens.ts';
import { accountNameOf } from '../../core/service-accounts/pod-account.ts';
import { podTokens, type PodTokens } from '../../core/service-accounts/pod-tokens.ts';
import { DEFAULT_ISSUER, type SigningKey } from '../../core/service-accounts/signing-key.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { StoreCache } from '../runtime/cache.ts';
import { turns } from '../runtime/slices.ts';

export interface TokenKeeperOptions {
  readonly cache: Pick<StoreCache, 'get' | 'list'>;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the node is spoken to from here: no other needs tokens. */
  readonly isHeld: (node: string) => boolean;
  /** The pod's node is to hold these from now on, or, after `delete`, none. */
  readonly deliver: (type: 'put' | 'delete', tokens: StoredSecret) => void;
}

/** Renewals that are due together are made together. */
const LEAST_PAUSE_MS = 1_000;
/** The wall clock may have stepped meanwhile. */
const LONGEST_PAUSE_MS = 60_000;

interface Held {
  readonly tokens?: StoredSecret;
  /** Whom they are bound to, besides the pod. */
  readonly bearer?: string;
  /** When they need not be made anew. Undefined where nobody here has to. */
  readonly good?: Pick<PodTokens, 'validFrom' | 'renewAt'>;
}

export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  /** Pods that ask for tokens and have a node, by key. */
  readonly #pods = new Map<ObjectKey<'Pod'>, Held>();
  /** Of these, those that something changed for. */
  readonly #due = new Set<ObjectKey<'Pod'>>();
  readonly #stopping = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
  }

  /** To be told of every change, when the cache shows it, and of all that is there at the start. */
  observe(type: 'put' | 'delete', object: Stored, previous: Stored | undefined): void {
    if (object.kind === 'Pod') {
      this.#observePod(type, object);
      return;
    }
    // Of accounts and nodes it is their names and uids alone that are in tokens.
    const isAnother = previous?.metadata.uid !== object.metadata.uid;
    const { name, namespace } = object.metadata;
    if (object.kind === 'Cluster') this.#look(() => true);
    else if (object.kind === 'Node' && isAnother) this.#look(({ spec }) => spec.nodeName === name);
    else if (object.kind === 'ServiceAccount' && isAnother)
      this.#look(({ metadata, spec }) => metadata.namespace === namespace && accountNameOf(spec) === name);
  }

  /** Nodes are spoken to from here that were not. */
  taken(): void {
    this.#look(() => true);
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the token keeper is being closed'));
    this.#pause.abort(new Error('closed'));
    await this.#running;
  }

  #observePod(type: 'put' | 'delete', pod: StoredPod): void {
    const key = keyOf(pod);
    const before = this.#pods.get(key);
    const asks = type === 'put' && pod.spec.nodeName !== undefined && tokenRequests(pod.spec).length > 0;
    if (!asks) {
      this.#pods.delete(key);
      if (before?.tokens) this.#options.deliver('delete', before.tokens);
      return;
    }
    // Nothing else of a pod that could change is in its tokens.
    if (before?.tokens?.metadata.uid === pod.metadata.uid) return;
    if (before?.tokens) this.#options.deliver('delete', before.tokens);
    this.#pods.set(key, {});
    this.#wake(key);
  }

  #look(concerns: (pod: StoredPod) => boolean): void {
    for (const key of this.#pods.keys()) {
      const pod = this.#options.cache.get(key);
      if (pod && concerns(pod)) this.#wake(key);
    }
  }

  #wake(key: ObjectKey<'Pod'>): void {
    this.#due.add(key);
    this.#pause.abort(new Error('there is something to do'));
    if (!this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopping.signal.aborted && this.#pods.size > 0) {
      await this.#makeDue();
      this.#pause = new AbortController();
      if (this.#due.size > 0) continue;
      let next = Infinity;
      for (const { good } of this.#pods.values()) next = Math.min(next, good?.renewAt ?? Infinity);
      const pauseMs = Math.min(Math.max(next - clock.now().getTime(), LEAST_PAUSE_MS), LONGEST_PAUSE_MS);
      if (!this.#stopping.signal.aborted) await clock.sleep(pauseMs, this.#pause.signal).catch(() => undefined);
      const now = clock.now().getTime();
      for (const [key, { good }] of this.#pods) if (good && !isGoodAt(good, now)) this.#due.add(key);
    }
    this.#running = undefined;
  }

  async #makeDue(): Promise<void> {
    for (const key of this.#due) {
      this.#due.delete(key);
      if (turns.isOver) await turns.next();
      if (this.#stopping.signal.aborted) return;
      const before = this.#pods.get(key);
      try {
        this.#make(key);
      } catch (error) {
        // One pod's trouble is not the others'.
        this.#options.log.error('tokens of a pod could not be made', { pod: key, error: errorText(error) });
        const again = this.#options.clock.now().getTime() + LONGEST_PAUSE_MS;
        if (before) this.#pods.set(key, { ...before, good: { validFrom: -Infinity, renewAt: again } });
      }
    }
  }

  #make(key: ObjectKey<'Pod'>): void {
    const { cache, clock, isHeld, deliver } = this.#options;
    const pod = cache.get(key);
    const held = this.#pods.get(key);
    if (!pod || !held || pod.spec.nodeName === undefined) return;
    const { good, ...others } = held;
    const account = cache.get(objectKey('ServiceAccount', pod.metadata.namespace, accountNameOf(pod.spec)));
    const node = cache.get(objectKey('Node', undefined, pod.spec.nodeName));
    if (!account || !node || !isHeld(pod.spec.nodeName)) {
      // What is missing asks when it comes.
      this.#pods.set(key, others);
      return;
    }
    const now = clock.now();
    const issuer = this.#issuer();
    const bearer = [account.metadata.uid, node.metadata.uid, issuer].join(' ');
    if (held.bearer === bearer && good && isGoodAt(good, now.getTime())) return;
    const made = podTokens({ pod, account, node }, issuer, this.#options.key, now);
    if (!made) return;
    const { secret: tokens, ...times } = made;
    // By a clock before a pod was made there is nothing better than its first ones.
    const validFrom = Math.min(times.validFrom, now.getTime());
    this.#pods.set(key, { tokens, bearer, good: { ...times, validFrom } });
    if (tokens.metadata.resourceVersion !== held.tokens?.metadata.resourceVersion) deliver('put', tokens);
  }

  #issuer(): string {
    const [cluster] = this.#options.cache.list('Cluster');
    return cluster?.spec.serviceAccounts?.issuer ?? DEFAULT_ISSUER;
  }
}

/** Not before their time either: the clock may have been ahead when they were made. */
function isGoodAt({ validFrom, renewAt }: Pick<PodTokens, 'validFrom' | 'renewAt'>, now: number): boolean {
  return validFrom <= now && now < renewAt;
}
