/** BIRD's configuration, and its words. Source: BIRD 2.0 user's guide, chapters 3 (configuration) and 6.3 (BGP). */
import { bgpSeconds } from '../../../contracts/objects/bgp-words.ts';
import type { BgpPlan, BgpRoute, BgpSession } from './plan.ts';

/** Seconds between tries to connect where nobody says; RFC 4271 has 120, and a router that comes back would wait for so long. */
const CONNECT_SECONDS = 10;

/** All values are numbers, addresses, hashes, or a checked password. The same text for the same plan. */
export function renderBird({ routerId, sessions }: BgpPlan): string {
  return [
    `router id ${routerId};`,
    'log syslog { warning, error, fatal, auth, bug };',
    // Nothing is imported, so there is nothing to wait for before routes are told again.
    'graceful restart wait 1;',
    'protocol device {}',
    ...sessions.flatMap(sessionLines),
    '',
  ].join('\n');
}

function sessionLines({ id, spec, source, password, routes }: BgpSession): readonly string[] {
  const number = spec.dynamicASN ?? `as ${spec.peerASN ?? spec.myASN}`;
  const isInternal = spec.dynamicASN === 'internal' || spec.peerASN === spec.myASN;
  return [
    `ipv4 table t_${id};`,
    `protocol static s_${id} {`,
    `  ipv4 { table t_${id}; };`,
    ...routes.map((route) => `  route ${route.prefix} unreachable${attributes(route)};`),
    '}',
    `protocol bgp ${protocolOf(id)} {`,
    `  local ${source} as ${spec.myASN};`,
    `  neighbor ${spec.peerAddress} port ${spec.peerPort} ${number};`,
    // The port is open at this one address, and for this one router.
    '  strict bind on;',
    ...(isInternal ? [] : [spec.ebgpMultiHop ? '  multihop;' : '  direct;']),
    ...(spec.routerID === undefined ? [] : [`  router id ${spec.routerID};`]),
    ...(password === undefined ? [] : [`  password "${password.reveal()}";`]),
    ...timers(spec),
    `  graceful restart ${spec.enableGracefulRestart ? 'on' : 'off'};`,
    '  long lived graceful restart off;',
    `  ipv4 { table t_${id}; import none; export all; next hop self; };`,
    '}',
  ];
}

function timers({ holdTime, keepaliveTime, connectTime }: BgpSession['spec']): readonly string[] {
  const keep = keepaliveTime === undefined ? undefined : bgpSeconds(keepaliveTime);
  const hold = holdTime === undefined ? keep && Math.max(3, keep * 3) : bgpSeconds(holdTime);
  const connect = connectTime === undefined ? CONNECT_SECONDS : bgpSeconds(connectTime);
  return [
    ...(hold === undefined ? [] : [`  hold time ${hold};`]),
    ...(keep === undefined || keep === 0 ? [] : [`  keepalive time ${keep};`]),
    `  connect retry time ${connect};`,
    '  connect delay time 1;',
    '  error wait time 1, 30;',
  ];
}

function attributes({ localPref, communities }: BgpRoute): string {
  const set = [
    ...(localPref === undefined ? [] : [`bgp_local_pref = ${localPref};`]),
    ...communities.map((value) => `bgp_${value.length === 3 ? 'large_' : ''}community.add((${value.join(',')}));`),
  ];
  return set.length === 0 ? '' : ` { ${set.join(' ')} }`;
}

export function protocolOf(id: string): string {
  return `p_${id}`;
}

export interface SessionState {
  readonly established: boolean;
  /** Why not, as far as BIRD knows. */
  readonly message: string;
}

/** BIRD's answer to `show protocols`: sessions by the name of their protocol. */
export function readSessions(answer: string): ReadonlyMap<string, SessionState> {
  const sessions = new Map<string, SessionState>();
  for (const line of answer.split('\n')) {
    const found = /^(?:\d{4}-| )?(p_[0-9a-f]+)\s+BGP\s+\S+\s+\S+\s+\S+\s*(\S*)\s*(.*)$/.exec(line);
    if (!found) continue;
    const [, name = '', state = '', message = ''] = found;
    sessions.set(name, { established: state === 'Established', message: message.trim().slice(0, 200) });
  }
  return sessions;
}
