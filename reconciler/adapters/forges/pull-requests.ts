/** All pages of a repository's open pull requests, as they were at one time. */
import { errorText } from '../../../contracts/errors.ts';
import { readKey } from '../../../contracts/objects/index.ts';
import type { FoundPullRequest } from '../../core/apps/pull-requests.ts';
import { RetryableError, TerminalError, type PlumbError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AskedForge, PullRequests } from '../../ports/pull-requests.ts';
import { DIALECTS, PAGE } from './answers.ts';
import { ask, type Answer } from './http.ts';

/** Of 50 each: strangers may open many. */
const MAX_PAGES = 20;
/** Of all its pages; strangers may make descriptions as long as the forge lets them. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Pages that are known by their ETag: a few of each repository. One of more characters is asked for whole each time. */
const [MAX_KNOWN, MAX_KNOWN_LENGTH] = [256, 256 * 1024];
/** How long a forge is left alone that says it was asked too often and not until when, and at most, in milliseconds. */
const [REST_MS, MAX_REST_MS] = [60_000, 3_600_000];

interface Page {
  readonly pulls: readonly FoundPullRequest[];
  readonly isLast: boolean;
}

export class HttpPullRequests implements PullRequests {
  readonly #clock: Pick<Clock, 'monotonic' | 'now'>;
  /** By URL and token; the one that was used longest ago stands first. */
  readonly #known = new Map<string, Page & { readonly etag: string }>();
  /** When a forge may be asked again, on the monotonic clock, by its URL. */
  readonly #resting = new Map<string, number>();

  constructor({ clock }: { readonly clock: Pick<Clock, 'monotonic' | 'now'> }) {
    this.#clock = clock;
  }

  async open(asked: AskedForge, signal: AbortSignal): Promise<readonly FoundPullRequest[]> {
    const { pulls, pages } = await this.#all(asked, signal);
    if (pages === 1) return pulls;
    // One that is closed between two pages moves another one from the second to the first, where it was read already.
    const again = await this.#all(asked, signal);
    const ids = (all: readonly FoundPullRequest[]): string => JSON.stringify(all.map(({ number }) => number));
    if (ids(again.pulls) !== ids(pulls))
      throw new RetryableError(
        'ForgeUnreachable',
        `the pull requests of ${asked.repository} changed while they were read`,
      );
    return again.pulls;
  }

  async #all(
    asked: AskedForge,
    signal: AbortSignal,
  ): Promise<{ readonly pulls: readonly FoundPullRequest[]; readonly pages: number }> {
    const pulls: FoundPullRequest[] = [];
    let left = MAX_BYTES;
    for (let page = 1; page <= MAX_PAGES; page++) {
      const { pulls: some, isLast, bytes } = await this.#page(asked, page, left, signal);
      left -= bytes;
      pulls.push(...some);
      if (isLast) return { pulls, pages: page };
    }
    throw new TerminalError(
      'ForgeRefused',
      `${asked.repository} has more than ${MAX_PAGES * PAGE} open pull requests, which are not read`,
    );
  }

  /** `bytes`: that were read for it, of at most `maxBytes`. */
  async #page(
    asked: AskedForge,
    page: number,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Page & { readonly bytes: number }> {
    const { forge, url, auth } = asked;
    const dialect = DIALECTS[forge];
    const values = auth?.reveal();
    const token = values?.get('bearerToken') ?? values?.get('password');
    const place = dialect.url(asked, page);
    const key = JSON.stringify([place, token]);
    const known = this.#known.get(key);
    this.#mayAsk(url);
    let answer: Answer;
    try {
      const headers = { ...dialect.headers(token), ...(known && { 'if-none-match': known.etag }) };
      answer = await ask(new URL(place), headers, values?.get('ca.crt'), maxBytes, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new RetryableError('ForgeUnreachable', `${url} cannot be asked: ${errorText(error)}`, { cause: error });
    }
    if (known && answer.status === 304) {
      this.#keep(key, known);
      return { ...known, bytes: 0 };
    }
    if (answer.status !== 200) throw this.#refusal(asked, answer);
    const read = pageOf(asked, answer);
    const { etag } = answer.headers;
    this.#keep(key, etag === undefined ? undefined : { ...read, etag });
    return { ...read, bytes: Buffer.byteLength(answer.text) };
  }

  #keep(key: string, page: (Page & { readonly etag: string }) | undefined): void {
    this.#known.delete(key);
    if (page && JSON.stringify(page).length <= MAX_KNOWN_LENGTH) this.#known.set(key, page);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  #mayAsk(url: string): void {
    const until = this.#resting.get(url);
    if (until === undefined) return;
    const left = until - this.#clock.monotonic();
    if (left > 0)
      throw new RetryableError('ForgeUnreachable', `${url} lets nobody ask again for ${Math.ceil(left / 1000)} s`);
    this.#resting.delete(url);
  }

  /** Source: GitHub, "Rate limits for the REST API"; GitLab, "Rate limits"; RFC 9110, 10.2.3. */
  #refusal({ url, repository, auth }: AskedForge, { status, headers }: Answer): PlumbError {
    const header = (name: string): number => Number(readKey(headers, name) ?? Number.NaN);
    if (
      status === 429 ||
      (status === 403 && (headers['retry-after'] !== undefined || header('x-ratelimit-remaining') === 0))
    ) {
      const reset = header('x-ratelimit-reset') * 1000 - this.#clock.now().getTime();
      const asked = [header('retry-after') * 1000, reset].find((ms) => Number.isFinite(ms) && ms > 0) ?? REST_MS;
      const ms = Math.min(asked, MAX_REST_MS);
      this.#resting.set(url, this.#clock.monotonic() + ms);
      const hint = auth ? '' : ': with a token in secretRef it lets one ask more often';
      return new RetryableError(
        'ForgeUnreachable',
        `${url} was asked too often, and is left alone for ${Math.ceil(ms / 1000)} s${hint}`,
      );
    }
    if (status === 401 || status === 403 || status === 404)
      return new TerminalError(
        'ForgeRefused',
        `${url} answers ${status} for the pull requests of ${repository}: check url, repository, and that the token may read them`,
      );
    if (status >= 300 && status < 400)
      return new TerminalError(
        'ForgeRefused',
        `${url} points elsewhere (${status}), where nobody goes with a token: write the URL that it has`,
      );
    return new RetryableError('ForgeUnreachable', `${url} answers ${status} for the pull requests of ${repository}`);
  }
}

function pageOf({ forge, url, repository }: AskedForge, { text, headers }: Answer): Page {
  try {
    const pulls = DIALECTS[forge].read(JSON.parse(text));
    const link = String(headers['link'] ?? '');
    return { pulls, isLast: !link.includes('rel="next"') && pulls.length < PAGE };
  } catch (error) {
    throw new TerminalError(
      'ForgeRefused',
      `${url} does not answer as ${forge} does for the pull requests of ${repository}: is it one?`,
      { cause: error },
    );
  }
}
