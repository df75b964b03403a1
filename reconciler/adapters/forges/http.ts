/** One question to a forge: over TLS, bounded in time and size, to nowhere else. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { answerBody } from '../../ports/answer-body.ts';

/** Longest silence, in milliseconds. */
const SILENCE_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** No redirect is followed. `ca`: PEM of the only authorities. Throws Errors of the network, RetryableError `AnswerTooLarge`. */
export async function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  ca: string | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Answer> {
  if (url.protocol !== 'https:') throw new Error('it is not asked without TLS');
  signal.throwIfAborted();
  const request = httpsRequest(url, {
    headers: { 'user-agent': 'plumbline', accept: 'application/json', 'accept-encoding': 'identity', ...headers },
    ...(ca !== undefined && { ca }),
    agent: false,
    timeout: SILENCE_MS,
    signal,
  });
  let waiting: { destroy(error: Error): unknown } = request;
  request.on('timeout', () => waiting.destroy(new Error(`no answer for ${SILENCE_MS / 1000} s`)));
  // After the response began, its own stream tells.
  request.on('error', () => undefined);
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end();
  const [response] = await answered;
  waiting = response;
  const text = (await answerBody(response, maxBytes)).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
