/** Users of a Secret for basic authentication, as htpasswd writes them. */
import { hashOf, isLine, word } from './words.ts';

export interface Users {
  /** Of the section `userlist`. */
  readonly name: string;
  readonly lines: readonly string[];
  /** Users whose passwords are in a form that is not checked. */
  readonly leftOut: readonly string[];
  /** Users whose passwords, or those of all before them, would take too long to check. */
  readonly tooDear: readonly string[];
  /** Milliseconds, about, that one check for each user takes: HAProxy makes one whenever it reads its configuration. */
  readonly cost: number;
}

const MOST_USERS = 10_000;
/** While a worker checks a password no other request is served, and one that is kept for seconds ends: 2^11 of bcrypt take 130 ms. */
const MOST_BCRYPT = 11;
const MOST_ROUNDS = 50_000;

/** `most`: milliseconds that all users may cost. */
export function usersOf(text: string, most: number): Users {
  const users: string[] = [];
  const leftOut: string[] = [];
  const tooDear: string[] = [];
  let sum = 0;
  for (const line of text.split('\n')) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    const [name, hash] = [entry.slice(0, colon), entry.slice(colon + 1)];
    if (colon <= 0 || !isLine(entry)) continue;
    const plain = hash.startsWith('{PLAIN}') ? hash.slice('{PLAIN}'.length) : undefined;
    const cost = plain === undefined ? costOf(hash) : 0;
    if (cost === undefined) leftOut.push(name);
    else if (sum + cost > most || users.length === MOST_USERS) tooDear.push(name);
    else {
      sum += cost;
      users.push(
        `  user ${word(name)} ${plain === undefined ? `password ${word(hash)}` : `insecure-password ${word(plain)}`}`,
      );
    }
  }
  return { name: `u-${hashOf(...users).slice(0, 12)}`, lines: users, leftOut, tooDear, cost: sum };
}

/**
 * Milliseconds, about, that crypt(3) of Debian takes for the hash; Infinity over the bounds, undefined for a form that is not
 * checked: those that it does not know, as `$apr1$`, htpasswd's own default, and `{SHA}`, and those whose parameters
 * also say how much memory is taken, scrypt and yescrypt. Source: crypt(5).
 */
function costOf(hash: string): number | undefined {
  if (hash.startsWith('$1$')) return 0.5;
  const bcrypt = /^\$2[abxy]\$(\d\d)\$/.exec(hash)?.[1];
  if (bcrypt !== undefined) return Number(bcrypt) > MOST_BCRYPT ? Infinity : 2 ** (Number(bcrypt) - 4);
  if (!/^\$[56]\$/.test(hash)) return undefined;
  const rounds = hash.startsWith('rounds=', 3) ? /^([1-9]\d{0,8})\$/.exec(hash.slice(10))?.[1] : '5000';
  if (rounds === undefined) return undefined;
  return Number(rounds) > MOST_ROUNDS ? Infinity : Number(rounds) / 1500;
}
