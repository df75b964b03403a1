/** Questions to what runs, asked until they have an answer. */
import http from 'node:http';
import { interrupted } from '../support/interruption.ts';
import { patience } from '../support/patience.ts';

/**
 * Asks until `probe` gives something; fails with its last words after `seconds` of a machine with time, and when this
 * process is interrupted.
 */
export async function eventually<T>(
  what: string,
  seconds: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const isOver = patience(seconds * 1000);
  let last: unknown;
  for (;;) {
    interrupted.throwIfAborted();
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (isOver()) throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function getJson(socketPath: string, requestPath: string): Promise<unknown> {
  return JSON.parse(await getText(socketPath, requestPath));
}

export function getText(socketPath: string, requestPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: requestPath, agent: false, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(body)
          : reject(new Error(`${requestPath}: ${response.statusCode} ${body}`)),
      );
    });
    request.on('timeout', () => request.destroy(new Error(`${requestPath}: no answer`)));
    request.on('error', reject);
  });
}
