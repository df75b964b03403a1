/** `plumb up --redis URL` to connection options, and what can be said of them. */
import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { TerminalError } from '../../core/errors.ts';

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;
const URL_FORMS =
  'write redis://HOST:PORT/DB, rediss://HOST:PORT/DB (TLS), unix:///PATH or redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB';
const SENTINEL = /^(rediss?)\+sentinel:\/\/(?:([^/@]*)@)?([^/@?#]+)\/([^/?#]+)(?:\/(\d+))?$/;

/** Logins that are not in the URL. */
export interface RedisPasswords {
  /** Of the servers. */
  readonly password?: string;
  /** Of the sentinels. */
  readonly sentinelPassword?: string;
}

/**
 * `redis://[user:password@]host[:port][/db]`, `rediss://...` for TLS, `unix:///path/to.sock`, or, for the primary that
 * Sentinel names, `redis+sentinel://[user:password@]host[:port][,host[:port]...]/master[/db]` (`rediss+sentinel` for
 * TLS to servers and sentinels). Throws TerminalError `RedisUrlInvalid`; the message never repeats the password.
 */
export function redisOptionsFromUrl(text: string, { password, sentinelPassword }: RedisPasswords = {}): RedisOptions {
  const options = text.includes('+sentinel:') ? sentinelOptions(text) : serverOptions(text);
  return {
    ...options,
    ...(password !== undefined && { password }),
    ...(sentinelPassword !== undefined && options.sentinels && { sentinelPassword }),
  };
}

/** Where the server is, for people: without a login. */
export function placeOfRedis({ path, host, port, sentinels, name }: RedisOptions): string {
  if (sentinels)
    return `${name ?? ''} of the sentinels ${sentinels.map((s) => `${s.host ?? ''}:${s.port ?? DEFAULT_SENTINEL_PORT}`).join(', ')}`;
  return path ?? `${host ?? '127.0.0.1'}:${port ?? DEFAULT_PORT}`;
}

/** Whether what is said to this server, passwords and all, can be read and changed by the networks between. */
export function isExposed({ path, host, tls, sentinels }: RedisOptions): boolean {
  if (tls) return false;
  const hosts = sentinels ? sentinels.map((sentinel) => sentinel.host) : [path === undefined ? host : undefined];
  return hosts.some((name) => name !== undefined && !isLoopback(name));
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function invalid(why: string): TerminalError {
  return new TerminalError('RedisUrlInvalid', `the Redis URL is not valid: ${why}; ${URL_FORMS}`);
}

function serverOptions(text: string): RedisOptions {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid('it is no URL');
  }
  const login = {
    ...(url.username && { username: decoded(url.username) }),
    ...(url.password && { password: decoded(url.password) }),
  };
  if (url.protocol === 'unix:') return { path: decoded(url.pathname), ...login };
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw invalid(`the scheme is ${url.protocol}`);
  if (url.hostname === '') throw invalid('it names no host');
  const db = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isInteger(db) || db < 0) throw invalid('the part after the host is no database number');
  return {
    host: bare(url.hostname),
    port: url.port ? Number(url.port) : DEFAULT_PORT,
    db,
    ...login,
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** Several hosts are more than a URL can have: read by hand. */
function sentinelOptions(text: string): RedisOptions {
  const [, scheme, login = '', hosts = '', master = '', db = '0'] = SENTINEL.exec(text) ?? [];
  if (scheme === undefined)
    throw invalid(
      'a Sentinel URL has hosts, then the name of the master that they watch, then perhaps a database number',
    );
  const colon = login.indexOf(':');
  const username = decoded(colon < 0 ? login : login.slice(0, colon));
  const password = colon < 0 ? '' : decoded(login.slice(colon + 1));
  return {
    sentinels: hosts.split(',').map(sentinelAddress),
    name: decoded(master),
    db: Number(db),
    ...(username && { username }),
    ...(password && { password }),
    ...(scheme === 'rediss' && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
  };
}

function sentinelAddress(text: string): { host: string; port: number } {
  const [, host = '', port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === '' || Number(port ?? 0) > 65_535) throw invalid('a sentinel is no HOST or HOST:PORT');
  return { host: bare(host), port: port === undefined ? DEFAULT_SENTINEL_PORT : Number(port) };
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it is not followed by two hexadecimal digits');
  }
}
