/**
 * Where a submodule is fetched from: what `.gitmodules` says, as it stands or relative to the repository that has it.
 * Source: gitmodules(5), `submodule.<name>.url`; gitsubmodules(7).
 */

/** `isOwn`: at the server of the repository that names it, which is the only one that its credentials may go to. */
export type SubmoduleUrl =
  | { readonly ok: true; readonly url: string; readonly isOwn: boolean }
  | { readonly ok: false; readonly message: string; readonly hint: string };

interface RemoteUrl {
  /** Scheme, user, host and port: who is spoken to, and as whom. */
  readonly origin: string;
  /** What stands before the path, up to its first character. */
  readonly start: string;
  readonly parts: readonly string[];
}

const WRITE_HTTPS = 'write its https:// URL into .gitmodules';

/** `base`: of the repository with the `.gitmodules`, without credentials; a path where it is on this machine. */
export function submoduleUrl(written: string, base: string): SubmoduleUrl {
  if (/[\u0000-\u0020\u007f\\]/.test(written) || written.startsWith('-') || written === '')
    return refused('is no URL', WRITE_HTTPS);
  const from = remoteUrl(base);
  if (/^\.\.?\//.test(written)) {
    if (!from) return refused('leads to a repository of this machine, and none is read for a commit', WRITE_HTTPS);
    const url = below(from, written);
    return url === undefined
      ? refused(`leads out of the server of ${base}`, WRITE_HTTPS)
      : { ok: true, url, isOwn: true };
  }
  const to = remoteUrl(written);
  if (to && from && to.origin === from.origin) return { ok: true, url: written, isOwn: true };
  if (!/^https:\/\//.test(written) || !to)
    return refused(
      'is at another server than the repository that names it, and there only https:// is read, without a login',
      `${WRITE_HTTPS}, or name it in spec.source of an App, with a Secret`,
    );
  return { ok: true, url: written, isOwn: false };
}

/** Whether the server and the user of both are the same. */
export function isSameOrigin(one: string, other: string): boolean {
  const from = remoteUrl(one);
  return from !== undefined && from.origin === remoteUrl(other)?.origin;
}

function refused(message: string, hint: string): SubmoduleUrl {
  return { ok: false, message, hint };
}

/** Leading `./` and `../` alone have a meaning, as in Git; beyond the server there is nothing. */
function below({ start, parts }: RemoteUrl, relative: string): string | undefined {
  const path = [...parts];
  let rest = relative;
  for (let leading = /^\.\.?\/+/.exec(rest); leading; leading = /^\.\.?\/+/.exec(rest)) {
    if (leading[0].startsWith('..') && path.pop() === undefined) return undefined;
    rest = rest.slice(leading[0].length);
  }
  const names = rest.split('/').filter((part) => part !== '');
  if (names.length === 0 || names.some((part) => part === '..' || part === '.')) return undefined;
  return start + [...path, ...names].join('/');
}

/** Undefined for a path, for another scheme, and where there is a password. */
function remoteUrl(url: string): RemoteUrl | undefined {
  const long = /^(https?|ssh):\/\/(?:([^@/:]+)@)?([^@/]+)\/(.*)$/i.exec(url);
  if (long) {
    const [, scheme = '', user = '', host = '', path = ''] = long;
    // A name before a web server is half of a login.
    if (user !== '' && !/^ssh$/i.test(scheme)) return undefined;
    if (!URL.canParse(url) || /[?#]/.test(path)) return undefined;
    return {
      origin: originOf(scheme.toLowerCase(), user, host.toLowerCase()),
      start: `${scheme}://${user === '' ? '' : `${user}@`}${host}/`,
      parts: partsOf(path),
    };
  }
  // As scp writes it; the path is relative to the user's home.
  const short = /^([^@/:]+)@([^/:@]+):(?!\/\/)(.+)$/.exec(url);
  if (!short) return undefined;
  const [, user = '', host = '', path = ''] = short;
  const isAbsolute = path.startsWith('/');
  return {
    origin: originOf('ssh', user, host.toLowerCase()),
    start: `${user}@${host}:${isAbsolute ? '/' : ''}`,
    parts: partsOf(path),
  };
}

const PORTS = new Map([
  ['https', ':443'],
  ['http', ':80'],
  ['ssh', ':22'],
]);

function originOf(scheme: string, user: string, host: string): string {
  const port = PORTS.get(scheme) ?? '';
  return `${scheme}://${user}@${host.endsWith(port) ? host.slice(0, -port.length) : host}`;
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '');
}
