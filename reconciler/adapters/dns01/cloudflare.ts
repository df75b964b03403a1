/** Records of a zone that Cloudflare serves. Source: Cloudflare API v4, `zones` and `dns_records`. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as startRequest } from 'node:https';
import { z } from 'zod';
import { errorText } from '../../../contracts/errors.ts';
import { answerBody } from '../../ports/answer-body.ts';
import type { ChallengeRecord, CloudflareCredential } from '../../core/certificates/dns01.ts';
import type { Clock } from '../../ports/clock.ts';
import { failure } from './failure.ts';

export interface CloudflareApi {
  /** Without a slash at its end; https. */
  readonly url: string;
  /** PEM, instead of the machine's own authorities. */
  readonly ca?: string;
}
export const CLOUDFLARE_API: CloudflareApi = { url: 'https://api.cloudflare.com/client/v4' };

/** What names a zone or a record in a path. */
const Id = z.string().regex(/^[A-Za-z0-9-]{1,64}$/);
/** Two, most often. */
const NameServers = z.array(z.string()).max(16);
const Zones = z.array(z.object({ id: Id, name: z.string(), name_servers: NameServers.default([]) }));
type Zone = z.infer<typeof Zones>[number];
const Records = z.array(z.object({ id: Id, content: z.string() }));
const Answer = z.object({
  success: z.boolean(),
  result: z.unknown(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
});

const NAME = 'Cloudflare';
const TTL_SECONDS = 120;
const TIMEOUT_MS = 20_000;
const MOST_BYTES = 512 * 1024;
/** Zones are looked for from the whole name on: no more than so many questions. */
const MOST_LABELS = 10;
/** Of one name, that are looked through; one page of theirs. */
const MOST_RECORDS = 100;

export class Cloudflare {
  readonly #api: CloudflareApi;
  readonly #clock: Pick<Clock, 'deadline'>;

  constructor(api: CloudflareApi, clock: Pick<Clock, 'deadline'>) {
    this.#api = api;
    this.#clock = clock;
  }

  async add(credential: CloudflareCredential, record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { id } = await this.#zoneOf(credential, record.name, signal);
    if ((await this.#recordsOf(credential, id, record, signal)).length > 0) return;
    const { name, value: content } = record;
    const body = JSON.stringify({ type: 'TXT', name, content: `"${content}"`, ttl: TTL_SECONDS });
    await this.#ask(z.unknown(), credential, 'POST', `/zones/${id}/dns_records`, signal, body);
  }

  async remove(credential: CloudflareCredential, record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { id } = await this.#zoneOf(credential, record.name, signal);
    for (const one of await this.#recordsOf(credential, id, record, signal))
      await this.#ask(z.unknown(), credential, 'DELETE', `/zones/${id}/dns_records/${one}`, signal);
  }

  /** Those that the zone is served by. */
  async nameServers(
    credential: CloudflareCredential,
    { name }: ChallengeRecord,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return (await this.#zoneOf(credential, name, signal)).name_servers;
  }

  /** The zone of the longest name that the name ends with. */
  async #zoneOf(credential: CloudflareCredential, name: string, signal: AbortSignal): Promise<Zone> {
    const labels = name.split('.').slice(-MOST_LABELS);
    for (let from = 0; from < labels.length - 1; from += 1) {
      const zone = labels.slice(from).join('.');
      const found = await this.#ask(Zones, credential, 'GET', `/zones?name=${encodeURIComponent(zone)}`, signal);
      const one = found.find((its) => its.name === zone);
      if (one) return one;
    }
    throw failure(NAME, `no zone of ${name} is there, or the token may not read it: it needs Zone:Read and DNS:Edit`);
  }

  /** The ids of records with this name and text. */
  async #recordsOf(
    credential: CloudflareCredential,
    zone: string,
    { name, value }: ChallengeRecord,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const query = `type=TXT&name=${encodeURIComponent(name)}&per_page=${MOST_RECORDS}`;
    const found = await this.#ask(Records, credential, 'GET', `/zones/${zone}/dns_records?${query}`, signal);
    // With and without quotes: it has given back both.
    return found.filter(({ content }) => content === value || content === `"${value}"`).map(({ id }) => id);
  }

  /** What is in `result`. */
  async #ask<T>(
    form: z.ZodType<T>,
    credential: CloudflareCredential,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    signal: AbortSignal,
    body?: string,
  ): Promise<T> {
    using limit = this.#clock.deadline(TIMEOUT_MS, signal);
    const request = startRequest(`${this.#api.url}${path}`, {
      method,
      headers: {
        ...('token' in credential
          ? { authorization: `Bearer ${credential.token}` }
          : { 'x-auth-email': credential.email, 'x-auth-key': credential.key }),
        'user-agent': 'plumbline',
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      ...(this.#api.ca !== undefined && { ca: this.#api.ca }),
      agent: false,
      signal: limit.signal,
    });
    try {
      const answered = once(request, 'response') as Promise<[IncomingMessage]>;
      request.end(body);
      const [response] = await answered;
      const text = (await answerBody(response, MOST_BYTES)).toString('utf8');
      const { success, result, errors } = Answer.parse(JSON.parse(text));
      if (success) return form.parse(result);
      const why = errors.map(({ code, message }) => `${message} (${code})`);
      throw new Error(`it answers ${response.statusCode}: ${why.join('; ')}`);
    } catch (error) {
      signal.throwIfAborted();
      const why = limit.signal.aborted ? `no answer in ${TIMEOUT_MS / 1000} s` : errorText(error);
      throw failure(
        NAME,
        error instanceof z.ZodError || error instanceof SyntaxError ? 'its answer is not one of its API' : why,
        error,
      );
    }
  }
}
