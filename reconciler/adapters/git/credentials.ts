/** User and password (or token) for HTTPS. Prints as `[redacted]` wherever it is printed. */
import { inspect } from 'node:util';

export class GitCredentials {
  readonly username: string;
  readonly #password: string;

  constructor(username: string, password: string) {
    this.username = username;
    this.#password = password;
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

/** Takes `user:password@` out of an http(s) URL: what is left may be logged. */
export function splitCredentials(url: string): { readonly url: string; readonly credentials: GitCredentials | undefined } {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return { url, credentials: undefined };
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (!username && !password) return { url, credentials: undefined };
  parsed.username = '';
  parsed.password = '';
  return { url: parsed.href, credentials: new GitCredentials(decodeURIComponent(username), decodeURIComponent(password)) };
}
