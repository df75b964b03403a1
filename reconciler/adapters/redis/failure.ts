/**
 * What an error of Redis means for whoever asked. Source of the words: Redis' server.c (`shared.*err`), blocked.c
 * (UNBLOCKED), script_lua.c (errors within a script).
 */

/**
 * `unavailable`: not now, and perhaps soon: a lost connection, a failover (READONLY, UNBLOCKED, MASTERDOWN, LOADING), a
 * full memory (OOM), a failing disk (MISCONF), a busy server. `lost`: what lies there is not what we wrote. `sealed`:
 * it was written with another key. `fenced`: another control plane took over from this one. `refused`: this server does not want us, or does not understand us.
 */
export type FailureClass = 'unavailable' | 'lost' | 'sealed' | 'fenced' | 'refused';

const REFUSALS = ['NOAUTH', 'WRONGPASS', 'NOPERM'];

/** `replied`: the server itself said it, in answer to a command. */
export function classifyFailure(message: string, replied: boolean): FailureClass {
  if (!replied) return 'unavailable';
  const [word = ''] = message.split(' ', 1);
  if (word === 'STORELOST' || word === 'WRONGTYPE') return 'lost';
  if (word === 'STORESEALED') return 'sealed';
  if (word === 'STOREFENCED') return 'fenced';
  // Our scripts have no faults of their own on what our scripts wrote.
  if (word === 'ERR' && message.includes('user_script')) return 'lost';
  return word === 'ERR' || REFUSALS.includes(word) ? 'refused' : 'unavailable';
}

/** Whether the connection leads to a server that is no longer the primary: made again, Sentinel names the new one. */
export function leadsToReplica(error: Error): boolean {
  return /^(READONLY|UNBLOCKED|MASTERDOWN)\b/.test(error.message);
}
