/**
 * What a pod calls itself, and what its hosts file and its resolver know. Source: Kubernetes
 * pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, managedHostsFileContent), pkg/kubelet/util/util.go
 * (GetNodenameForKernel) and pkg/kubelet/network/dns/dns.go.
 */
import { isIP } from 'node:net';
import { CLUSTER_DNS } from '../../../contracts/agent/places.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import type { Resolved } from './resolved.ts';
import type { SandboxConfig } from './runtime-types.ts';

/** Of the kernel's own host name (sethostname(2)). */
const MOST_HOSTNAME = 64;

/** The short name. A pod of the host's network takes the host's; others their own, cut to what a hostname may be. */
export function podHostname({ spec, metadata }: Pod): string {
  return spec.hostnameOverride ?? (spec.hostname ?? metadata.name).slice(0, 63).replace(/[-.]+$/, '');
}

/** What comes behind the short name; empty without a subdomain. */
function podDomain({ spec, metadata }: Pod, domain: string): string {
  const { subdomain, hostnameOverride } = spec;
  if (subdomain === undefined || hostnameOverride !== undefined) return '';
  return `${subdomain}.${metadata.namespace ?? 'default'}.svc.${domain}`;
}

/** What `hostname` says in the pod, or why that cannot be. `clusterDomain`: of the cluster's names. */
export function kernelHostname(pod: Pod, clusterDomain: string): Resolved<string> {
  const [name, domain] = [podHostname(pod), podDomain(pod, clusterDomain)];
  if (domain === '' || !pod.spec.setHostnameAsFQDN) return { ok: true, value: name };
  const full = `${name}.${domain}`;
  if (full.length <= MOST_HOSTNAME) return { ok: true, value: full };
  const sizes = `(${MOST_HOSTNAME} characters is the max, ${full.length} characters requested)`;
  return {
    ok: false,
    message: `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long ${sizes}`,
  };
}

/**
 * The pod's /etc/hosts. `ofHost`: the host's own, for a pod of its network. Source: Kubernetes documentation, "Adding
 * entries to Pod /etc/hosts with HostAliases".
 */
export function hostsFileText(
  pod: Pod,
  podIPs: readonly string[],
  ofHost: string | undefined,
  clusterDomain: string,
): string {
  const [name, domain] = [podHostname(pod), podDomain(pod, clusterDomain)];
  const own = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map((address) => `${address}\t${domain === '' ? name : `${name}.${domain}\t${name}`}`),
  ];
  const lines = ofHost === undefined ? own : ['# Kubernetes-managed hosts file (host network).', ofHost];
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => [ip, ...hostnames].join('\t'));
  const added = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases];
  return `${[...lines, ...added].join('\n')}\n`;
}

/** Whether the pod has a hosts file of its own: in the host's network the host's is shown, unless something is added. */
export function hasHostsFile({ spec }: Pod): boolean {
  return !spec.hostNetwork || (spec.hostAliases ?? []).length > 0;
}

type Dns = NonNullable<SandboxConfig['dns']>;

/** Source: resolv.conf(5): of `search` and `options` the last line counts. */
export function resolverOf(text: string): Dns {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const last = (word: string): readonly string[] => lines.findLast(([first]) => first === word)?.slice(1) ?? [];
  return {
    servers: lines.flatMap(([word, server]) => (word === 'nameserver' && server !== undefined ? [server] : [])),
    searches: last('search').map((domain) => domain.replace(/(.)\.$/, '$1')),
    options: last('options'),
  };
}

/** What the host's resolver reads, and what systemd-resolved has behind its stub; undefined where there is none. */
export interface HostResolver {
  readonly etc: string | undefined;
  readonly behindStub: string | undefined;
}

/** Source: Kubernetes, MaxDNSNameservers, MaxDNSSearchPaths and MaxDNSSearchListChars. */
const MOST_SERVERS = 3;
const MOST_SEARCHES = 32;
const MOST_SEARCH_CHARS = 2048;
const MOST_DOMAIN_CHARS = 253;

/** What a machine can do for its pods' names. */
export interface NodeResolver extends HostResolver {
  /** Whether the cluster's names are answered on this machine. */
  readonly clusterDns: boolean;
  /** Of the cluster's names. */
  readonly clusterDomain: string;
}

/**
 * What the runtime writes to the pod's resolv.conf; undefined where the host's own is right. On a machine that answers
 * no names of the cluster `ClusterFirst` is `Default`, as with a kubelet that was told of no server. A stub that
 * listens on the host's loopback is not there for a pod with a network of its own: what is behind it is.
 */
export function podDns(pod: Pod, host: NodeResolver): Dns | undefined {
  const { hostNetwork, dnsPolicy, dnsConfig } = pod.spec;
  const etc = resolverOf(host.etc ?? '');
  const isStub = etc.servers.length > 0 && etc.servers.every(isLoopback);
  const behind = !hostNetwork && isStub ? host.behindStub : undefined;
  const ofHost = behind === undefined ? etc : resolverOf(behind);
  const base =
    dnsPolicy === 'None'
      ? resolverOf('')
      : asksCluster(pod, host)
        ? ofCluster(pod, ofHost, host.clusterDomain)
        : ofHost;
  if (base === etc && !dnsConfig) return undefined;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name, value = '' } of dnsConfig?.options ?? [])
    options.set(name, value === '' ? name : `${name}:${value}`);
  return {
    servers: unique([...base.servers, ...(dnsConfig?.nameservers ?? [])]).slice(0, MOST_SERVERS),
    searches: fitting(unique([...base.searches, ...(dnsConfig?.searches ?? [])])),
    options: [...options.values()],
  };
}

/** A pod of the host's network asks for the cluster's names only where it says so. */
function asksCluster({ spec }: Pod, { clusterDns }: NodeResolver): boolean {
  return (
    clusterDns &&
    (spec.dnsPolicy === 'ClusterFirstWithHostNet' || (spec.dnsPolicy === 'ClusterFirst' && !spec.hostNetwork))
  );
}

/** Source: Kubernetes pkg/kubelet/network/dns/dns.go (generateSearchesForDNSClusterFirst, defaultDNSOptions). */
function ofCluster({ metadata }: Pod, { searches }: Dns, domain: string): Dns {
  const own = [`${metadata.namespace ?? 'default'}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers: [CLUSTER_DNS.address], searches: [...own, ...searches], options: ['ndots:5'] };
}

const isLoopback = (server: string): boolean => (isIP(server) === 4 ? server.startsWith('127.') : server === '::1');
const unique = (list: readonly string[]): readonly string[] => [...new Set(list)];

/** Some resolvers abort on longer ones. */
function fitting(searches: readonly string[]): readonly string[] {
  const fit = searches.slice(0, MOST_SEARCHES).filter((domain) => domain.length <= MOST_DOMAIN_CHARS);
  while (fit.join(' ').length > MOST_SEARCH_CHARS) fit.pop();
  return fit;
}
