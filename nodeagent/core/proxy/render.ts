/** From a ProxyConfig to HAProxy's configuration, maps and lists. Source: HAProxy 2.6 configuration manual. */
import type { ProxyConfig, ProxyHost, ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { Assembly } from './assembly.ts';
import { httpPort } from './http-port.ts';
import { answerLines } from './leaf.ts';
import { MIRROR_FILE, MIRROR_SCRIPT, mirrorSections } from './mirror.ts';
import type { ConfigLine, ProxyPlan, ProxySecrets, Refusal, RefusedRules, RuleName } from './plan.ts';
import type { Slots } from './slots.ts';
import { connectionLines } from './tcp-port.ts';
import { hashOf, isHostname } from './words.ts';

export interface PlanInput {
  readonly config: ProxyConfig;
  readonly secrets: ProxySecrets;
  /** Rules that HAProxy did not take before; see {@link refusedBy}. */
  readonly refused?: RefusedRules;
  /** Ports that cannot be listened on, and why. */
  readonly blocked?: ReadonlyMap<number, string>;
  /** Address of the machine that servers are asked from. */
  readonly source?: string | undefined;
}

/** Never throws for what a manifest can say: that becomes a problem, and what is not concerned by it is in force. */
export function planProxy({ config, secrets, refused = new Map(), blocked = new Map(), source }: PlanInput): ProxyPlan {
  const assembly = new Assembly(
    secrets,
    refused,
    new Map(config.spec.backends.map((backend) => [backend.name, backend])),
  );
  const frontends: ConfigLine[] = [];
  const ports: number[] = [];
  for (const port of config.spec.ports) {
    const why = isPort(port.port) ? blocked.get(port.port) : `${port.port} is no port`;
    if (why !== undefined) {
      assembly.problem(port.port, why);
      continue;
    }
    const lines = frontend(assembly, port);
    if (lines.length > 0) ports.push(port.port);
    // Not spread: as many arguments as lines overflow the stack.
    for (const line of lines) frontends.push(line);
  }
  const mirrors = assembly.mirrors.length === 0 ? [] : mirrorSections(assembly.mirrors);
  if (mirrors.length > 0) assembly.files.set(MIRROR_FILE, MIRROR_SCRIPT);
  return {
    ...(source !== undefined && { source }),
    ports,
    head: [...mirrors, ...[...assembly.userlists.values()].flat(), ...frontends],
    leaves: assembly.leaves,
    files: assembly.files,
    certificates: assembly.certificates,
    problems: assembly.problems,
  };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

function frontend(assembly: Assembly, port: ProxyPort): ConfigLine[] {
  const file = String(port.port);
  const head = (mode: string, bind: string): ConfigLine[] =>
    [`frontend ${port.protocol}-${port.port}`, `  mode ${mode}`, `  bind :${port.port}${bind}`].map((text) => ({
      text,
    }));
  switch (port.protocol) {
    case 'http':
      return [...head('http', ''), ...httpPort(assembly, port)];
    case 'https': {
      const list = certificateList(assembly, port, port.hosts);
      if (list === undefined) return [];
      return [...head('http', ` ssl crt-list ${list} alpn h2,http/1.1`), ...httpPort(assembly, port)];
    }
    case 'tcp':
      return [...head('tcp', ''), ...connectionLines(assembly, port, port.hosts, { file, name: undefined })];
    case 'tls':
      return tlsFrontend(assembly, port, head);
  }
}

/** For a client to say whom it wants. */
const HELLO = '5s';

function tlsFrontend(
  assembly: Assembly,
  port: ProxyPort,
  head: (mode: string, bind: string) => ConfigLine[],
): ConfigLine[] {
  const file = String(port.port);
  const ended = port.hosts.filter(({ certificates }) => certificates !== undefined);
  const list = ended.length === 0 ? undefined : certificateList(assembly, port, ended);
  if (ended.length === port.hosts.length) {
    if (list === undefined) return [];
    const lines = connectionLines(assembly, port, ended, { file, name: 'ssl_fc_sni,lower' });
    return [...head('tcp', ` ssl crt-list ${list}`), ...lines];
  }
  // Who is passed through is known before TLS begins; the others come in again by a socket of the proxy's own.
  const inner = `inner-${file}`;
  const elsewhere = new Map<ProxyHost, string>(ended.map((host) => [host, list === undefined ? 'nothing' : inner]));
  const hello = [
    `  tcp-request inspect-delay ${HELLO}`,
    '  tcp-request content reject if !{ req.ssl_hello_type 1 }',
  ].map((text) => ({ text }));
  return [
    ...head('tcp', ''),
    ...hello,
    ...connectionLines(assembly, port, port.hosts, { file, name: 'req.ssl_sni,lower', elsewhere }),
    ...(list === undefined
      ? []
      : [
          ...[
            `backend ${inner}`,
            '  mode tcp',
            `  server inner abns@plumbline-${inner} send-proxy-v2`,
            `frontend tls-${inner}`,
            '  mode tcp',
            `  bind abns@plumbline-${inner} accept-proxy ssl crt-list ${list}`,
          ].map((text) => ({ text })),
          ...connectionLines(assembly, port, ended, { file: inner, name: 'ssl_fc_sni,lower' }),
        ]),
  ];
}

/** Name of the list; undefined, and told, where no certificate can be used. The first is for clients that name no host. */
function certificateList(assembly: Assembly, port: ProxyPort, hosts: readonly ProxyHost[]): string | undefined {
  const names = new Map<string, string[]>();
  const forAny = new Set<string>();
  for (const { hostname, certificates = [] } of hosts)
    for (const secret of certificates) {
      const file = assembly.certificate(port.port, secret);
      if (file === undefined) continue;
      if (hostname === '') forAny.add(file);
      else if (isHostname(hostname.replace(/^\*\./, ''))) names.set(file, [...(names.get(file) ?? []), hostname]);
    }
  const lines = [...forAny, ...[...names].map(([file, hostnames]) => [file, ...hostnames].join(' '))];
  if (lines.length === 0) {
    assembly.problem(port.port, 'there is no certificate to use: the port is not listened on');
    return undefined;
  }
  const file = `certificates-${port.port}.list`;
  assembly.files.set(file, `${lines.join('\n')}\n`);
  return file;
}

/** Where a running HAProxy has what is its own. */
export interface ProxyPlaces {
  /** Socket of the runtime API. */
  readonly socket: string;
  /** An empty folder. */
  readonly root: string;
  /** Whom it runs as; absent: as it was started. */
  readonly user?: { readonly name: string; readonly group: string };
}

export const CONFIG_FILE = 'haproxy.cfg';
/** Begins the description of a process that is ours; its edition and ports follow. */
export const EDITION_MARK = 'plumbline';
/** For connections that outlive a reload, websockets most of all. */
const OLD_PROCESS_LIFE = '10m';
const MOST_DESCRIPTORS = 65_536;

/**
 * What a reload is needed for: two plans of one edition, with as many slots, differ in servers' addresses and contents of
 * certificates alone.
 */
export function editionOf(plan: ProxyPlan, sizes: ReadonlyMap<string, number>, places: ProxyPlaces): string {
  return hashOf(
    JSON.stringify(places),
    ...globalLines('', plan, places, []),
    ...plan.head.map(({ text }) => text),
    ...plan.leaves.flatMap(({ name, lines, backend }) => [name, ...lines, backend ?? '', String(sizes.get(name) ?? 0)]),
    ...[...plan.files].flat(),
    ...plan.certificates.map(({ file }) => file),
  ).slice(0, 32);
}

/** The configuration, and whose each of its lines is. */
export function configLines(plan: ProxyPlan, slots: Slots, edition: string, places: ProxyPlaces): ConfigLine[] {
  return [
    ...globalLines(edition, plan, places).map((text) => ({ text })),
    ...plan.head,
    ...plan.leaves.flatMap(({ name, lines, backend, of }) => [
      { text: `backend ${name}`, of },
      ...lines.map((text) => ({ text, of })),
      ...(backend === undefined ? [] : serverSlots(slots.get(name) ?? []).map((text) => ({ text, of }))),
    ]),
  ];
}

function serverSlots(slots: Slots extends ReadonlyMap<string, infer S> ? S : never): string[] {
  return slots.map((target, at) =>
    target === undefined ? `  server s${at} 127.0.0.1:1 disabled` : `  server s${at} ${target.address}:${target.port}`,
  );
}

function globalLines(
  edition: string,
  { source, ports: all }: ProxyPlan,
  { socket, root, user }: ProxyPlaces,
  ports = all,
): string[] {
  return [
    'global',
    '  default-path config',
    `  description ${[EDITION_MARK, edition, ports.join('+')].join('\\ ')}`,
    `  stats socket ${socket} mode 600 level admin expose-fd listeners`,
    ...(user ? [`  chroot ${root}`, `  user ${user.name}`, `  group ${user.group}`] : []),
    `  hard-stop-after ${OLD_PROCESS_LIFE}`,
    `  fd-hard-limit ${MOST_DESCRIPTORS}`,
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    '  tune.ssl.default-dh-param 2048',
    'defaults',
    '  mode http',
    '  balance roundrobin',
    ...(source === undefined ? [] : [`  source ${source}`]),
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout http-request 30s',
    '  timeout http-keep-alive 60s',
    '  timeout queue 5s',
    '  timeout tunnel 1h',
    '  option redispatch',
    // A pod that ends may close what was just sent to it. Only what may be sent twice is.
    '  retries 3',
    '  retry-on conn-failure empty-response',
    'backend none',
    ...answerLines(404, 'no route'),
    'backend nothing',
    '  mode tcp',
    '  tcp-request content reject',
  ];
}

/** Rules whose lines HAProxy complains of, with the first complaint of each. */
export function refusedBy(complaints: string, lines: readonly ConfigLine[]): ReadonlyMap<RuleName, Refusal> {
  const rules = new Map<RuleName, Refusal>();
  for (const complaint of complaints.split('\n')) {
    const [, number, words = ''] = /\[ALERT\].*? (?:parsing )?\[[^\]]*?:(\d+)\](?: ?: ?)?(.*)$/i.exec(complaint) ?? [];
    const line = number === undefined ? undefined : lines[Number(number) - 1];
    for (const owner of line?.of ?? []) {
      const why = `the proxy does not take it: ${words.trim().slice(0, 300)}`;
      if (!rules.has(owner)) rules.set(owner, { why, matches: line?.matches ?? false });
    }
  }
  return rules;
}

/** Files of certificates that HAProxy complains of, with the first complaint of each. */
export function refusedCertificates(complaints: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const complaint of complaints.split('\n')) {
    const [, why = '', file] = /\[ALERT\].* : ([^:]*?) '(?:[^']*\/)?(cert-[0-9a-f]+\.pem)'/.exec(complaint) ?? [];
    if (file !== undefined && !files.has(file)) files.set(file, why.trim().slice(0, 300));
  }
  return files;
}
