/**
 * HTTP-01 challenges (RFC 8555, 8.3) on the ports of a proxy: answered before all rules of the name, at every port that
 * takes plain HTTP. And whether all proxies have them.
 */
import {
  conditionIsTrue,
  type ProxyHost,
  type ProxyPort,
  type ProxyRule,
  type StoredChallenge,
  type StoredNode,
  type StoredProxyConfig,
} from '../../../contracts/objects/index.ts';
import { bySpecificity } from './hostnames.ts';

const FOLDER = '/.well-known/acme-challenge/';

/** Those that are still to be shown. */
export function openChallenges(challenges: readonly StoredChallenge[]): readonly StoredChallenge[] {
  return challenges.filter(({ status }) => status?.state === undefined || status.state === 'pending');
}

/** Of these, those that proxies answer. */
export function answeredByProxies(challenges: readonly StoredChallenge[]): readonly StoredChallenge[] {
  return openChallenges(challenges).filter(({ spec }) => spec.type === 'HTTP-01');
}

/** `port`: where HTTP is taken even where nobody else wants it, unless it has another protocol. */
export function withChallenges(
  ports: readonly ProxyPort[],
  port: number,
  challenges: readonly StoredChallenge[],
): readonly ProxyPort[] {
  if (challenges.length === 0) return ports;
  const all = ports.some((one) => one.port === port)
    ? ports
    : [...ports, { port, protocol: 'http' as const, hosts: [] }];
  return all
    .map((one) => (one.protocol === 'http' ? { ...one, hosts: withRules(one.hosts, challenges) } : one))
    .toSorted((a, b) => a.port - b.port);
}

function withRules(hosts: readonly ProxyHost[], challenges: readonly StoredChallenge[]): readonly ProxyHost[] {
  const rules = new Map<string, ProxyRule[]>();
  for (const challenge of challenges) {
    const list = rules.get(challenge.spec.dnsName) ?? [];
    rules.set(challenge.spec.dnsName, [...list, ruleOf(challenge)]);
  }
  const known = hosts.map((host) => {
    const own = rules.get(host.hostname);
    if (!own) return host;
    rules.delete(host.hostname);
    return { ...host, rules: [...own, ...(host.rules ?? [])] };
  });
  // A name that a wider one has taken goes on to have its rules.
  const added = [...rules].map(([hostname, own]): ProxyHost => {
    const wider = hosts.find((host) => takes(host, hostname));
    return { hostname, rules: [...own, ...(wider?.rules ?? [])] };
  });
  return added.length === 0 ? known : [...known, ...added].sort((a, b) => bySpecificity(a.hostname, b.hostname));
}

/** Hosts are there with the most specific first. */
function takes({ hostname, oneLabel }: ProxyHost, name: string): boolean {
  if (hostname === '') return true;
  if (!hostname.startsWith('*.')) return hostname === name;
  const end = hostname.slice(1);
  return name.endsWith(end) && (oneLabel !== true || !name.slice(0, -end.length).includes('.'));
}

function ruleOf({ metadata, spec: { token, key } }: StoredChallenge): ProxyRule {
  return {
    origin: `challenge/${metadata.namespace ?? ''}/${metadata.name}`,
    match: { path: { type: 'exact', value: `${FOLDER}${token}` } },
    filters: [],
    action: { type: 'answer', status: 200, body: key },
  };
}

/** Why it is not shown everywhere yet; undefined where it is. Nodes that nobody is sent to are not waited for. */
export function notPresented(
  challenge: StoredChallenge,
  configs: readonly StoredProxyConfig[],
  nodes: readonly StoredNode[],
): string | undefined {
  const ready = nodes.filter(
    ({ status, spec }) => conditionIsTrue(status?.conditions, 'Ready') && spec.unschedulable !== true,
  );
  const origin = ruleOf(challenge).origin;
  let count = 0;
  for (const { metadata, status } of ready) {
    const config = configs.find((one) => one.metadata.name === metadata.name);
    if (!config) continue;
    count += 1;
    const ports = config.spec.ports.filter(
      ({ protocol, hosts }) =>
        protocol === 'http' && hosts.some(({ rules = [] }) => rules.some((rule) => rule.origin === origin)),
    );
    if (ports.length === 0 || (status?.proxy?.generation ?? -1) < config.metadata.generation)
      return `the proxy of node ${metadata.name} does not answer it yet`;
    const problem = status?.proxy?.problems.find(
      ({ port }) => port === undefined || ports.some((one) => one.port === port),
    );
    if (problem) return `node ${metadata.name}: ${problem.message}`;
  }
  return count > 0 ? undefined : 'no gateway node is ready: see spec.gateway.nodeSelector of the Cluster';
}
