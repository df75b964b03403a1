/** The table of members and leases, in the store's meta hash. */
import type { RedisOptions } from 'ioredis';
import { PlumbError, RetryableError } from '../../core/errors.ts';
import { SHARDS } from '../../core/leases/shards.ts';
import { EPOCH_SLACK } from '../../core/nodes/epoch.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grant, Leases, LeaseView, Member } from '../../ports/leases.ts';
import { Link } from './connection.ts';
import { storeKeys } from './keys.ts';
import { decodeTable, encodeMember, labelOf, LONGEST_FIELD, MOST_FIELDS } from './lease-table.ts';
import * as scripts from './lease-scripts.ts';
import { PositionMark } from './position-mark.ts';
import { isCounter } from './record.ts';
import { runScript } from './run-script.ts';

export interface RedisLeasesOptions {
  readonly connection: RedisOptions;
  /** As the object store's. */
  readonly cluster: string;
  /** Of the store, as it was opened. */
  readonly incarnation: string;
  readonly clock: Clock;
  /** As the object store's: it knows the highest epoch that was seen. */
  readonly mark?: PositionMark;
  /** How long a call waits for a server that does not answer, in ms. Default 3000. */
  readonly callTimeoutMs?: number;
}

const MOST_SHARDS = 1024;

/** On a connection of its own: a renewal does not stand in line behind large writes. */
export class RedisLeases implements Leases {
  readonly #link: Link;
  readonly #meta: string;
  readonly #incarnation: string;
  readonly #clock: Clock;
  readonly #mark: PositionMark;
  /** Of each member, what no renewal changes. */
  readonly #fixed = new Map<string, { readonly home: string; readonly label: string }>();

  constructor({ connection, cluster, incarnation, clock, mark, callTimeoutMs }: RedisLeasesOptions) {
    this.#link = new Link({ connection, timeoutMs: callTimeoutMs ?? 3000 });
    this.#meta = storeKeys(cluster).meta;
    this.#incarnation = incarnation;
    this.#clock = clock;
    this.#mark = mark ?? new PositionMark();
  }

  async join(
    who: { readonly home: string; readonly label: string },
    signal: AbortSignal,
  ): Promise<{ member: string; shards: number }> {
    const home = who.home.replaceAll('|', '');
    const label = labelOf(who.label);
    const answer = await this.#run<[string, string]>(scripts.JOIN, [home, label, String(SHARDS)], signal);
    const [member, text] = answer;
    const shards = Number(text);
    if (!isCounter(text) || shards < 1 || shards > MOST_SHARDS) this.#tampered('the number of shards');
    this.#fixed.set(member, { home, label });
    return { member, shards };
  }

  async renew(
    member: string,
    state: Pick<Member, 'beat' | 'ready' | 'letGo'>,
    signal: AbortSignal,
  ): Promise<LeaseView | undefined> {
    const value = encodeMember(this.#fixed.get(member) ?? { home: '', label: '' }, state);
    const most = [String(MOST_FIELDS), String(LONGEST_FIELD)];
    const fields = await this.#run<string[]>(scripts.RENEW, [member, value, ...most], signal);
    if (fields.length === 0) return undefined;
    return decodeTable(fields) ?? this.#tampered('the table of members and leases');
  }

  async acquire(member: string, names: readonly string[], signal: AbortSignal): Promise<readonly Grant[]> {
    if (names.length === 0) return [];
    const now = this.#clock.now().getTime();
    const floor = this.#mark.epoch;
    const args = [member, String(now), String(floor), ...names];
    const taken = await this.#run<[string, string, string][]>(scripts.ACQUIRE, args, signal);
    return taken.map(([name, text, resourceVersion]) => {
      const token = Number(text);
      // As `RedisObjectStore.nextEpoch` does with the same count.
      if (!(token > floor && token <= Math.max(now, floor) + EPOCH_SLACK)) this.#tampered('the count of epochs');
      if (!isCounter(resourceVersion)) this.#tampered('the version of the store');
      this.#mark.count(token);
      return { name, token, resourceVersion };
    });
  }

  async release(member: string, names: readonly string[], signal: AbortSignal): Promise<void> {
    if (names.length > 0) await this.#run(scripts.RELEASE, [member, ...names], signal);
  }

  async expel(member: string, beat: number, signal: AbortSignal): Promise<boolean> {
    return (await this.#run<number>(scripts.EXPEL, [member, String(beat)], signal)) === 1;
  }

  async leave(member: string, signal: AbortSignal): Promise<void> {
    await this.#run(scripts.EXPEL, [member, ''], signal);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  async #run<T>(script: string, args: readonly string[], signal: AbortSignal): Promise<T> {
    try {
      return (await this.#link.call(
        (client) => runScript(client, script, [this.#meta], [this.#incarnation, ...args]),
        signal,
      )) as T;
    } catch (error) {
      // Also what no script of ours can work with: opened again as it is, it would be lost again, for ever.
      if (error instanceof PlumbError && error.code === 'StoreLost') this.#mark.condemn(this.#incarnation);
      throw error;
    }
  }

  /** Nothing of this incarnation is believed from now on: it is rebuilt as a lost one is. */
  #tampered(what: string): never {
    this.#mark.condemn(this.#incarnation);
    throw new RetryableError(
      'StoreTampered',
      `${what}: what is in Redis was not written by this control plane; find out who else can write to this Redis`,
    );
  }
}
