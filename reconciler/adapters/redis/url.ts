/** `plumb up --redis URL` to connection options. */
import type { RedisOptions } from 'ioredis';
import { TerminalError } from '../../core/errors.ts';

/**
 * `redis://[user:password@]host[:port][/db]`, `rediss://...` for TLS, or `unix:///path/to.sock`.
 * Throws TerminalError `RedisUrlInvalid`; the message never repeats the password.
 */
export function redisOptionsFromUrl(text: string): RedisOptions {
  const invalid = (why: string): TerminalError =>
    new TerminalError('RedisUrlInvalid', `the Redis URL is not valid: ${why}; write redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid('it is no URL');
  }
  const login = {
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
  };
  if (url.protocol === 'unix:') return { path: decodeURIComponent(url.pathname), ...login };
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw invalid(`the scheme is ${url.protocol}`);
  const db = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isInteger(db) || db < 0) throw invalid('the part after the host is no database number');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port ? Number(url.port) : 6379,
    db,
    ...login,
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}
