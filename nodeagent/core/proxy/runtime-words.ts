/** What a running HAProxy answers on its runtime API. Source: HAProxy 2.6 management guide, 9.3. */
import { EDITION_MARK } from './render.ts';
import type { RunningServer } from './slots.ts';

/** Bit of `srv_admin_state`: disabled by configuration or by a command. */
const FORCED_MAINTENANCE = 0x01;

export interface RunningEdition {
  readonly edition: string;
  readonly ports: readonly number[];
}

/** `show info`: what runs; undefined when it is none of ours. */
export function readEdition(text: string): RunningEdition | undefined {
  const line = text.split('\n').find((one) => one.startsWith('description:'));
  const [mark, edition, ports = ''] = (line ?? '').slice('description:'.length).trim().split(' ');
  if (mark !== EDITION_MARK || edition === undefined) return undefined;
  return { edition, ports: ports.split('+').filter(Boolean).map(Number) };
}

/** `show servers state`, by section; servers that are no places of ours are left out. */
export function readServers(text: string): Map<string, RunningServer[]> {
  const found = new Map<string, RunningServer[]>();
  const lines = text.split('\n');
  const head =
    lines
      .find((line) => line.startsWith('# '))
      ?.slice(2)
      .split(' ') ?? [];
  const column = (name: string): number => head.indexOf(name);
  const [section, server, address, port, admin] = [
    column('be_name'),
    column('srv_name'),
    column('srv_addr'),
    column('srv_port'),
    column('srv_admin_state'),
  ];
  if (Math.min(section, server, address, port, admin) < 0) return found;
  for (const line of lines) {
    const fields = line.split(' ');
    const at = /^s(\d+)$/.exec(fields[server] ?? '')?.[1];
    const name = fields[section];
    if (at === undefined || name === undefined || line.startsWith('#')) continue;
    const servers = found.get(name) ?? [];
    servers[Number(at)] = {
      address: fields[address] ?? '',
      port: Number(fields[port]),
      disabled: (Number(fields[admin]) & FORCED_MAINTENANCE) !== 0,
    };
    found.set(name, servers);
  }
  return found;
}

/** What of the answer to `set server` is no success. */
export function complaintsIn(answer: string): string[] {
  return answer
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(IP|port|no need|nothing) (changed|to change)/i.test(line))
    .filter((line) => !/^(IP|port) changed from/.test(line));
}
