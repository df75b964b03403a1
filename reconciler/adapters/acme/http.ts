/** One request to an ACME server: over TLS, bounded in time and size, to nowhere else. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AcmePlace } from '../../ports/acme-server.ts';

const MOST_BYTES = 512 * 1024;
/** Source: RFC 8555, 6.1. */
const USER_AGENT = 'plumbline-acme/1';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** `body`: sent with POST as `application/jose+json`. No redirect is followed. Throws Errors of the network. */
export async function exchange(
  place: AcmePlace,
  url: string,
  options: { readonly method: 'GET' | 'HEAD' | 'POST'; readonly body?: string; readonly accept?: string },
  signal: AbortSignal,
): Promise<Answer> {
  const target = new URL(url);
  if (target.protocol !== 'https:') throw new Error(`it names a place that is not https: ${target.protocol}`);
  const { method, body, accept } = options;
  const request = httpsRequest(target, {
    method,
    headers: {
      'user-agent': USER_AGENT,
      ...(accept !== undefined && { accept }),
      ...(body !== undefined && {
        'content-type': 'application/jose+json',
        'content-length': Buffer.byteLength(body),
      }),
    },
    ...(place.ca !== undefined && { ca: place.ca }),
    agent: false,
    signal,
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end(body);
  const [response] = await answered;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`its answer is longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') };
}
