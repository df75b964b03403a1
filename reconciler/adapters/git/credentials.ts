/** User and password (or token) for HTTPS. Prints as `[redacted]` wherever it is printed. */
import { inspect } from 'node:util';

export class GitCredentials {
  readonly username: string;
  readonly #password: string;
  #isBearer = false;

  constructor(username: string, password: string) {
    this.username = username;
    this.#password = password;
  }

  /** A token that is sent as it is (RFC 6750). */
  static bearer(token: string): GitCredentials {
    const made = new GitCredentials('', token);
    made.#isBearer = true;
    return made;
  }

  /** The value of the header `Authorization`, for the transport only. */
  authorization(): string {
    if (this.#isBearer) return `Bearer ${this.#password}`;
    return `Basic ${Buffer.from(`${this.username}:${this.#password}`).toString('base64')}`;
  }

  /** For the transport only. */
  reveal(): { username: string; password: string } {
    return { username: this.username, password: this.#password };
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return '[redacted]';
  }
}

const ANY_USER = 'git';

/**
 * Takes `user:password@` out of an http(s) URL: what is left may be logged. `password` goes with the URL's user, and
 * before the URL's own; a server that knows tokens takes any user with one.
 */
export function splitCredentials(
  url: string,
  password?: string,
): { readonly url: string; readonly credentials: GitCredentials | undefined } {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return { url, credentials: undefined };
  const parsed = new URL(url);
  const { username } = parsed;
  const secret = password ?? decodeURIComponent(parsed.password);
  if (!username && !secret) return { url, credentials: undefined };
  parsed.username = '';
  parsed.password = '';
  return { url: parsed.href, credentials: new GitCredentials(decodeURIComponent(username) || ANY_USER, secret) };
}
