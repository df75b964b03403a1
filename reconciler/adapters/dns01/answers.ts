/** What servers of a zone answer, asked one by one. */
import { NODATA, NOTFOUND } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import { onAbort, unlessAborted } from '../../../contracts/signals.ts';
import type { ChallengeRecord } from '../../core/certificates/dns01.ts';

export interface DnsServer {
  /** Name or address. */
  readonly host: string;
  readonly port: number;
}

/** For each try, of which there are two. */
const TIMEOUT_MS = 3000;

/** Why one of them does not answer with the record; undefined where all do. Throws the signal's reason. */
export async function missingAt(
  servers: readonly DnsServer[],
  { name, value }: ChallengeRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { host, port } of servers) {
    signal.throwIfAborted();
    try {
      if (!(await textsOf(host, port, name, signal)).includes(value))
        return `DNS server ${host} does not answer with the TXT record ${name} yet`;
    } catch (error) {
      signal.throwIfAborted();
      return `DNS server ${host} does not answer: ${errorText(error)}`;
    }
  }
  return undefined;
}

async function textsOf(host: string, port: number, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const address = isIP(host) === 0 ? (await unlessAborted(signal, lookup(host))).address : host;
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  resolver.setServers([isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`]);
  const letGo = onAbort(signal, () => {
    resolver.cancel();
  });
  try {
    return (await resolver.resolveTxt(name)).map((parts) => parts.join(''));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === NODATA || code === NOTFOUND) return [];
    throw error;
  } finally {
    letGo();
  }
}
