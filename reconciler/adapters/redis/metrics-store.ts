/**
 * Samples of use on Redis: a key a node, which Redis drops when its time is over. They decide how many pods run, so a
 * record is believed only with a proof that a holder of `seal.key` wrote it, for this node, in this incarnation of the
 * store, and until when. What no proof can tell: which of two records that are both in time is the newer one. Who can
 * write Redis can put the older one back, for as long as it would have been there.
 */
import { timingSafeEqual } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import { z } from 'zod';
import { NodeMetrics, PodMetrics, type NodeSample } from '../../core/metrics/shapes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MetricsStore } from '../../ports/metrics-store.ts';
import { Link } from './connection.ts';
import { storeKeys, type StoreKeys } from './keys.ts';
import { isCounter } from './record.ts';
import { Seal } from './seal.ts';

export interface RedisMetricsStoreOptions {
  readonly connection: RedisOptions;
  /** As the object store's. */
  readonly cluster: string;
  readonly incarnation: string;
  readonly sealKey: Uint8Array;
  readonly clock: Pick<Clock, 'now'>;
}

const CALL_MS = 3000;
/** Control planes that share a store may be this far apart in what their walls show. */
const CLOCK_SKEW_MS = 30_000;
/** No sample is longer: a node's answer has a limit too (`USAGE_BYTES`). */
const LONGEST_RECORD = 4 * 1024 * 1024;
/** Records that are held at once, each as long as that at most. */
const READ_AT_ONCE = 16;

const Sample = z.object({ node: NodeMetrics.optional(), pods: z.array(PodMetrics) });

/** On a connection of its own, as what it reads may be large. A record is `UNTIL.MAC`, a line feed, the sample. */
export class RedisMetricsStore implements MetricsStore {
  readonly #link: Link;
  readonly #keys: StoreKeys;
  readonly #incarnation: string;
  readonly #seal: Seal;
  readonly #clock: Pick<Clock, 'now'>;

  constructor({ connection, cluster, incarnation, sealKey, clock }: RedisMetricsStoreOptions) {
    this.#link = new Link({ connection, timeoutMs: CALL_MS });
    this.#keys = storeKeys(cluster);
    this.#incarnation = incarnation;
    this.#seal = new Seal(sealKey);
    this.#clock = clock;
  }

  async put(node: string, { node: own, pods }: NodeSample, ttlMs: number, signal: AbortSignal): Promise<void> {
    const until = String(Math.round(this.#clock.now().getTime() + ttlMs));
    const text = JSON.stringify({ node: own, pods: [...pods.values()] } satisfies z.input<typeof Sample>);
    const record = `${until}.${this.#prove(node, until, text)}\n${text}`;
    await this.#link.call((client) => client.set(this.#keys.metrics(node), record, 'PX', ttlMs), signal);
  }

  async of(nodes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, NodeSample>> {
    const samples = new Map<string, NodeSample>();
    for (let at = 0; at < nodes.length; at += READ_AT_ONCE) {
      const some = nodes.slice(at, at + READ_AT_ONCE);
      // Never more than the longest: what lies there may be anybody's.
      const records = await this.#link.call(
        (client) => Promise.all(some.map((node) => client.getrange(this.#keys.metrics(node), 0, LONGEST_RECORD))),
        signal,
      );
      for (const [i, node] of some.entries()) {
        const sample = this.#read(node, records[i] ?? '');
        if (sample) samples.set(node, sample);
      }
    }
    return samples;
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** Undefined for what no holder of the key wrote so, what is over, and what another version wrote. */
  #read(node: string, record: string): NodeSample | undefined {
    const headEnd = record.indexOf('\n');
    const [until = ''] = record.slice(0, Math.max(0, headEnd)).split('.', 1);
    if (!isCounter(until) || Number(until) + CLOCK_SKEW_MS < this.#clock.now().getTime()) return undefined;
    const text = record.slice(headEnd + 1);
    const wanted = Buffer.from(`${until}.${this.#prove(node, until, text)}`);
    const given = Buffer.from(record.slice(0, headEnd));
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
    const told = Sample.safeParse(JSON.parse(text));
    if (!told.success) return undefined;
    const { node: own, pods } = told.data;
    return { node: own, pods: new Map(pods.map((pod) => [pod.metadata.uid, pod])) };
  }

  #prove(node: string, until: string, text: string): string {
    return this.#seal.prove(`metrics|${this.#incarnation}|${node}|${until}`, text);
  }
}
