/**
 * Plumbline's own kinds, group plumbline.dev/v1alpha1: Cluster (the repository's settings) and Machine (one server).
 */
import { z } from 'zod';
import { canonicalAddress, canonicalCidr, familyOfRange } from '../ip.ts';
import { OWN_API_VERSION } from './identity.ts';
import { Finalizers, ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { Taint } from './nodes.ts';
import { ResourceList } from './quantity.ts';
import {
  atomic,
  atomicList,
  DnsLabel,
  DnsSubdomain,
  LabelValue,
  listMap,
  listSet,
  object,
  Port,
  QualifiedName,
} from './schema.ts';

/** Place of the label matchers in a query. */
export const LABEL_MATCHERS = '<<.LabelMatchers>>';
/** Far more measures than anybody has a formula for. */
const MOST_QUERIES = 100;

const Prometheus = object({
  /**
   * Base of its HTTP API, as the machines see it that the control planes run on. No password: what Git holds is no
   * secret.
   */
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(2048, 'must be no more than 2048 characters')
    .refine((url) => !/^https?:\/\/[^/]*@/i.test(url), 'may hold no user name and no password')
    .refine((url) => !/[?#]/.test(url), "may have no '?' and no '#'"),
  /**
   * A Secret with what it asks for, in Flux' keys: `username` and `password`, or `bearerToken`; `ca.crt`, the certificate
   * authority of its server where that is not a known one. Read from what is live, so that it changes with its commit.
   */
  secretRef: object({ namespace: DnsLabel, name: DnsSubdomain }).optional(),
  /**
   * How measures are worked out whose value is not the sum of the series of their name. `query` is PromQL in which
   * `<<.LabelMatchers>>` stands for what is asked of the series, and `<<.GroupBy>>` for the label that tells pods apart, or
   * for none; as in the configuration of Prometheus' Kubernetes adapter.
   */
  queries: listMap(
    ['metric'],
    object({
      metric: z.string().min(1, 'must not be empty').max(253, 'must be no more than 253 characters'),
      query: z
        .string()
        .max(4096, 'must be no more than 4096 characters')
        .refine(
          (query) => query.includes(LABEL_MATCHERS),
          `must have ${LABEL_MATCHERS}: what is asked for is ignored else`,
        ),
    }),
  )
    .max(MOST_QUERIES, `must have at most ${MOST_QUERIES} entries`)
    .optional(),
}).refine(({ url, secretRef }) => secretRef === undefined || /^https:/i.test(url), {
  path: ['url'],
  error: 'must be https where there is a secretRef: anybody on the way could read it',
});
export type Prometheus = z.infer<typeof Prometheus>;

/** A DNS server, with a port where it is not 53. */
const DnsServer = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?$/, 'must be an IPv4 address, or ADDRESS:PORT')
  .refine((text) => {
    const [address, port = '53'] = text.split(':');
    return z.ipv4().safeParse(address).success && Number(port) >= 1 && Number(port) <= 65_535;
  }, 'must be an IPv4 address, or ADDRESS:PORT');
const MOST_DNS_SERVERS = 15;
const MOST_STUB_DOMAINS = 100;

/** Beyond it the name of an endpoint of a Service would not fit into a message (RFC 1035, 2.3.4: 255 octets). */
const MOST_DOMAIN = 57;
const MOST_LABEL = 63;

const Dns = object({
  /** Of the cluster's names; `cluster.local` when absent. Chosen with the cluster's first commit. */
  domain: DnsSubdomain.max(MOST_DOMAIN, `must be no more than ${MOST_DOMAIN} characters`)
    .refine((domain) => domain.split('.').every(({ length }) => length <= MOST_LABEL), {
      error: `may have no label of more than ${MOST_LABEL} characters`,
    })
    .refine((domain) => domain.split('.').at(-1) !== 'arpa', 'may not be below arpa: names of addresses are there')
    .optional(),
  /** Asked in this order, the next where one does not answer; each machine's own resolvers when absent. */
  servers: z
    .array(DnsServer)
    .min(1, 'must name one')
    .max(MOST_DNS_SERVERS, `must be at most ${MOST_DNS_SERVERS}`)
    .optional(),
  /** Domains whose names others know, as of a company's own servers. */
  stubDomains: listMap(
    ['domain'],
    object({
      domain: DnsSubdomain,
      servers: z.array(DnsServer).min(1, 'must name one').max(MOST_DNS_SERVERS, `must be at most ${MOST_DNS_SERVERS}`),
    }),
  )
    .max(MOST_STUB_DOMAINS, `must be at most ${MOST_STUB_DOMAINS}`)
    .optional(),
});

/** A range for IPv4, and one for IPv6 where the cluster is to have both. */
const Ranges = z
  .array(z.union([z.cidrv4(), z.cidrv6().transform(canonicalCidr)]))
  .min(1, 'must have one entry or two')
  .max(2, 'must have one entry or two')
  .refine(
    ([first = '', second]) =>
      familyOfRange(first) === 'IPv4' && (second === undefined || familyOfRange(second) === 'IPv6'),
    'must be a range of IPv4, or one of IPv4 and one of IPv6: clusters of IPv6 alone are not there yet',
  );

/** Who gets a connection: in turn, who has fewest, by a hash of destination or source, who is to wait least, who has none. */
const IPVS_SCHEDULERS = ['rr', 'lc', 'dh', 'sh', 'sed', 'nq'] as const;

const ClusterSpec = object({
  network: object({
    /** Range that every node's pod range is cut from. */
    podCIDR: z.cidrv4().default('10.244.0.0/16'),
    /** The same for both families; its first is `podCIDR`. */
    podCIDRs: Ranges.optional(),
    /** Prefix length of one node's pod range: 24 gives 254 pod addresses. */
    nodeMaskSize: z.int().min(16).max(30).default(24),
    /** The same of its IPv6 range; 64 when absent. */
    nodeMaskSizeIPv6: z.int().min(64).max(112).optional(),
    /** Range of Service addresses; must not overlap podCIDR. */
    serviceCIDR: z.cidrv4().default('10.96.0.0/16'),
    /** The same for both families; its first is `serviceCIDR`. */
    serviceCIDRs: Ranges.optional(),
    nodePortRange: z
      .string()
      .regex(/^\d+-\d+$/, 'must be FIRST-LAST')
      .default('30000-32767'),
    /**
     * `auto`: a plain route where two nodes share a link, VXLAN otherwise. `wireguard`: all encrypted, or not at all.
     * `none`: the ways between nodes are the user's. `cni`: so are pods' links and addresses, by a CNI plugin.
     */
    overlay: z.enum(['auto', 'vxlan', 'wireguard', 'none', 'cni']).default('auto'),
    /** By what nodes forward to Services and host ports; what is refused, masqueraded and guarded is nftables' with each. */
    packetFilter: z.enum(['nftables', 'iptables', 'ipvs']).default('nftables'),
    /** With `packetFilter: ipvs`. Source: KubeProxyConfiguration, `ipvs`. */
    ipvs: object({ scheduler: z.enum(IPVS_SCHEDULERS).default('rr') }).prefault({}),
    vxlan: object({ id: z.int().min(1).max(16777215).default(7846), port: Port.default(8472) }).prefault({}),
    wireguard: object({
      /** UDP, on every node. */
      port: Port.default(51820),
      /** Seconds between packets that keep a way through a firewall open; 0: none. Source: wg(8), persistent-keepalive. */
      keepaliveSeconds: z.int().min(0).max(65_535).default(0),
    }).prefault({}),
  })
    .transform(({ podCIDRs, serviceCIDRs, ...network }) => ({
      ...network,
      ...(podCIDRs?.[0] !== undefined && { podCIDR: podCIDRs[0] }),
      ...(podCIDRs?.length === 2 && { podCIDRs }),
      ...(serviceCIDRs?.[0] !== undefined && { serviceCIDR: serviceCIDRs[0] }),
      ...(serviceCIDRs?.length === 2 && { serviceCIDRs }),
    }))
    .prefault({}),
  nodes: object({
    /** Silence after which a node's Ready condition becomes Unknown (Kubernetes' node-monitor-grace-period). */
    monitorGracePeriodSeconds: z.int().min(1).default(40),
  }).prefault({}),
  sync: object({
    /** How often the branch is looked at when no hook or webhook tells. */
    pollSeconds: z.int().min(1).default(30),
    /**
     * Refuse a commit that would delete more than this share of the repository's objects (0 to 100). When absent: more
     * than ten objects that are more than half of all, or all there are. A commit with the files of an earlier one, as
     * a rollback makes it, may delete any share, and so may one whose message says `Plumbline-Allow-Prune: N`.
     */
    maxPrunePercent: z.int().min(0).max(100).optional(),
    /** The same as a number of objects; both hold where both are there. */
    maxPruneObjects: z.int().min(0).optional(),
    /**
     * Finalizers that nobody here removes any more: taken off every object that is being deleted. For a controller that
     * is gone, and has left its name on objects.
     */
    abandonedFinalizers: Finalizers.optional(),
  }).prefault({}),
  /** What is written back into the repository: docs/sources.md. */
  publish: object({
    /** What became of each revision, as Git notes under `refs/notes/plumbline`. */
    outcomes: z.boolean().default(false),
    /** The objects of the revision in force, a file for each, on a branch of their own. */
    rendered: object({
      /** Written by nobody else, and never the one that is followed. */
      branch: z
        .string()
        .max(200, 'must be no more than 200 characters')
        .regex(
          /^(?!.*(\.\.|\/\/|\/\.|\.lock(\/|$)))[A-Za-z0-9_]([A-Za-z0-9._/-]*[A-Za-z0-9_-])?$/,
          'must be the name of a branch, without refs/heads/',
        )
        .refine(
          (name) => !name.startsWith('refs/') && name !== 'HEAD',
          'must be the name of a branch, without refs/heads/',
        ),
    }).optional(),
  }).optional(),
  /** Where measures come from that are not of the nodes: see docs/workloads.md, HorizontalPodAutoscaler. */
  metrics: object({ prometheus: Prometheus.optional() }).optional(),
  secrets: object({
    /**
     * Age recipients of the control planes: for whom Secrets are encrypted in Git where nobody else is named, and who is
     * missed where a Secret is not for them.
     */
    recipients: listSet(
      z
        .string()
        .max(2048, 'must be no more than 2048 characters')
        .regex(/^age1(pq1)?[02-9ac-hj-np-z]{58,}$/, 'must be an age recipient, as `plumb secret keygen` prints it'),
    ).optional(),
  }).optional(),
  /** Where requests from outside are taken: docs/gateway.md. */
  gateway: object({
    /** Labels of the nodes that serve Gateways and Ingresses; all that pods may be placed on when absent. */
    nodeSelector: atomic(z.record(QualifiedName, LabelValue)).optional(),
    /** Ports of Ingresses. */
    ingress: object({ httpPort: Port.default(80), httpsPort: Port.default(443) }).prefault({}),
  }).prefault({}),
  /** Names that are not the cluster's. */
  dns: Dns.optional(),
  serviceAccounts: object({
    /**
     * Names the cluster in the tokens of its pods (`iss`), and is for whom a token is that says no audience. Where others
     * are to find its keys by themselves, the URL at which they are published.
     */
    issuer: z
      .string()
      .max(1024, 'must have at most 1024 characters')
      .regex(/^https:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/, 'must be an https URL without a query, a fragment and a user'),
  }).optional(),
  storage: object({
    /** Names of volumes whose claims are gone and whose data may go too. */
    givenUpVolumes: listSet(DnsSubdomain).max(1000, 'must be no more than 1000').optional(),
  }).optional(),
});
export type ClusterSpec = z.infer<typeof ClusterSpec>;
export const ClusterManifest = object({
  apiVersion: z.literal(OWN_API_VERSION),
  kind: z.literal('Cluster'),
  metadata: ManifestMeta,
  spec: ClusterSpec.prefault({}),
});
export interface Cluster {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'Cluster';
  readonly metadata: ObjectMeta;
  readonly spec: ClusterSpec;
}
export type StoredCluster = Cluster & { readonly metadata: StoredMeta };

const MachineSpec = object({
  /** Host name or address that the control plane connects to. */
  address: z.string().min(1),
  port: Port.default(22),
  user: z.string().default('root'),
  /** Pinned host key as in known_hosts without the host: `ssh-ed25519 AAAA...`. */
  hostKey: z
    .string()
    .regex(
      /^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa|rsa-sha2-(256|512)) [A-Za-z0-9+/]+={0,2}$/,
      "must be 'TYPE BASE64', as `ssh-keyscan` prints after the host name",
    ),
  /**
   * Address that other nodes reach this node at; to be written where they reach it at another than the control plane
   * does. When absent: of a Machine by host name the address that the name stood for when it was connected to; of one by
   * address what the node tells, the address of its default or only route.
   */
  internalIP: z.ipv4().optional(),
  /** The same of IPv6, in a cluster that has both families; when absent what the node tells, if it has one. */
  internalIPv6: z.ipv6().transform(canonicalAddress).optional(),
  labels: z.record(QualifiedName, LabelValue).optional(),
  taints: atomicList(['key', 'effect', 'value'], Taint).optional(),
  unschedulable: z.boolean().default(false),
  /** Overrides of what the agent measures. */
  capacity: ResourceList.optional(),
  /**
   * Held back from pods; of what is not named here, a little of cpu and memory: see reconciler/core/nodes/reserve.ts.
   */
  reserved: ResourceList.optional(),
  maxPods: z.int().min(1).default(110),
});
export type MachineSpec = z.infer<typeof MachineSpec>;
export const MachineManifest = object({
  apiVersion: z.literal(OWN_API_VERSION),
  kind: z.literal('Machine'),
  metadata: ManifestMeta,
  spec: MachineSpec,
});
export interface Machine {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'Machine';
  readonly metadata: ObjectMeta;
  readonly spec: MachineSpec;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
export type StoredMachine = Machine & { readonly metadata: StoredMeta };

/** What became of a Git source: one per repository, written by the sync controller, never in Git. */
export interface Source {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'Source';
  readonly metadata: ObjectMeta;
  /** What is followed is a branch, a tag, or the newest tag in a range of versions. */
  readonly spec: {
    readonly url: string;
    readonly branch?: string;
    readonly tag?: string;
    readonly semver?: string;
  };
  readonly status?: SourceStatus;
}
export type StoredSource = Source & { readonly metadata: StoredMeta };
export interface SourceStatus {
  /** What is in no manifest any more, and stays: the first of them, for people. Absent where there is none. */
  readonly kept?: readonly string[];
  /** Newest commit seen on the branch. */
  readonly observedRevision?: string;
  /** Commit whose objects are in force. */
  readonly appliedRevision?: string;
  /** Newest first, at most 50. */
  readonly history: readonly RevisionRecord[];
  /** Other repositories that Apps of the revision in force are rendered from. */
  readonly sources?: readonly SourcePin[];
  readonly conditions?: readonly Condition[];
}
/** The commit of another repository that is in force, and what keeps a newer one from being so. */
export interface SourcePin {
  readonly id: string;
  readonly url: string;
  readonly follows: string;
  readonly apps: readonly string[];
  /** Of a listing of pull requests: the AppSets that it is for. `commit` is what it is known by. */
  readonly sets?: readonly string[];
  /** Absent where none could be read yet: its Apps are left out. */
  readonly commit?: string;
  readonly problem?: string;
}
export interface RevisionRecord {
  readonly revision: string;
  readonly subject: string;
  readonly author: string;
  readonly committedAt: string;
  readonly seenAt: string;
  /** The tag that it was found by. */
  readonly tag?: string;
  readonly finishedAt?: string;
  /**
   * Applied: its objects are in the store. Healthy: and all of them became healthy. Superseded: a newer one took its
   * place, before or after it was applied. Degraded: the same, and something of it had failed then.
   */
  readonly outcome: 'Syncing' | 'Applied' | 'Healthy' | 'Refused' | 'Failed' | 'Superseded' | 'Degraded';
  readonly message?: string;
  /**
   * What applying it changed; absent where that is not known, because the state had been rebuilt from the nodes before.
   */
  readonly counts?: { readonly create: number; readonly update: number; readonly delete: number };
  /** How it was noticed, and how long after that it was first acted on, in milliseconds. */
  readonly noticed?: { readonly by: 'hook' | 'poll' | 'webhook' | 'start'; readonly actedAfterMs?: number };
  /** It is on the branch no longer: a force-push took it away. */
  readonly removed?: true;
  /** Of a revision that was in force until a newer one took its place. */
  readonly postMortem?: PostMortem;
}
/** How things stood when a revision was replaced. Few and short, whatever the containers wrote. */
export interface PostMortem {
  readonly health: 'Healthy' | 'Progressing' | 'Degraded';
  /** One sentence for each of the first objects that were not healthy. */
  readonly causes: readonly string[];
  readonly containers: readonly FailedContainer[];
  /** How many more containers failed; absent where all are told. */
  readonly moreContainers?: number;
}
export interface FailedContainer {
  /** NAMESPACE/NAME. */
  readonly pod: string;
  readonly container: string;
  /** Kubernetes' word: CrashLoopBackOff, ErrImagePull, Error, OOMKilled. */
  readonly reason: string;
  /** Of its last run that ended; absent where it never ran. */
  readonly exitCode?: number;
  readonly restarts: number;
  /** The end of its termination message, or of its log where its policy is FallbackToLogsOnError. */
  readonly message?: string;
}
