/**
 * Which connections this node's pods may take and open, for a packet filter of any kind. Made of NetworkPolicies, in
 * words of none: selectors are addresses, names of ports are numbers.
 */
import type { Protocol } from '../protocol.ts';

/** From the first to the last, both included. */
export type Span = readonly [number, number];

/** IPv6 has more than a number holds. */
export type AddressNumber = number | bigint;
/** Addresses of one family. */
export type AddressSpan = readonly [AddressNumber, AddressNumber];

/** The other end of a connection, or where it goes to. */
export type Ends =
  | { readonly are: 'anyone' }
  /** Addresses of a {@link GuardPart} `group` that holds addresses. */
  | { readonly are: 'group'; readonly group: string }
  /** Addresses as numbers: in order, apart from each other; never empty. */
  | { readonly are: 'spans'; readonly spans: readonly AddressSpan[] };

export type Ports =
  /** Also what has no ports, such as ICMP. */
  | { readonly are: 'all' }
  /** By protocol: in order, apart from each other; never empty. */
  | {
      readonly are: 'numbers';
      readonly of: readonly { readonly protocol: Protocol; readonly spans: readonly Span[] }[];
    }
  /** The pairs of address and port of a {@link GuardPart} `group` that holds those. */
  | { readonly are: 'group'; readonly protocol: Protocol; readonly group: string };

/** Allows connections that are both: from or to these ends, at these ports of the pod that takes them. */
export interface Allowance {
  readonly ends: Ends;
  readonly ports: Ports;
}

/** What a pod with this address takes and opens; absent: everything. Of an empty list nothing is allowed. */
export interface Guard {
  readonly address: string;
  readonly ingress?: readonly Allowance[];
  readonly egress?: readonly Allowance[];
}

/** `10.0.0.1`, of the family that is guarded; in a group of ports with its numbers. */
export interface GroupMember {
  readonly address: string;
  readonly ports?: readonly number[];
}

/** A part of what is guarded, that comes and goes as a whole. */
export type GuardPart =
  /** What all guards stand on; there as long as there is one. `dns`: answers this node's pods, and is no pod; of IPv4 alone. */
  | { readonly is: 'frame'; readonly dns?: string | undefined }
  | ({ readonly is: 'pod'; readonly namespace: string; readonly pod: string } & Guard)
  /** A group that guards name. `protocol`: it holds addresses with ports of that. */
  | {
      readonly is: 'group';
      readonly group: string;
      readonly protocol?: Protocol;
      readonly members: readonly GroupMember[];
    }
  /** More of its members. */
  | {
      readonly is: 'members';
      readonly group: string;
      readonly protocol?: Protocol;
      readonly members: readonly GroupMember[];
    };

/** By a name that says what it is of. Undefined, in a change: it is gone. */
export type GuardParts = ReadonlyMap<string, GuardPart>;
export type GuardChange = ReadonlyMap<string, GuardPart | undefined>;
