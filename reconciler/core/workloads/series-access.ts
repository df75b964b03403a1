/** What the Secret that a Cluster names says of a server of series. Keys are those of Flux' Secrets of sources. */
import { readKey, type Secret } from '../../../contracts/objects/index.ts';
import { isOpaqueSecret } from '../secrets/opaque.ts';

/** What a server asks for. Nothing of it is told anywhere. */
export interface SeriesAccess {
  /** The value of the header `Authorization`. */
  readonly authorization?: string;
  /** Certificates in PEM: its server's must come from one of these. Those that the machine knows where absent. */
  readonly ca?: string;
}

/** A string says why there is none. A line end after a value is not part of it: `echo` wrote it. */
export function accessIn(secret: Secret | undefined): SeriesAccess | string {
  if (secret === undefined) return 'is not there';
  if (isOpaqueSecret(secret)) return 'is encrypted for somebody else';
  const text = (key: string): string | undefined => {
    const value = readKey(secret.data, key);
    return value === undefined
      ? undefined
      : Buffer.from(value, 'base64')
          .toString('utf8')
          .replace(/\r?\n$/, '');
  };
  const [username, password, token, ca] = ['username', 'password', 'bearerToken', 'ca.crt'].map(text);
  if ((username === undefined) !== (password === undefined)) return 'must have both of username and password';
  if (token !== undefined && username !== undefined) return 'must have either username and password, or bearerToken';
  if (username?.includes(':')) return "must have a username without ':'";
  // What a header can carry. Source: RFC 6750, b64token.
  if (token !== undefined && !/^[A-Za-z0-9._~+/-]+=*$/.test(token)) return 'has a bearerToken that is none';
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(username !== undefined && {
      authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`,
    }),
    ...(ca !== undefined && { ca }),
  };
}
