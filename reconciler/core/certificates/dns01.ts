/** What shows a name by DNS-01, and where it is put. */
import { createHash } from 'node:crypto';
import type { AcmeDns01 } from '../../../contracts/objects/index.ts';

export type TsigAlgorithm = 'hmac-md5' | 'hmac-sha1' | 'hmac-sha256' | 'hmac-sha512';

export type DnsProvider =
  | {
      readonly is: 'rfc2136';
      /** Name or address; an IPv6 address without brackets. */
      readonly host: string;
      readonly port: number;
      readonly overTcp: boolean;
      /** `secret`: base64. */
      readonly tsig?: { readonly name: string; readonly algorithm: TsigAlgorithm; readonly secret: string };
    }
  | { readonly is: 'cloudflare'; readonly credential: CloudflareCredential };
export type CloudflareCredential = { readonly token: string } | { readonly email: string; readonly key: string };

export interface ChallengeRecord {
  /** Whole, without a dot at its end. */
  readonly name: string;
  readonly value: string;
}

/** Source: RFC 8555, 8.4. */
export function recordText(keyAuthorization: string): string {
  return createHash('sha256').update(keyAuthorization).digest('base64url');
}

export function recordOf({ dnsName, key }: { readonly dnsName: string; readonly key: string }): ChallengeRecord {
  return { name: `_acme-challenge.${dnsName}`, value: key };
}

const ALGORITHMS: Readonly<Record<NonNullable<AcmeDns01['rfc2136']>['tsigAlgorithm'], TsigAlgorithm>> = {
  HMACMD5: 'hmac-md5',
  HMACSHA1: 'hmac-sha1',
  HMACSHA256: 'hmac-sha256',
  HMACSHA512: 'hmac-sha512',
};
const DNS_PORT = 53;
/** What may stand in a line of a program's input, or in a header. */
const PLAIN = /^[\x21-\x7e]{1,4096}$/;
const BASE64 = /^[A-Za-z0-9+/]{1,1024}={0,2}$/;

/** `read`: an entry of a Secret, decoded. A word where what it needs is not there. */
export function providerOf(
  { rfc2136, cloudflare }: AcmeDns01,
  read: (name: string, key: string) => string | undefined,
): DnsProvider | string {
  const secret = (ref: { readonly name: string; readonly key: string } | undefined, form: RegExp): string | Error => {
    const text = ref && read(ref.name, ref.key)?.trim();
    if (text === undefined) return new Error(`Secret ${ref?.name} has no ${ref?.key}`);
    return form.test(text) ? text : new Error(`${ref?.key} of Secret ${ref?.name} is not what it has to be`);
  };
  if (cloudflare) {
    const { email, apiTokenSecretRef, apiKeySecretRef } = cloudflare;
    const found = secret(apiTokenSecretRef ?? apiKeySecretRef, PLAIN);
    if (found instanceof Error) return found.message;
    const isToken = apiTokenSecretRef !== undefined;
    return { is: 'cloudflare', credential: isToken ? { token: found } : { email: email ?? '', key: found } };
  }
  if (!rfc2136) return 'the solver names no provider';
  const { nameserver, protocol, tsigKeyName, tsigAlgorithm, tsigSecretSecretRef } = rfc2136;
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(nameserver) ?? [];
  const found = tsigSecretSecretRef && secret(tsigSecretSecretRef, BASE64);
  if (found instanceof Error) return found.message;
  return {
    is: 'rfc2136',
    host: bracketed ?? plain ?? '',
    port: Number(port ?? DNS_PORT),
    overTcp: protocol === 'TCP',
    ...(tsigKeyName !== undefined &&
      found !== undefined && { tsig: { name: tsigKeyName, algorithm: ALGORITHMS[tsigAlgorithm], secret: found } }),
  };
}
