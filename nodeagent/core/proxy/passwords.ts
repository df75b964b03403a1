/** Users of a Secret for basic authentication, as htpasswd writes them. */
import { hashOf, isLine, word } from './words.ts';

export interface Users {
  /** Of the section `userlist`. */
  readonly name: string;
  readonly lines: readonly string[];
  /** Users that cannot be checked. */
  readonly leftOut: readonly string[];
}

/** What crypt(3) of Debian knows. htpasswd's own default, `$apr1$`, and `{SHA}` are not among them. */
const KNOWN_HASH = /^\$(1|2[abxy]|5|6|7|y|gy)\$/;
const MOST_USERS = 10_000;

export function usersOf(text: string): Users {
  const users: string[] = [];
  const leftOut: string[] = [];
  for (const line of text.split('\n').slice(0, MOST_USERS)) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    const [name, hash] = [entry.slice(0, colon), entry.slice(colon + 1)];
    if (colon <= 0 || !isLine(entry)) continue;
    if (hash.startsWith('{PLAIN}'))
      users.push(`  user ${word(name)} insecure-password ${word(hash.slice('{PLAIN}'.length))}`);
    else if (KNOWN_HASH.test(hash)) users.push(`  user ${word(name)} password ${word(hash)}`);
    else leftOut.push(name);
  }
  return { name: `u-${hashOf(...users).slice(0, 12)}`, lines: users, leftOut };
}
