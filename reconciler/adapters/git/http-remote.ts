/** A Git server behind HTTP(S), in the "smart" protocol. Source: gitprotocol-http(5). */
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git';
import { type PlumbError, TerminalError } from '../../core/errors.ts';
import { type GitCredentials, splitCredentials } from './credentials.ts';
import { httpExchange } from './http-client.ts';
import { type Advertisement, MAX_ANSWER, parseAdvertisement } from './pkt-line.ts';
import { type GitRemote, unreachable } from './remote.ts';

export interface HttpRemoteOptions {
  /** Longest silence of a server that has not finished, in milliseconds. */
  readonly httpSilenceMs?: number | undefined;
  /** PEM of the only authorities that its certificate may be of. */
  readonly ca?: string | undefined;
  /** Whether `ca` is of a Secret, or would be. */
  readonly alone?: boolean | undefined;
}

export function httpRemote(
  url: string,
  credentials: GitCredentials | undefined,
  { httpSilenceMs, ca, alone = false }: HttpRemoteOptions = {},
): GitRemote {
  const base = url.replace(/\/+$/, '');
  const authorization = credentials?.authorization();
  const exchange = httpExchange(httpSilenceMs, ca);

  async function send(request: GitHttpRequest, signal: AbortSignal): Promise<GitHttpResponse> {
    try {
      return await exchange(
        { ...request, headers: { ...request.headers, ...(authorization && { authorization }) } },
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      throw certificateRefused(base, error, alone) ?? unreachable(base, error);
    }
  }

  async function ask(request: GitHttpRequest, signal: AbortSignal): Promise<Buffer> {
    const response = await send(request, signal);
    const refused = refusal(base, request, response);
    const chunks: Uint8Array[] = [];
    try {
      let bytes = 0;
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER) throw new Error('it answers more than is read');
        chunks.push(chunk);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw refused ?? unreachable(base, error);
    }
    if (refused) throw refused;
    return Buffer.concat(chunks);
  }

  return {
    async advertise(service, signal): Promise<Advertisement> {
      const answer = await ask({ url: `${base}/info/refs?service=${service}`, method: 'GET' }, signal);
      try {
        return parseAdvertisement(answer);
      } catch (error) {
        throw new TerminalError('GitUrlInvalid', `${base} answers, but not as a Git server: check the URL`, {
          cause: error,
        });
      }
    },
    push(body, signal) {
      const headers = {
        'content-type': 'application/x-git-receive-pack-request',
        accept: 'application/x-git-receive-pack-result',
      };
      return ask(
        {
          url: `${base}/git-receive-pack`,
          method: 'POST',
          headers,
          body: (async function* () {
            yield body;
          })(),
        },
        signal,
      );
    },
    httpClient: (signal) => ({ url: base, http: { request: (request) => send(request, signal) } }),
  };
}

/** What a status other than 200 means. */
function refusal(
  base: string,
  request: GitHttpRequest,
  { statusCode, headers }: GitHttpResponse,
): PlumbError | undefined {
  if (statusCode === 200) return undefined;
  if (statusCode === 401 || statusCode === 403 || statusCode === 404) {
    return new TerminalError(
      'GitAccessDenied',
      `${base} answered ${statusCode}: check the URL, and that the credentials may ${request.method === 'POST' ? 'write' : 'read'} it`,
    );
  }
  const location = headers?.['location'];
  if (location !== undefined && statusCode >= 300 && statusCode < 400) {
    const place = splitCredentials(URL.canParse(location, base) ? new URL(location, base).href : location).url.replace(
      /\/info\/refs(\?.*)?$/,
      '',
    );
    return new TerminalError(
      'GitUrlInvalid',
      `${base} answered ${statusCode} and points at ${place}: if the repository is there, give that URL`,
    );
  }
  return unreachable(base, new Error(`HTTP ${statusCode}`));
}

/**
 * Source: openssl-verification-options(1) and X509_STORE_CTX_get_error(3), under the names that Node gives to those.
 */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);
const OTHER_NAME: ReadonlySet<string> = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH']);
const NOT_VALID: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'CERT_REJECTED',
]);

/** The error for a certificate that does not hold, with what to do; undefined for any other failure. */
function certificateRefused(base: string, cause: unknown, alone: boolean): TerminalError | undefined {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const { host } = new URL(base);
  const refused = (sentence: string): TerminalError => new TerminalError('GitCertificateRefused', sentence, { cause });
  if (UNKNOWN_AUTHORITY.has(code)) {
    return refused(
      `the certificate of ${host} is from an authority that is not known (${message}): ${alone ? "put that authority's certificate into ca.crt of the Secret" : "write that authority's certificate to a PEM file and start again with NODE_EXTRA_CA_CERTS=FILE"}`,
    );
  }
  if (OTHER_NAME.has(code))
    return refused(
      `the certificate of ${host} is for another host (${message}): use the name that the certificate has`,
    );
  if (NOT_VALID.has(code))
    return refused(
      `the certificate of ${host} is not valid (${message}): have it renewed, or set this machine's clock`,
    );
  return undefined;
}
