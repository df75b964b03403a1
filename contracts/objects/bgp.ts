/**
 * Routers that nodes tell of the addresses of load balancers, by BGP. The kinds are MetalLB's, as people have them in their
 * repositories. Sources: metallb/metallb, api/v1beta1 and api/v1beta2, internal/config (what it refuses), RFC 4271.
 */
import { z } from 'zod';
import { bgpSeconds, parseCommunity } from './bgp-words.ts';
import { ManifestMeta, type ObjectMeta } from './meta.ts';
import { LOAD_BALANCER_API } from './load-balancers.ts';
import { DnsLabel, DnsSubdomain, object, unset } from './schema.ts';
import { LabelSelector } from './selectors.ts';

export const BGP_PEER_API = 'metallb.io/v1beta2';

const Selectors = z.array(LabelSelector).max(100);
const IPv4 = z.ipv4('must be an IPv4 address; IPv6 is not there yet');
/** Of one machine: BIRD would listen at all addresses for 0.0.0.0, and take whoever comes for the router. */
const HostAddress = IPv4.refine((text) => {
  const first = Number(text.split('.')[0]);
  return first > 0 && first < 224 && first !== 127;
}, 'must be the address of one machine on a network: not 0.0.0.0, of loopback, for many, or for all');
const LAST_ASN = 4_294_967_295;
/** RFC 7607: 0 is nobody's. */
const Asn = z.int().min(1).max(LAST_ASN);

/** RFC 4271: sixteen bits of seconds. */
const MOST_SECONDS = 65_535;
const Seconds = z
  .string()
  .max(32)
  .refine((text) => bgpSeconds(text) <= MOST_SECONDS, 'must be a duration of at most 65535s, such as 90s or 1m30s');

const BGPPeerSpec = object(
  {
    /** Of the nodes. */
    myASN: Asn,
    /** Of the router: this number, or `dynamicASN`. */
    peerASN: unset(0, Asn.optional()),
    /** Any number that is the nodes' own (`internal`) or is not (`external`). */
    dynamicASN: unset('', z.enum(['internal', 'external']).optional()),
    peerAddress: HostAddress,
    peerPort: z.int().min(1).max(16_384).default(179),
    /** Of the node's addresses the one that it speaks from; absent: that by which nodes reach each other. */
    sourceAddress: unset('', HostAddress.optional()),
    /** A router that hears nothing for so long takes the node for dead. Absent: 90s, or three times `keepaliveTime`. */
    holdTime: Seconds.refine(
      (text) => bgpSeconds(text) === 0 || !(bgpSeconds(text) < 3),
      'must be 0s or at least 3s (RFC 4271)',
    ).optional(),
    keepaliveTime: Seconds.optional(),
    /** Between two tries to connect. */
    connectTime: Seconds.refine((text) => !(bgpSeconds(text) < 1), 'must be at least 1s').optional(),
    /** Absent: the address by which nodes reach each other. */
    routerID: unset('', IPv4.refine((text) => text !== '0.0.0.0', 'must not be 0.0.0.0 (RFC 6286)').optional()),
    /** Nodes that speak to the router: those that one of these matches; absent: all. */
    nodeSelectors: Selectors.optional(),
    /** A Secret of the peer's own namespace, of type `kubernetes.io/basic-auth`: its `password` signs what is said (RFC 2385). */
    passwordSecret: object({
      name: unset('', DnsSubdomain.optional()),
      namespace: unset('', DnsLabel.optional()),
    }).optional(),
    /** The router keeps what it was told while BIRD is started again on a node (RFC 4724). */
    enableGracefulRestart: z.boolean().default(false),
    /** The router is of another network than the node. */
    ebgpMultiHop: z.boolean().default(false),
  },
  {
    password: [''],
    bfdProfile: [''],
    interface: [''],
    vrf: [''],
    // Sessions over IPv4 carry IPv4 alone, whatever it says.
    disableMP: [false, true],
    dualStackAddressFamily: [false],
  },
)
  .refine(({ peerASN, dynamicASN }) => (peerASN === undefined) !== (dynamicASN === undefined), {
    error: 'must have peerASN or dynamicASN, and not both',
    path: ['peerASN'],
  })
  .refine(
    ({ myASN, peerASN, dynamicASN, ebgpMultiHop }) => !ebgpMultiHop || (peerASN !== myASN && dynamicASN !== 'internal'),
    {
      error: 'is for routers of another autonomous system',
      path: ['ebgpMultiHop'],
    },
  )
  .refine(
    ({ holdTime, keepaliveTime }) =>
      holdTime === undefined || keepaliveTime === undefined || bgpSeconds(keepaliveTime) <= bgpSeconds(holdTime),
    { error: 'must not be more than holdTime', path: ['keepaliveTime'] },
  );
export const BGPPeerManifest = object({
  apiVersion: z.literal(BGP_PEER_API),
  kind: z.literal('BGPPeer'),
  metadata: ManifestMeta,
  spec: BGPPeerSpec,
}).refine(
  ({ metadata, spec }) =>
    spec.passwordSecret?.namespace === undefined || spec.passwordSecret.namespace === metadata.namespace,
  { error: 'must be the namespace of the BGPPeer itself', path: ['spec', 'passwordSecret', 'namespace'] },
);
export interface BGPPeer {
  readonly apiVersion: typeof BGP_PEER_API;
  readonly kind: 'BGPPeer';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof BGPPeerSpec>;
}

/** What one announcement may carry: more do not fit beside others into a message. */
const MOST_COMMUNITIES = 63;

const BGPAdvertisementSpec = object(
  {
    /** Absent, with no selectors: all pools. */
    ipAddressPools: z.array(DnsSubdomain).max(1000).optional(),
    ipAddressPoolSelectors: Selectors.optional(),
    /** Of the pools' addresses those of Services that one of these matches; absent: all. */
    serviceSelectors: Selectors.optional(),
    /** Nodes that announce: those that one of these matches; absent: all. */
    nodeSelectors: Selectors.optional(),
    /** Names of BGPPeers that are told; absent: all. */
    peers: z.array(DnsSubdomain).max(1000).optional(),
    /** Addresses are announced as ranges of so many bits. */
    aggregationLength: z.int().min(1).max(32).default(32),
    /** Of more ways the one with the highest is taken: told within the own autonomous system only. */
    localPref: unset(0, z.int().min(0).max(0xffff_ffff).optional()),
    /** `65000:1`, `large:65000:1:2`, or a name that a Community gives. */
    communities: z.array(z.string().min(1).max(253)).max(MOST_COMMUNITIES).optional(),
  },
  { aggregationLengthV6: [128] },
).refine(({ serviceSelectors = [], aggregationLength }) => serviceSelectors.length === 0 || aggregationLength === 32, {
  error: 'cannot be less than 32 beside serviceSelectors: a range has addresses of other Services, too',
  path: ['aggregationLength'],
});
export const BGPAdvertisementManifest = object({
  apiVersion: z.literal(LOAD_BALANCER_API),
  kind: z.literal('BGPAdvertisement'),
  metadata: ManifestMeta,
  spec: BGPAdvertisementSpec.prefault({}),
});
export interface BGPAdvertisement {
  readonly apiVersion: typeof LOAD_BALANCER_API;
  readonly kind: 'BGPAdvertisement';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof BGPAdvertisementSpec>;
}

const CommunitySpec = object({
  communities: z
    .array(
      object({
        name: z.string().min(1).max(253),
        value: z
          .string()
          .max(64)
          .refine(
            (text) => parseCommunity(text) !== undefined,
            'must be a community such as 65000:1 or large:65000:1:2',
          ),
      }),
    )
    .max(1000)
    .optional(),
});
export const CommunityManifest = object({
  apiVersion: z.literal(LOAD_BALANCER_API),
  kind: z.literal('Community'),
  metadata: ManifestMeta,
  spec: CommunitySpec,
});
/** Names for communities. */
export interface Community {
  readonly apiVersion: typeof LOAD_BALANCER_API;
  readonly kind: 'Community';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof CommunitySpec>;
}
