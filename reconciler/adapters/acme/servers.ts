/** ACME over HTTPS. Source: RFC 8555. */
import { createHash, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { errorText } from '../../../contracts/errors.ts';
import { AcmeRefusal, AcmeUnavailable } from '../../core/certificates/acme-errors.ts';
import { externalBinding, signedRequest } from '../../core/certificates/jws.ts';
import { PlumbError } from '../../core/errors.ts';
import type {
  AcmeAccount,
  AcmeAuthorization,
  AcmeOrder,
  AcmePlace,
  AcmeServers,
  Registration,
} from '../../ports/acme-server.ts';
import type { Clock } from '../../ports/clock.ts';
import { exchange, type Answer } from './http.ts';

const TIMEOUT_MS = 30_000;
/** A nonce may be old by the time it is used: then the answer has a new one. */
const NONCE_ROUNDS = 4;
const MOST_SAID = 500;
/** Chains that are looked at for the one that is preferred. */
const MOST_CHAINS = 8;
const MOST_DIRECTORIES = 100;
/** After no answer a server is not asked for so long: many may wait for it, and others must have their turn. */
const SILENT_MS = 10_000;
/** Servers may move what they serve. */
const DIRECTORY_MS = 3_600_000;

const Url = z.url().max(2048);
const Directory = z.object({
  newNonce: Url,
  newAccount: Url,
  newOrder: Url,
});
type Directory = z.infer<typeof Directory>;

const Status = z.enum(['pending', 'ready', 'processing', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']);
const Problem = z.object({
  type: z.string().max(200).optional(),
  detail: z.string().optional(),
  subproblems: z
    .array(z.object({ detail: z.string().optional(), identifier: z.object({ value: z.string() }).optional() }))
    .max(1000)
    .optional(),
});
const Order = z.object({
  status: Status,
  authorizations: z.array(Url).max(1000),
  finalize: Url,
  certificate: Url.optional(),
  error: Problem.optional(),
});
const Authorization = z.object({
  status: Status,
  identifier: z.object({ type: z.string(), value: z.string().max(253) }),
  wildcard: z.boolean().optional(),
  challenges: z
    .array(
      z.object({
        type: z.string().max(64),
        url: Url,
        token: z
          .string()
          .max(256)
          .regex(/^[A-Za-z0-9_-]*$/)
          .default(''),
        error: Problem.optional(),
      }),
    )
    .max(100),
});

interface Request {
  /** Absent where there is no account yet. */
  readonly kid?: string;
  readonly payload?: unknown;
  readonly accept?: string;
}

export class HttpAcmeServers implements AcmeServers {
  readonly #clock: Pick<Clock, 'deadline' | 'monotonic'>;
  readonly #directories = new Map<string, { readonly is: Directory; readonly readAt: number }>();
  /** Those that gave no answer, and until when nobody asks. */
  readonly #silent = new Map<string, number>();
  /** By place of a nonce; one each: an account is asked one thing after another. */
  readonly #nonces = new Map<string, string>();

  constructor({ clock }: { readonly clock: Pick<Clock, 'deadline' | 'monotonic'> }) {
    this.#clock = clock;
  }

  async register(registration: Registration, signal: AbortSignal): Promise<string> {
    const { email, external, key } = registration;
    return this.#within(registration, signal, async (during) => {
      const { newAccount } = await this.#directory(registration, during);
      const contact = email === undefined ? [] : [`mailto:${email}`];
      const answer = await this.#post(
        registration,
        newAccount,
        {
          payload: {
            termsOfServiceAgreed: true,
            ...(contact.length > 0 && { contact }),
            ...(external && { externalAccountBinding: externalBinding(key, external.keyId, external.mac, newAccount) }),
          },
        },
        during,
      );
      const uri = answer.headers.location;
      if (uri === undefined) throw new Error('it gives the account no URL');
      // An account that was there before keeps its contact until it is told.
      if (answer.status === 200 && contact.length > 0)
        await this.#post(registration, uri, { kid: uri, payload: { contact } }, during);
      return uri;
    });
  }

  newOrder(
    account: AcmeAccount,
    { dnsNames, profile }: { readonly dnsNames: readonly string[]; readonly profile?: string | undefined },
    signal: AbortSignal,
  ): Promise<AcmeOrder> {
    return this.#within(account, signal, async (during) => {
      const { newOrder } = await this.#directory(account, during);
      const payload = {
        identifiers: dnsNames.map((value) => ({ type: 'dns', value })),
        ...(profile !== undefined && { profile }),
      };
      const answer = await this.#post(account, newOrder, { kid: account.uri, payload }, during);
      const url = answer.headers.location;
      if (url === undefined) throw new Error('it gives the order no URL');
      return orderIn(answer, url);
    });
  }

  order(account: AcmeAccount, url: string, signal: AbortSignal): Promise<AcmeOrder> {
    return this.#within(account, signal, async (during) =>
      orderIn(await this.#post(account, url, { kid: account.uri }, during), url),
    );
  }

  authorization(account: AcmeAccount, url: string, signal: AbortSignal): Promise<AcmeAuthorization> {
    return this.#within(account, signal, async (during) => {
      const answer = await this.#post(account, url, { kid: account.uri }, during);
      const { status, identifier, wildcard, challenges } = Authorization.parse(JSON.parse(answer.text));
      return {
        status,
        dnsName: identifier.value.toLowerCase(),
        isWildcard: wildcard === true,
        challenges: challenges.map(({ error, ...challenge }) => ({
          ...challenge,
          problem: error && problemText(error),
        })),
      };
    });
  }

  async challenge(account: AcmeAccount, url: string, signal: AbortSignal): Promise<void> {
    await this.#within(account, signal, (during) =>
      this.#post(account, url, { kid: account.uri, payload: {} }, during),
    );
  }

  finalize(account: AcmeAccount, order: AcmeOrder, request: Uint8Array, signal: AbortSignal): Promise<AcmeOrder> {
    return this.#within(account, signal, async (during) => {
      const payload = { csr: Buffer.from(request).toString('base64url') };
      const answer = await this.#post(account, order.finalize, { kid: account.uri, payload }, during);
      return orderIn(answer, order.url);
    });
  }

  certificate(
    account: AcmeAccount,
    url: string,
    preferredChain: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#within(account, signal, async (during) => {
      const accept = 'application/pem-certificate-chain';
      const answer = await this.#post(account, url, { kid: account.uri, accept }, during);
      if (preferredChain === undefined || endsIn(answer.text, preferredChain)) return answer.text;
      for (const other of alternates(answer.headers.link, url)) {
        const { text } = await this.#post(account, other, { kid: account.uri, accept }, during);
        if (endsIn(text, preferredChain)) return text;
      }
      return answer.text;
    });
  }

  /** All that is asked of the server for one call. */
  async #within<T>(place: AcmePlace, signal: AbortSignal, work: (during: AbortSignal) => Promise<T>): Promise<T> {
    const { server } = place;
    const key = placeKey(place);
    const silentFor = (this.#silent.get(key) ?? 0) - this.#clock.monotonic();
    if (silentFor > 0)
      throw new AcmeUnavailable(`the ACME server ${server}: it gave no answer a moment ago`, { afterMs: silentFor });
    using limit = this.#clock.deadline(TIMEOUT_MS, signal);
    try {
      const answer = await work(limit.signal);
      this.#silent.delete(key);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PlumbError) throw error;
      const why = limit.signal.aborted
        ? `no answer within ${TIMEOUT_MS / 1000} s`
        : error instanceof z.ZodError || error instanceof SyntaxError
          ? 'its answer is not one of an ACME server'
          : errorText(error);
      if (this.#silent.size >= MOST_DIRECTORIES) this.#silent.clear();
      this.#silent.set(key, this.#clock.monotonic() + SILENT_MS);
      throw new AcmeUnavailable(`the ACME server ${server}: ${why}`, { cause: error });
    }
  }

  async #directory(place: AcmePlace, signal: AbortSignal): Promise<Directory> {
    const known = this.#directories.get(placeKey(place));
    const now = this.#clock.monotonic();
    if (known && now - known.readAt < DIRECTORY_MS) return known.is;
    const answer = await exchange(place, place.server, { method: 'GET' }, signal);
    if (answer.status !== 200) throw refusal(place, answer);
    const is = Directory.parse(JSON.parse(answer.text));
    if (this.#directories.size >= MOST_DIRECTORIES) this.#directories.clear();
    this.#directories.set(placeKey(place), { is, readAt: now });
    return is;
  }

  async #post(
    place: AcmePlace & Pick<AcmeAccount, 'key'>,
    url: string,
    { kid, payload, accept }: Request,
    signal: AbortSignal,
  ): Promise<Answer> {
    for (let round = 1; ; round += 1) {
      const nonce = await this.#nonce(place, signal);
      const header = { url, nonce, ...(kid !== undefined && { kid }) };
      const body = JSON.stringify(signedRequest(place.key, header, payload));
      const answer = await exchange(
        place,
        url,
        { method: 'POST', body, ...(accept !== undefined && { accept }) },
        signal,
      );
      this.#keepNonce(place, answer);
      if (answer.status < 400) return answer;
      const problem = problemOf(answer);
      if (problem.type !== BAD_NONCE || round === NONCE_ROUNDS) throw refusal(place, answer);
    }
  }

  async #nonce(place: AcmePlace, signal: AbortSignal): Promise<string> {
    const key = placeKey(place);
    const kept = this.#nonces.get(key);
    this.#nonces.delete(key);
    if (kept !== undefined) return kept;
    const { newNonce } = await this.#directory(place, signal);
    const { headers } = await exchange(place, newNonce, { method: 'HEAD' }, signal);
    const nonce = headers['replay-nonce'];
    if (typeof nonce !== 'string') throw new Error('it gives no nonce');
    return nonce;
  }

  #keepNonce(place: AcmePlace, { headers }: Answer): void {
    const nonce = headers['replay-nonce'];
    if (this.#nonces.size >= MOST_DIRECTORIES) this.#nonces.clear();
    if (typeof nonce === 'string') this.#nonces.set(placeKey(place), nonce);
  }
}

/**
 * What is known of a server, by whose word: an issuer with authorities of its own says nothing of it to others, neither that
 * it is silent nor what its places are.
 */
function placeKey({ server, ca }: AcmePlace): string {
  return ca === undefined ? server : `${server} ${createHash('sha256').update(ca).digest('base64url')}`;
}

const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce';
const RATE_LIMITED = 'urn:ietf:params:acme:error:rateLimited';
const INTERNAL = 'urn:ietf:params:acme:error:serverInternal';

function orderIn(answer: Answer, url: string): AcmeOrder {
  const { error, ...order } = Order.parse(JSON.parse(answer.text));
  return { ...order, url, problem: error && problemText(error) };
}

type Problem = z.infer<typeof Problem>;

function problemOf({ text }: Answer): Problem {
  try {
    return Problem.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** One line. */
function problemText({ type, detail, subproblems = [] }: Problem): string {
  const more = subproblems.slice(0, 10).map((one) => `${one.identifier?.value ?? ''}: ${one.detail ?? ''}`);
  const said = [detail ?? 'no reason is given', ...more].join('; ').replaceAll(/[\p{Cc}\s]+/gu, ' ');
  return `${type ?? 'error'}: ${said}`.slice(0, MOST_SAID);
}

function refusal({ server }: AcmePlace, answer: Answer): PlumbError {
  const problem = problemOf(answer);
  const message = `the ACME server ${server} answers ${answer.status}: ${problemText(problem)}`;
  const isForNow =
    answer.status >= 500 || answer.status === 429 || [RATE_LIMITED, INTERNAL, BAD_NONCE].includes(problem.type ?? '');
  return isForNow
    ? new AcmeUnavailable(message, { afterMs: retryAfter(answer) })
    : new AcmeRefusal(message, problem.type ?? '');
}

const LONGEST_PAUSE_S = 7 * 24 * 3600;

/** Milliseconds; the header in seconds alone is read: a date would be by a clock that is not ours. */
function retryAfter({ headers, status }: Answer): number | undefined {
  const seconds = Number(headers['retry-after']);
  if (Number.isFinite(seconds) && seconds > 0) return Math.min(seconds, LONGEST_PAUSE_S) * 1000;
  return status === 429 ? 3_600_000 : undefined;
}

/** Source: RFC 8288, and RFC 8555, 7.4.2. */
function alternates(links: string | readonly string[] | undefined, base: string): readonly string[] {
  const all = typeof links === 'string' ? links.split(/,\s*(?=<)/) : (links ?? []);
  return all
    .flatMap((link) => {
      const target = /^<([^>]{1,2048})>\s*;.*rel="?alternate"?/.exec(link)?.[1];
      return target !== undefined && URL.canParse(target, base) ? [new URL(target, base).href] : [];
    })
    .slice(0, MOST_CHAINS);
}

function endsIn(chain: string, commonName: string): boolean {
  const last = chain.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g)?.at(-1);
  if (last === undefined) return false;
  try {
    return new X509Certificate(last).issuer.split('\n').includes(`CN=${commonName}`);
  } catch {
    return false;
  }
}
