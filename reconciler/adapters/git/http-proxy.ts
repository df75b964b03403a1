/** HTTPS through a proxy: a tunnel to the server, in which TLS is spoken with that one alone. Source: RFC 9110, 9.3.6. */
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';

/** The value of the header for a proxy that wants a login. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** Connections through one proxy, kept as Node keeps others. `silenceMs`: the longest of it, and of the server behind it, until TLS is spoken. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #silenceMs: number;

  constructor(proxy: URL, silenceMs: number) {
    super({ keepAlive: true });
    this.#proxy = proxy;
    this.#silenceMs = silenceMs;
  }

  /** As http.Agent calls it. */
  override createConnection(
    options: tls.ConnectionOptions,
    callback: (error: Error | null, socket?: Duplex) => void,
  ): undefined {
    const { hostname, port, host } = this.#proxy;
    const to = options.host ?? '';
    const target = `${to.includes(':') ? `[${to}]` : to}:${options.port ?? 443}`;
    const authorization = proxyAuthorization(this.#proxy);
    const asking = http.request({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 80 : port,
      method: 'CONNECT',
      path: target,
      agent: false,
      timeout: this.#silenceMs,
      headers: { host: target, ...(authorization !== undefined && { 'proxy-authorization': authorization }) },
    });
    const fails = (what: string, cause?: unknown): void => {
      asking.destroy();
      callback(new Error(`the proxy ${host} ${what}`, { cause }));
    };
    asking.once('timeout', () => fails(`did not answer for ${this.#silenceMs / 1000} s`));
    asking.once('error', (error) => fails(`cannot be asked: ${error.message}`, error));
    asking.once('response', (answer) => fails(`answered ${answer.statusCode}`));
    asking.once('connect', (answer, socket, head) => {
      asking.removeAllListeners('timeout');
      if (answer.statusCode !== 200) {
        socket.destroy();
        fails(`answered ${answer.statusCode} for ${target}`);
        return;
      }
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      const secured = tls.connect({ ...options, socket });
      const refused = (error: Error): void => callback(error);
      const isSilent = (): void => {
        secured.destroy(new Error(`${target} behind the proxy ${host} did not answer for ${this.#silenceMs / 1000} s`));
      };
      secured.once('error', refused);
      secured.setTimeout(this.#silenceMs, isSilent);
      secured.once('secureConnect', () => {
        secured.off('error', refused);
        secured.setTimeout(0, isSilent);
        callback(null, secured);
      });
    });
    asking.end();
    return undefined;
  }
}
