/** Looking up the host of a request or connection: whatever their number, a handful of look-ups in maps. */
import type { ProxyHost } from '../../../contracts/objects/proxy-config.ts';
import { isHostname } from './words.ts';

export interface HostMaps {
  /** By name of the map's file, keys to values. */
  readonly files: ReadonlyMap<string, string>;
  /** Lines that set `result` from `name`, the name in lower case. */
  readonly lines: readonly string[];
  /** Names that cannot be looked up. */
  readonly unusable: readonly string[];
}

export interface HostLookup {
  /** What the lines begin with: `http-request`, `tcp-request content`. */
  readonly on: string;
  /** Variables: the name, what stands behind its first label, and what is found. */
  readonly name: string;
  readonly parent: string;
  readonly result: string;
  /** For names of files. */
  readonly port: string;
}

/** `valueOf`: what is found for a host. */
export function hostMaps<H extends Pick<ProxyHost, 'hostname' | 'oneLabel'>>(
  hosts: readonly H[],
  valueOf: (host: H) => string,
  { on, name, parent, result, port }: HostLookup,
): HostMaps {
  const exact: string[] = [];
  const oneLabel: string[] = [];
  const wild: string[] = [];
  const depths = new Set<number>();
  const unusable: string[] = [];
  let any: string | undefined;
  for (const host of hosts) {
    const { hostname } = host;
    const suffix = hostname.startsWith('*.') ? hostname.slice(2) : undefined;
    if (hostname === '') any = valueOf(host);
    else if (!isHostname(suffix ?? hostname)) unusable.push(hostname);
    else if (suffix === undefined) exact.push(`${hostname} ${valueOf(host)}`);
    else if (host.oneLabel) oneLabel.push(`${suffix} ${valueOf(host)}`);
    else {
      wild.push(`${suffix} ${valueOf(host)}`);
      depths.add(suffix.split('.').length);
    }
  }
  const files = new Map<string, string>();
  const map = (kind: string, entries: readonly string[]): string => {
    const file = `${kind}-${port}.map`;
    files.set(file, `${entries.join('\n')}\n`);
    return file;
  };
  const unless = `if !{ var(${result}) -m found }`;
  const lines: string[] = [];
  if (exact.length > 0) lines.push(`  ${on} set-var(${result}) var(${name}),map_str(${map('hosts', exact)})`);
  if (oneLabel.length > 0 || wild.length > 0)
    lines.push(`  ${on} set-var(${parent}) var(${name}),field(2,.,0) ${unless}`);
  if (oneLabel.length > 0)
    lines.push(`  ${on} set-var(${result}) var(${parent}),map_str(${map('labels', oneLabel)}) ${unless}`);
  if (wild.length > 0) {
    const file = map('wild', wild);
    for (const depth of [...depths].sort((a, b) => b - a))
      lines.push(`  ${on} set-var(${result}) var(${parent}),field(-1,.,${depth}),map_str(${file}) ${unless}`);
  }
  if (any !== undefined) lines.push(`  ${on} set-var(${result}) str(${any}) ${unless}`);
  return { files, lines, unusable };
}
