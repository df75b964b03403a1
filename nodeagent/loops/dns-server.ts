/**
 * Answers the names that this machine's pods ask for: the cluster's from the assignment and the node's own pods, with or
 * without a control plane; all others from the servers that know them.
 */
import { CLUSTER_DNS } from '../../contracts/agent/places.ts';
import { errorText } from '../../contracts/errors.ts';
import { rangeHas, parseRange } from '../../contracts/ipv4.ts';
import { clusterDomain } from '../../contracts/objects/cluster-domain.ts';
import { isKeyOf, type ObjectKey } from '../../contracts/objects/key.ts';
import type { AssignmentSource, AssignmentView } from '../core/assignment.ts';
import { familySettings, localPodRange, networkSettings } from '../core/data-plane/network.ts';
import { AnswerCache, queryKey, type QueryKey } from '../core/dns/answer-cache.ts';
import { AssignedNames } from '../core/dns/cluster-names.ts';
import { DnsMetrics } from '../core/dns/metrics.ts';
import { Shares } from '../core/dns/shares.ts';
import { upstreams, type DnsServer, type Upstreams } from '../core/dns/upstreams.ts';
import { answerCluster, isClusterName, type ClusterZone } from '../core/dns/zone.ts';
import type { LocalPodSource } from '../core/local-pods.ts';
import type { HostResolver } from '../core/pod/names.ts';
import {
  addressesIn,
  answerTimes,
  DNS_CODE,
  DNS_TYPE,
  isAnswerTo,
  isCut,
  readQuery,
  writeAnswer,
  writeCut,
  writeQuery,
  writeRefusal,
  type DnsAnswer,
  type DnsQuery,
  type DnsRecord,
} from '../core/wire/dns-message.ts';
import type { Clock } from '../ports/clock.ts';
import type { DnsListener, DnsSockets, DnsTransport } from '../ports/dns.ts';
import type { Log } from '../ports/log.ts';
import type { NodeEvent } from './status-hub.ts';

export interface DnsServerDeps {
  readonly assignment: AssignmentSource;
  readonly pods: LocalPodSource;
  readonly sockets: DnsSockets;
  readonly clock: Clock;
  readonly log: Log;
  /** What the machine's own resolver reads. */
  ofHost(): Promise<HostResolver>;
  /** A number below 65,536 that nobody can guess. */
  randomId(): number;
  readonly onEvent: (event: NodeEvent) => void;
  /** {@link CLUSTER_DNS} when absent. */
  readonly at?: DnsServer;
}

/** Answers kept, of the cluster's names and of others'. */
const MOST_ANSWERS = 16_384;
/** CoreDNS' default, in seconds. */
const LONGEST_TTL = 30;
/** Questions to others that wait for their answers; more are refused, so that nobody can fill the machine with them. */
const MOST_ASKED = 512;
/** Of one address, also such that wait for what is asked already. */
const MOST_ASKED_BY_ONE = 128;
/** Milliseconds for one server. */
const ASK_MS = 2000;
/** Of one alias to the next. */
const MOST_ALIASES = 8;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
/** Milliseconds without a place to listen after which it is told: the address comes with the node's routes. */
const PATIENCE_MS = 10_000;
/** Between looks at what the machine's resolver reads, in milliseconds. */
const LOOK_EVERY_MS = 30_000;
const MOST_TCP = 65_535;

const FAILED: DnsAnswer = { code: DNS_CODE.failed, authoritative: false, answers: [] };

export interface DnsServerLoop {
  /** Resolves once it listens; rejects when it is closed before. */
  listening(): Promise<void>;
  /** What it did, in Prometheus' text format. */
  metrics(): string;
  close(): Promise<void>;
}

export function startDnsServer(deps: DnsServerDeps): DnsServerLoop {
  const { assignment, clock, sockets } = deps;
  const at = deps.at ?? CLUSTER_DNS;
  const closing = new AbortController();
  const names = new AssignedNames(assignment.current(), deps.pods);
  const own = new AnswerCache(MOST_ANSWERS);
  const others = new AnswerCache(MOST_ANSWERS);
  /** By what is asked and how: many ask the same at once. */
  const asked = new Map<string, Promise<Buffer>>();
  const shares = new Shares(MOST_ASKED_BY_ONE);
  const metrics = new DnsMetrics();
  let host: HostResolver = { etc: undefined, behindStub: undefined };
  let servers: Upstreams = upstreams(assignment.current().list('Cluster')[0]?.spec.dns, host);
  let zone = zoneOf(assignment.current());
  let podRange = parsedPodRange();

  function parsedPodRange(): ReturnType<typeof parseRange> | undefined {
    const range = localPodRange(assignment.current());
    return range === undefined ? undefined : parseRange(range);
  }

  const settle = (): void => {
    const view = assignment.current();
    zone = zoneOf(view);
    podRange = parsedPodRange();
  };

  /** Others may be asked now, who know otherwise. */
  const chooseServers = (): void => {
    servers = upstreams(assignment.current().list('Cluster')[0]?.spec.dns, host);
    others.clear();
  };

  const changed = (keys: readonly ObjectKey[]): void => {
    // Nodes change all the time, and change no name.
    const ofCluster = keys.some((key) => isKeyOf(key, 'Cluster'));
    if (names.update(assignment.current(), keys) || ofCluster) own.clear();
    if (ofCluster) chooseServers();
    if (ofCluster || keys.some((key) => isKeyOf(key, 'Node'))) settle();
  };
  const subscriptions = [assignment.onChange(changed), deps.pods.onChange(changed)];

  /** Pods of this machine and its own processes: nobody else is answered, and nobody can have others flooded. */
  const isAllowed = (address: string): boolean =>
    address === at.address || address.startsWith('127.') || (podRange !== undefined && rangeHas(podRange, address));

  function counted(message: Uint8Array, transport: DnsTransport, from: string): ReturnType<typeof answer> {
    const since = clock.monotonic();
    const count = (found: Buffer | undefined): void =>
      metrics.answered(transport, message, found, clock.monotonic() - since);
    const found = answer(message, transport, from);
    if (found instanceof Promise)
      return found.then((reply) => {
        count(reply);
        return reply;
      });
    count(found);
    return found;
  }

  function answer(message: Uint8Array, transport: DnsTransport, from: string): Promise<Buffer> | Buffer | undefined {
    // What goes over TCP was too long for a datagram, and is too long to keep.
    const key = transport === 'udp' ? queryKey(message) : undefined;
    const known = key !== undefined && (own.get(key, message, 0) ?? others.get(key, message, clock.monotonic()));
    metrics.looked(Boolean(known));
    if (known) return known;
    const query = readQuery(message);
    if (!('question' in query)) return query.code === undefined ? undefined : writeRefusal(message, query.code);
    const limit = transport === 'udp' ? query.room : MOST_TCP;
    const found = answerCluster(query.question, names, zone);
    if (!found) return forward(message, query, transport, key, from);
    const alias = found.answers[0]?.data;
    if (alias?.type === 'CNAME' && query.question.type !== DNS_TYPE.CNAME)
      return follow(found, alias.target, query.question.type, from).then((whole) => writeAnswer(query, whole, limit));
    const written = writeAnswer(query, found, limit);
    if (key !== undefined) own.put(key, written, 0);
    return written;
  }

  /** Asks the servers that know the name, each once, and keeps what they say for as long as it holds. */
  async function forward(
    message: Uint8Array,
    query: DnsQuery,
    transport: DnsTransport,
    keep: QueryKey | undefined,
    from: string,
  ): Promise<Buffer> {
    if (!shares.take(from)) return rejected(query);
    try {
      return await forwarded(message, query, transport, keep);
    } finally {
      shares.giveBack(from);
    }
  }

  function rejected(query: DnsQuery): Buffer {
    metrics.rejected();
    return writeAnswer(query, FAILED, MOST_TCP);
  }

  async function forwarded(
    message: Uint8Array,
    query: DnsQuery,
    transport: DnsTransport,
    keep: QueryKey | undefined,
  ): Promise<Buffer> {
    const key = `${transport} ${Buffer.from(message.subarray(2)).toString('latin1')}`;
    const known = asked.get(key);
    if (!known && asked.size >= MOST_ASKED) return rejected(query);
    const asking = known ?? ask(Buffer.from(message), query, transport).finally(() => asked.delete(key));
    asked.set(key, asking);
    const found = await asking.catch(() => undefined);
    if (!found) return writeAnswer(query, FAILED, MOST_TCP);
    // More than the asker takes: a server that heeds it sends no such answer.
    if (transport === 'udp' && found.length > query.room) return writeCut(query);
    const { ttl, places } = answerTimes(found, query.raw.length);
    if (keep !== undefined && ttl > 0)
      others.put(keep, found, clock.monotonic(), { ttlMs: Math.min(ttl, LONGEST_TTL) * 1000, places });
    const answered = Buffer.from(found);
    answered.writeUInt16BE(query.id, 0);
    return answered;
  }

  /** With an id of its own, as the asker's may be known. Rejects when no server gave an answer. */
  async function ask(message: Buffer, { raw, question }: DnsQuery, transport: DnsTransport): Promise<Buffer> {
    let refused: unknown = new Error('no server is known');
    for (const server of servers.for(question.name)) {
      message.writeUInt16BE(deps.randomId(), 0);
      using time = clock.deadline(ASK_MS, closing.signal);
      const since = clock.monotonic();
      try {
        const isAnswer = (found: Uint8Array): boolean => isAnswerTo(message, found, raw.length);
        const found = Buffer.from(await sockets.ask(server, message, transport, isAnswer, time.signal));
        metrics.asked(found, clock.monotonic() - since);
        return found;
      } catch (error) {
        metrics.asked(undefined, clock.monotonic() - since);
        refused = error;
      }
    }
    throw refused;
  }

  /** Adds what an alias' target has: resolvers of C libraries do not ask for it themselves. */
  async function follow(first: DnsAnswer, target: string, type: number, from: string): Promise<DnsAnswer> {
    const answers: DnsRecord[] = [...first.answers];
    let name = target;
    for (let aliases = 0; aliases < MOST_ALIASES && isClusterName(name, zone); aliases++) {
      const found = answerCluster({ name, type }, names, zone);
      answers.push(...(found?.answers ?? []));
      const alias = found?.answers[0]?.data;
      if (alias?.type !== 'CNAME') return { ...first, answers };
      name = alias.target;
    }
    if (isClusterName(name, zone)) return FAILED;
    const question = writeQuery(0, name, type);
    const query = readQuery(question);
    if (!('question' in query)) return FAILED;
    const key = queryKey(question);
    let reply = key === undefined ? undefined : others.get(key, question, clock.monotonic());
    reply ??= await forward(question, query, 'udp', key, from);
    if (isCut(reply)) reply = await forward(question, query, 'tcp', undefined, from);
    return { ...first, authoritative: false, answers: [...answers, ...addressesIn(reply, query.raw.length, name)] };
  }

  async function lookAtHost(): Promise<void> {
    const found = await deps.ofHost();
    if (found.etc === host.etc && found.behindStub === host.behindStub) return;
    host = found;
    chooseServers();
  }

  /** Until it listens: the address is there once the node's routes are. */
  async function listen(): Promise<DnsListener> {
    const since = clock.monotonic();
    let told = '';
    for (let failures = 0; ; failures++) {
      try {
        return await sockets.listen(at, { isAllowed, answer: counted });
      } catch (error) {
        const reason = errorText(error);
        if (clock.monotonic() - since >= PATIENCE_MS && reason !== told) {
          told = reason;
          const message = `names of the cluster are not answered on this node: cannot listen on ${at.address}:${at.port}: ${reason}`;
          deps.log.error('cluster DNS cannot listen', { address: at.address, port: at.port, reason });
          deps.onEvent({ type: 'Warning', reason: 'ClusterDNSUnavailable', message });
        }
        await clock.sleep(Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS), closing.signal);
      }
    }
  }

  const listening = lookAtHost()
    .catch((error: unknown) =>
      deps.log.warn('the resolver of this machine cannot be read', { reason: errorText(error) }),
    )
    .then(listen);

  async function run(): Promise<void> {
    const listener = await listening;
    deps.log.info('cluster DNS answers', { address: at.address, port: at.port });
    try {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, closing.signal);
        await lookAtHost().catch(() => undefined);
      }
    } finally {
      await listener.close();
    }
  }
  const done = run().catch((error: unknown) => {
    if (!closing.signal.aborted) deps.log.error('cluster DNS ended', { reason: errorText(error) });
  });

  return {
    async listening() {
      await listening;
    },
    metrics: () => metrics.text(own.size + others.size),
    async close() {
      for (const unsubscribe of subscriptions) unsubscribe();
      closing.abort(new Error('closed'));
      await done;
    },
  };
}

function zoneOf(view: AssignmentView): ClusterZone {
  const { podCIDR, serviceCIDR } = networkSettings(view);
  return { domain: clusterDomain(view.list('Cluster')[0]), podCIDR, serviceCIDR, ipv6: familySettings(view, 'IPv6') };
}
