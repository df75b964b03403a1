/** Asks a Prometheus. Source: Prometheus documentation, "HTTP API", instant queries. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { errorText } from '../../../contracts/errors.ts';
import type { Prometheus } from '../../../contracts/objects/index.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import type { SeriesSelection } from '../../core/workloads/horizontal-pod-autoscaler-series.ts';
import type { SeriesAccess } from '../../core/workloads/series-access.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SeriesSource } from '../../ports/series-source.ts';
import { queryOf } from './promql.ts';

export interface PrometheusSourceOptions {
  readonly clock: Pick<Clock, 'deadline'>;
  /** An answer is as long at most; 4 MiB when absent. */
  readonly maxBytes?: number;
  /** Default 5 s. */
  readonly timeoutMs?: number;
}

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_SERIES = 10_000;
const TIMEOUT_MS = 5_000;
/** Characters of what it says that are told. */
const MAX_SAID = 200;

const Answer = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('success'),
    data: z.discriminatedUnion('resultType', [
      z.object({
        resultType: z.literal('vector'),
        result: z
          .array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }))
          .max(MAX_SERIES),
      }),
      z.object({ resultType: z.literal('scalar'), result: z.tuple([z.number(), z.string()]) }),
    ]),
  }),
  z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() }),
]);
type Series = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };

export class PrometheusSource implements SeriesSource {
  readonly #clock: Pick<Clock, 'deadline'>;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;

  constructor({ clock, maxBytes = MAX_BYTES, timeoutMs = TIMEOUT_MS }: PrometheusSourceOptions) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#timeoutMs = timeoutMs;
  }

  async sums(
    settings: Prometheus,
    selection: SeriesSelection,
    signal: AbortSignal,
    access: SeriesAccess = {},
  ): Promise<ReadonlyMap<string, number>> {
    // Nothing has none of no values.
    if (selection.matchers.some(({ is, values }) => is === 'in' && values.length === 0)) return new Map();
    const series = await this.#ask(settings.url, queryOf(settings, selection), access, signal);
    const sums = new Map<string, number>();
    for (const { metric, value } of series) {
      const key = selection.by === undefined ? '' : new Map(Object.entries(metric)).get(selection.by);
      const number = Number(value[1]);
      if (key !== undefined && Number.isFinite(number)) sums.set(key, (sums.get(key) ?? 0) + number);
    }
    return sums;
  }

  async #ask(url: string, query: string, access: SeriesAccess, signal: AbortSignal): Promise<readonly Series[]> {
    using limit = this.#clock.deadline(this.#timeoutMs, signal);
    try {
      const place = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
      const body = new URLSearchParams({ query, timeout: `${this.#timeoutMs}ms` }).toString();
      const response = await post(place, body, access, limit.signal);
      return seriesIn(await this.#textOf(response), response.statusCode ?? 0);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PlumbError) throw error;
      const why = limit.signal.aborted ? `no answer within ${this.#timeoutMs / 1000} s` : errorText(error);
      throw new RetryableError('PrometheusUnavailable', `Prometheus at ${url}: ${why}`, { cause: error });
    }
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > this.#maxBytes) throw new Error(`its answer is longer than ${this.#maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }
}

/** Elsewhere than to what the commit names nothing is sent: no redirect is followed. */
async function post(
  place: URL,
  body: string,
  { authorization, ca }: SeriesAccess,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const options = {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
      ...(authorization !== undefined && { authorization }),
    },
    signal,
  };
  const request =
    place.protocol === 'https:' ? httpsRequest(place, { ...options, ca, agent: false }) : httpRequest(place, options);
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end(body);
  const [response] = await answered;
  // What happens from here on is met where its answer is read.
  request.on('error', () => undefined);
  return response;
}

function seriesIn(text: string, status: number): readonly Series[] {
  const answer = Answer.safeParse(jsonIn(text));
  if (!answer.success)
    throw new Error(
      status === 401 || status === 403
        ? `it wants another login than that of spec.metrics.prometheus.secretRef (status ${status})`
        : `its answer, with status ${status}, is not that of a query`,
    );
  if (answer.data.status === 'error') {
    const said = `${answer.data.errorType}: ${answer.data.error}`.slice(0, MAX_SAID);
    if (answer.data.errorType === 'bad_data')
      throw new TerminalError('PrometheusRefused', `Prometheus does not take the query: ${said}`);
    throw new Error(said);
  }
  const { data } = answer.data;
  return data.resultType === 'vector' ? data.result : [{ metric: {}, value: data.result }];
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
