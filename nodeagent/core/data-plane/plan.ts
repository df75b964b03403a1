/**
 * What a node's packet filter has to do, in the words of Services: new connections to frontends go to targets, with or
 * without affinity, under one policy of the node. Plain data, of no packet filter: nftables has it today, others can.
 */
import type { ObjectKey } from '../../../contracts/objects/key.ts';
import type { ClusterSpec } from '../../../contracts/objects/own.ts';
import type { GuardChange, GuardParts } from './policy/plan.ts';
import type { Protocol } from './protocol.ts';

export type { Protocol };

/** Where a connection may end: an IPv4 address and a port. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

/** Where clients aim. */
export type Frontend =
  /** An address that no machine has: a Service's. New connections are refused at once while there is no target. */
  | { readonly at: 'service-address'; readonly address: string; readonly port: number }
  /**
   * An address that clients outside of the cluster aim at, which may be this machine's own; refused like the above. Of
   * one that is `guarded` no other port of the machine is reached either.
   */
  | {
      readonly at: 'external-address';
      readonly address: string;
      readonly port: number;
      readonly guarded: boolean;
      /** Ranges of the clients that are let in, of which none meets another; absent: everybody. */
      readonly from?: readonly string[];
    }
  /** A port of this machine at every address but loopback; refused like the above. */
  | { readonly at: 'node-port'; readonly port: number }
  /**
   * A port of this machine at one address, which may be a loopback address, or without `address` at every other one.
   * Unlike the two above it is left to the machine's own processes while there is no target.
   */
  | { readonly at: 'host-port'; readonly address?: string; readonly port: number };

/** What a forwarding was made of, and with that its identity: no two of a plan have the same. */
export type Origin =
  | {
      readonly of: 'service-port';
      readonly namespace: string;
      readonly service: string;
      /** Port name, or the number as text where the port has no name. */
      readonly port: string;
      /** Of a Service that treats connections from outside in another way: these. */
      readonly traffic?: 'external';
    }
  | {
      readonly of: 'host-port';
      readonly namespace: string;
      readonly pod: string;
      readonly hostIP: string;
      readonly hostPort: number;
      readonly containerPort: number;
    };

/** Where new connections to any of some frontends go. Those that exist stay where they are. */
export interface Forwarding {
  readonly origin: Origin;
  readonly protocol: Protocol;
  readonly frontends: readonly Frontend[];
  /** Who gets new connections, each as likely; ordered, without doubles. */
  readonly targets: readonly Target[];
  /**
   * Who gets new connections that pods, or this machine, begin, where that is not `targets`. As ordered. `pods`: the
   * range of all pods.
   */
  readonly insiders?: { readonly pods: string; readonly targets: readonly Target[] };
  /** There are endpoints, on other nodes: who meets no target is left without an answer instead of refused. */
  readonly elsewhere?: true;
  /**
   * Addresses of `targets` and insiders' in this node's pod range, without doubles: only these pods can meet themselves here, and one
   * answers itself only when its own address is hidden from it (hairpin masquerade).
   */
  readonly localTargets: readonly string[];
  /** Addresses that may keep the connections they have; those of `targets` are among them. */
  readonly known: readonly string[];
  /** Those of `known` whose pods are gone once they are not in it any more. */
  readonly ending: readonly string[];
  /** Sends a client where it went before, as long as its pauses are shorter than this. Absent: each connection anew. */
  readonly affinity?: { readonly timeoutSeconds: number };
}

/** By what of the kernel new connections are forwarded. All that a {@link NodePolicy} else asks for is nftables' with each. */
export type ForwardingMeans = 'nftables' | 'iptables' | 'ipvs';

/** How IPVS chooses a target. Source: ipvsadm(8). */
export type IpvsScheduler = ClusterSpec['network']['ipvs']['scheduler'];

/** What holds on a node whatever is forwarded. */
export interface NodePolicy {
  readonly forwardBy: ForwardingMeans;
  /** With `ipvs` alone. */
  readonly scheduler?: IpvsScheduler;
  /** Where IPVS forwarded before: connections that it leads go on. */
  readonly afterIpvs?: true;
  /** Range of all pods: packets between them are never masqueraded. */
  readonly podRange: string;
  /** Range of Service addresses: what still aims there after forwarding is refused. */
  readonly serviceRange: string;
  /**
   * Pod range of this node; absent until it has one. What its pods send to neither pods nor nodes is masqueraded unless
   * `isForeign`, and of what is forwarded all that neither comes from nor goes to its pods.
   */
  readonly localRange: string | undefined;
  /**
   * Pods' links are a CNI plugin's of the user's: what pods send out is its work, and none of the machine's addresses is
   * known to be in the local range.
   */
  readonly isForeign: boolean;
  /** Where other nodes reach this one; absent until that is known. */
  readonly ownAddress: string | undefined;
  /** Addresses that nodes reach each other at. */
  readonly nodeAddresses: readonly string[];
  /** UDP port that takes packets of nodes only: the overlay device's; absent where there is none. */
  readonly overlayPort: number | undefined;
  /** The user that this node's proxy runs as, by number; absent where there is none of its own. */
  readonly proxyUser: number | undefined;
}

/** A Service, or a pod of this node with host ports. */
export type PlanOwner = ObjectKey<'Service' | 'Pod'>;

/** Where several owners have one frontend, connections go to the targets of the first by name that has any. */
export interface ServicePlan {
  readonly policy: NodePolicy;
  readonly forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>;
  /** What pods may take and open; absent: everything. */
  readonly guards?: GuardParts | undefined;
}

/** What may differ from the plan before. Naming what did not change is no fault. */
export interface PlanChange {
  /** Absent: as before. */
  readonly policy?: NodePolicy | undefined;
  /** All forwardings of each owner that is named; an owner without any is gone from the plan. */
  readonly forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>;
  readonly guards?: GuardChange | undefined;
}

/** For people, and one of its kind: `default/web:http TCP`. */
export function describeForwarding({ origin, protocol }: Pick<Forwarding, 'origin' | 'protocol'>): string {
  switch (origin.of) {
    case 'service-port':
      return `${origin.namespace}/${origin.service}:${origin.port} ${protocol}${origin.traffic === undefined ? '' : ' from outside'}`;
    case 'host-port':
      return `${origin.namespace}/${origin.pod} host port ${origin.hostIP}:${origin.hostPort} ${protocol}`;
  }
}
