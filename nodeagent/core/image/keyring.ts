/**
 * Which logins of a pod's pull secrets are for an image's registry. Source: Kubernetes pkg/credentialprovider
 * (keyring.go: what matches, and in which order; config.go: the two forms of a Secret) and
 * pkg/credentialprovider/secrets.
 */
import type { Secret } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';

/** A name and a password for a registry. Shown nowhere: not as text, as JSON or by `inspect`. */
export class RegistryLogin {
  readonly #username: string;
  readonly #password: string;
  constructor(username: string, password: string) {
    this.#username = username;
    this.#password = password;
  }
  /** For the runtime's ears only. */
  reveal(): { readonly username: string; readonly password: string } {
    return { username: this.#username, password: this.#password };
  }
  equals(other: RegistryLogin): boolean {
    return this.#username === other.#username && this.#password === other.#password;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
}

interface Entry {
  /** Host, which may have `*` and `?`, with port, and behind it the beginning of the image's path. */
  readonly place: string;
  readonly login: RegistryLogin;
}

/** A Secret that is none of a registry's has no logins. Throws an Error, which has nothing of its content. */
function entriesOf({ metadata, type, data }: Secret): readonly Entry[] {
  const key =
    type === 'kubernetes.io/dockerconfigjson'
      ? '.dockerconfigjson'
      : type === 'kubernetes.io/dockercfg'
        ? '.dockercfg'
        : undefined;
  const content = key === undefined ? undefined : readKey(data, key);
  if (content === undefined || key === undefined) return [];
  try {
    const parsed: unknown = JSON.parse(Buffer.from(content, 'base64').toString('utf8'));
    const auths = key === '.dockercfg' ? parsed : field(parsed, 'auths');
    if (!isRecord(auths)) return [];
    return Object.entries(auths).flatMap(([place, auth]) => {
      const login = loginOf(auth);
      return login ? [{ place: placeOf(place), login }] : [];
    });
  } catch {
    // What JSON.parse says quotes what it read.
    throw new Error(`the pull secret "${metadata.name}" has no valid ${key}`);
  }
}

function loginOf(entry: unknown): RegistryLogin | undefined {
  const auth = field(entry, 'auth');
  if (typeof auth === 'string' && auth !== '') {
    const [username, ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
    if (username === undefined || password.length === 0) throw new Error('auth is not NAME:PASSWORD');
    return new RegistryLogin(username, withoutPadding(password.join(':')));
  }
  const [username, password] = [field(entry, 'username'), field(entry, 'password')];
  return typeof username === 'string' && typeof password === 'string'
    ? new RegistryLogin(username, password)
    : undefined;
}

/** Some clients fill it up with NULs. No regular expression: one that looks for them at the end takes their square. */
function withoutPadding(password: string): string {
  let end = password.length;
  while (password[end - 1] === '\0') end -= 1;
  return password.slice(0, end);
}

/** `https://index.docker.io/v1/` is the host alone, as `/v1/` and `/v2/` are the registry's own paths. */
function placeOf(written: string): string {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(\/.*)?$/s.exec(written) ?? [];
  const own = /^\/v[12]\//.test(path) ? path.slice('/v1'.length) : path;
  return own === '/' ? host : `${host}${own}`;
}

const DEFAULT_REGISTRY = 'index.docker.io';
/** Each may take a question to the registry, and a Secret has room for thousands. */
const MOST_LOGINS = 20;

/**
 * Those for the image, the one whose place says most first, 20 at most; each is tried until one is let in. Throws an
 * Error that names the Secret that cannot be read.
 */
export function loginsFor(image: string, secrets: readonly Secret[]): readonly RegistryLogin[] {
  const name = nameOf(image);
  const entries = secrets.flatMap(entriesOf);
  const matching = entries
    .filter(({ place }) => isAt(place, name))
    .sort((a, b) => (a.place < b.place ? 1 : Number(a.place > b.place) * -1));
  const found = matching.length > 0 || !name.startsWith('docker.io/') ? matching : ofDefaultRegistry(entries);
  const logins: RegistryLogin[] = [];
  for (const { login } of found) {
    if (logins.length === MOST_LOGINS) break;
    if (!logins.some((other) => other.equals(login))) logins.push(login);
  }
  return logins;
}

function ofDefaultRegistry(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ place }) => place === DEFAULT_REGISTRY);
}

/** The registry that an image comes from: `docker.io` where its name has none. */
export function registryOf(image: string): string {
  const name = nameOf(image);
  return name.slice(0, name.indexOf('/'));
}

/** Host and path without tag and digest; `nginx` is `docker.io/library/nginx`. */
function nameOf(image: string): string {
  const [untagged = ''] = image.split('@');
  const slash = untagged.lastIndexOf('/');
  const name = untagged.slice(0, slash + 1) + (untagged.slice(slash + 1).split(':')[0] ?? '');
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  const isHost = /[.:]/.test(first) || first === 'localhost';
  if (!isHost) return `docker.io/${name}`;
  return first === DEFAULT_REGISTRY ? `docker.io/${rest.join('/')}` : name;
}

/** A host's name has no more characters. Source: RFC 1035. */
const MOST_HOST_CHARS = 253;

/** Part by part of the host, so that `*.example.com` is `a.example.com` and not `a.b.example.com`; ports are equal. */
function isAt(place: string, name: string): boolean {
  const [wanted, there] = [partsOf(place), partsOf(name)];
  if (Math.max(wanted.host.length, there.host.length) > MOST_HOST_CHARS) return false;
  const [globs, labels] = [wanted.host.split('.'), there.host.split('.')];
  return (
    wanted.port === there.port &&
    globs.length === labels.length &&
    there.path.startsWith(wanted.path) &&
    globs.every((glob, index) => matchesGlob(glob, labels[index] ?? ''))
  );
}

function partsOf(place: string): { readonly host: string; readonly port: string; readonly path: string } {
  const slash = place.indexOf('/');
  const [host = '', port = ''] = (slash < 0 ? place : place.slice(0, slash)).split(':');
  return { host, port, path: slash < 0 ? '' : place.slice(slash) };
}

/** `*` and `?`. Takes as many steps as both are long, multiplied: the glob is a stranger's. */
function matchesGlob(glob: string, text: string): boolean {
  let [at, globAt, star, starText] = [0, 0, -1, 0];
  while (at < text.length) {
    if (glob[globAt] === '*') [star, starText] = [globAt++, at];
    else if (glob[globAt] === '?' || glob[globAt] === text[at]) [at, globAt] = [at + 1, globAt + 1];
    else if (star >= 0) [globAt, at] = [star + 1, (starText += 1)];
    else return false;
  }
  return /^\**$/.test(glob.slice(globAt));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(value: unknown, name: string): unknown {
  return isRecord(value) ? readKey(value, name) : undefined;
}
