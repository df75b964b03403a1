/** A certification authority that speaks ACME. Source: RFC 8555. */
import type { KeyObject } from 'node:crypto';

/** Where it is, and what its own certificate is verified by. Given with each call, as a commit may change it. */
export interface AcmePlace {
  /** URL of its directory; https. */
  readonly server: string;
  /** PEM, instead of the machine's own authorities. */
  readonly ca?: string;
}

export interface AcmeAccount extends AcmePlace {
  readonly key: KeyObject;
  /** URL of the account. */
  readonly uri: string;
}

export interface Registration extends AcmePlace {
  readonly key: KeyObject;
  readonly email?: string | undefined;
  /** Ties the account to one that its owner has there. */
  readonly external?: { readonly keyId: string; readonly mac: Uint8Array } | undefined;
}

export type AcmeStatus =
  'pending' | 'ready' | 'processing' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked';

export interface AcmeOrder {
  readonly url: string;
  readonly status: AcmeStatus;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string | undefined;
  /** Why it is invalid, in the server's words. */
  readonly problem?: string | undefined;
}

export interface AcmeAuthorization {
  readonly status: AcmeStatus;
  readonly dnsName: string;
  readonly isWildcard: boolean;
  readonly challenges: readonly {
    readonly type: string;
    readonly url: string;
    /** base64url. */
    readonly token: string;
    readonly problem?: string | undefined;
  }[];
}

/**
 * All calls: RetryableError `AcmeUnavailable` where the server does not answer in time, or not at this time;
 * {@link AcmeRefusal} where it does not take what was asked. Both name the server, and nothing secret.
 */
export interface AcmeServers {
  /** Registers the key, or finds its account; the contact is brought up to date. Resolves with the account's URL. */
  register(registration: Registration, signal: AbortSignal): Promise<string>;
  newOrder(
    account: AcmeAccount,
    order: { readonly dnsNames: readonly string[]; readonly profile?: string | undefined },
    signal: AbortSignal,
  ): Promise<AcmeOrder>;
  order(account: AcmeAccount, url: string, signal: AbortSignal): Promise<AcmeOrder>;
  authorization(account: AcmeAccount, url: string, signal: AbortSignal): Promise<AcmeAuthorization>;
  /** Tells that a challenge can be looked at. */
  challenge(account: AcmeAccount, url: string, signal: AbortSignal): Promise<void>;
  /** `request`: PKCS #10, DER. */
  finalize(account: AcmeAccount, order: AcmeOrder, request: Uint8Array, signal: AbortSignal): Promise<AcmeOrder>;
  /**
   * In PEM, the certificate first. With `preferredChain` one of the chains that are offered whose last certificate has
   * an issuer of that common name, where there is one.
   */
  certificate(
    account: AcmeAccount,
    url: string,
    preferredChain: string | undefined,
    signal: AbortSignal,
  ): Promise<string>;
}
