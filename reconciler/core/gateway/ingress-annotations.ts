/**
 * What annotations of ingress-nginx ask of an Ingress: those in daily use, with their meaning and defaults there. Source:
 * kubernetes/ingress-nginx, docs/user-guide/nginx-configuration/annotations.md. Others are told by name; one that keeps
 * people out is refused, so that nothing is open that was closed.
 */
import { readRange } from '../../../contracts/ipv4.ts';
import type { Ingress } from '../../../contracts/objects/index.ts';

const NGINX_PREFIX = 'nginx.ingress.kubernetes.io/';

export interface IngressOptions {
  readonly useRegex: boolean;
  readonly rewriteTarget?: string;
  /** Plain requests are sent to https; undefined: where the host has a certificate. */
  readonly sslRedirect?: boolean;
  readonly forceSslRedirect: boolean;
  readonly redirect?: RedirectTarget;
  readonly appRoot?: string;
  readonly maxBodyBytes?: number;
  readonly backendTimeoutMs?: number;
  readonly stickyCookie?: string;
  readonly basicAuth?: { readonly secretName: string; readonly realm: string };
  readonly allowedSources?: readonly string[];
  readonly backendProtocol: 'http1' | 'h2c' | 'https';
  readonly upstreamHost?: string;
}
interface RedirectTarget {
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme: 'http' | 'https';
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}
interface AnnotationProblem {
  /** The whole key. */
  readonly key: string;
  readonly message: string;
  /** `ignored`: nothing is done about it; `refused`: the Ingress would not be what it says. */
  readonly is: 'ignored' | 'refused';
}

type Draft = { -readonly [K in keyof IngressOptions]: IngressOptions[K] };
/** Takes the value in; text is what is wrong with it. */
type Reader = (value: string, draft: Draft, ingress: Ingress) => string | undefined;

const BOOLEAN = /^(true|false)$/;
const COOKIE = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}$/;
const PRINTABLE = /^[ -~]{1,256}$/;
const PATH = /^\/[!-~]{0,1023}$/;
const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 2 ** 10],
  ['m', 2 ** 20],
  ['g', 2 ** 30],
]);
const LONGEST_SECONDS = 86_400;
const MOST_RANGES = 256;
const REALM = 'Authentication Required';
const DEFAULT_COOKIE = 'INGRESSCOOKIE';

const flag =
  (take: (draft: Draft, value: boolean) => void): Reader =>
  (value, draft) => {
    if (!BOOLEAN.test(value)) return 'must be "true" or "false"';
    take(draft, value === 'true');
    return undefined;
  };
const oneOf =
  (words: readonly string[], hint: string): Reader =>
  (value) =>
    words.includes(value) ? undefined : `must be ${words.join(' or ')}: ${hint}`;
/** The longer of the two counts: there is one limit. */
const timeout: Reader = (value, draft) => {
  const seconds = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (seconds < 1 || seconds > LONGEST_SECONDS) return `must be seconds from 1 to ${LONGEST_SECONDS}, without a unit`;
  draft.backendTimeoutMs = Math.max(draft.backendTimeoutMs ?? 0, seconds * 1000);
  return undefined;
};
const redirect =
  (status: 301 | 302): Reader =>
  (value, draft) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (
      !url ||
      !/^https?:$/.test(url.protocol) ||
      url.username !== '' ||
      value.length > 1024 ||
      !/^[!-~]+$/.test(value)
    )
      return 'must be a URL with http or https';
    draft.redirect = {
      status: draft.redirect?.status ?? status,
      scheme: url.protocol === 'http:' ? 'http' : 'https',
      hostname: url.hostname,
      ...(url.port !== '' && { port: Number(url.port) }),
      path: `${url.pathname}${url.search}`,
    };
    return undefined;
  };
const ranges: Reader = (value, draft) => {
  const list = value.split(',').map((text) => text.trim());
  const wrong = list.find((text) => !isRange(text));
  if (wrong !== undefined) return `must be IPv4 addresses or ranges with commas between, found ${wrong.slice(0, 60)}`;
  if (list.length > MOST_RANGES) return `must have at most ${MOST_RANGES} entries`;
  draft.allowedSources = [...new Set([...(draft.allowedSources ?? []), ...list])];
  return undefined;
};

function isRange(text: string): boolean {
  return readRange(text.includes('/') ? text : `${text}/32`) !== undefined;
}

const PROTOCOLS: ReadonlyMap<string, IngressOptions['backendProtocol']> = new Map([
  ['HTTP', 'http1'],
  ['HTTPS', 'https'],
  ['GRPC', 'h2c'],
]);

/** In the order in which they are taken: what others depend on comes first. */
const READERS: Readonly<Record<string, Reader>> = {
  'use-regex': flag((draft, value) => (draft.useRegex = value)),
  'rewrite-target': (value, draft) => {
    if (!PATH.test(value)) return "must be a path of printable characters that begins with '/'";
    draft.rewriteTarget = value;
    return undefined;
  },
  'ssl-redirect': flag((draft, value) => (draft.sslRedirect = value)),
  'force-ssl-redirect': flag((draft, value) => (draft.forceSslRedirect = value)),
  'permanent-redirect': redirect(301),
  'permanent-redirect-code': (value, draft, { metadata }) => {
    const status = [301, 302, 303, 307, 308].find((code) => String(code) === value) as
      RedirectTarget['status'] | undefined;
    if (status === undefined) return 'must be 301, 302, 303, 307 or 308';
    if (metadata.annotations?.[`${NGINX_PREFIX}permanent-redirect`] !== undefined && draft.redirect)
      draft.redirect = { ...draft.redirect, status };
    return undefined;
  },
  'temporal-redirect': redirect(302),
  'app-root': (value, draft) => {
    if (!PATH.test(value)) return "must be a path of printable characters that begins with '/'";
    draft.appRoot = value;
    return undefined;
  },
  'proxy-body-size': (value, draft) => {
    const [, amount, unit = ''] = /^(\d{1,9})([kmg]?)$/i.exec(value) ?? [];
    if (amount === undefined) return 'must be a size such as 8m, or 0 for no limit';
    const bytes = Number(amount) * (UNITS.get(unit.toLowerCase()) ?? 1);
    if (bytes > 0) draft.maxBodyBytes = bytes;
    return undefined;
  },
  'proxy-read-timeout': timeout,
  'proxy-send-timeout': timeout,
  'proxy-connect-timeout': (value) =>
    /^\d{1,6}$/.test(value) ? undefined : `must be seconds from 1 to ${LONGEST_SECONDS}, without a unit`,
  affinity: (value, draft) => {
    if (value !== 'cookie') return 'must be cookie';
    draft.stickyCookie ??= DEFAULT_COOKIE;
    return undefined;
  },
  'affinity-mode': oneOf(
    ['balanced', 'persistent'],
    'either way a client stays where it is while that server is there',
  ),
  'session-cookie-name': (value, draft, { metadata }) => {
    if (!COOKIE.test(value)) return 'must be the name of a cookie';
    if (metadata.annotations?.[`${NGINX_PREFIX}affinity`] === 'cookie') draft.stickyCookie = value;
    return undefined;
  },
  'auth-type': (value, draft, { metadata }) => {
    if (value !== 'basic') return 'must be basic: other ways to ask for a password are not there';
    const { namespace = '', annotations = {} } = metadata;
    const [first = '', second] = (annotations[`${NGINX_PREFIX}auth-secret`] ?? '').split('/');
    if (first === '') return 'needs the annotation auth-secret beside it';
    if (second !== undefined && first !== namespace) return 'needs an auth-secret of the same namespace';
    const realm = annotations[`${NGINX_PREFIX}auth-realm`] ?? REALM;
    draft.basicAuth = {
      secretName: second ?? first,
      realm: PRINTABLE.test(realm) ? realm.replaceAll('"', "'") : REALM,
    };
    return undefined;
  },
  'auth-secret': (value) =>
    /^([a-z0-9-]{1,63}\/)?[a-z0-9][-a-z0-9.]{0,252}$/.test(value) ? undefined : 'must be the name of a Secret',
  'auth-realm': (value) => (PRINTABLE.test(value) ? undefined : 'must be at most 256 printable ASCII characters'),
  'auth-secret-type': oneOf(['auth-file'], 'the Secret has lines of htpasswd in its key auth'),
  'whitelist-source-range': ranges,
  'allowlist-source-range': ranges,
  'backend-protocol': (value, draft) => {
    const protocol = PROTOCOLS.get(value.toUpperCase());
    if (protocol === undefined) return `must be one of ${[...PROTOCOLS.keys()].join(', ')}`;
    draft.backendProtocol = protocol;
    return undefined;
  },
  'upstream-vhost': (value, draft) => {
    if (!/^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$/.test(value)) return 'must be a DNS name';
    draft.upstreamHost = value;
    return undefined;
  },
};

/** Nothing is other than with them. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'service-upstream',
  'proxy-buffering',
  'proxy-request-buffering',
  'proxy-buffer-size',
  'proxy-buffers-number',
  'proxy-http-version',
]);
/** These keep people out, or hand the connection on as it is: what would be served without them is another thing. */
const REFUSED = /^(auth-|denylist-|satisfy$|ssl-passthrough$|enable-modsecurity$|modsecurity-)/;

/** Problems in the order of the keys. What has a problem is left out of the options. */
export function ingressOptions(ingress: Ingress): {
  readonly options: IngressOptions;
  readonly problems: readonly AnnotationProblem[];
} {
  const draft: Draft = { useRegex: false, forceSslRedirect: false, backendProtocol: 'http1' };
  const problems: AnnotationProblem[] = [];
  const written = new Map(
    Object.entries(ingress.metadata.annotations ?? {}).flatMap(([key, value]) =>
      key.startsWith(NGINX_PREFIX) ? [[key.slice(NGINX_PREFIX.length), value] as const] : [],
    ),
  );
  for (const [name, read] of Object.entries(READERS)) {
    const value = written.get(name);
    const message = value === undefined ? undefined : read(value, draft, ingress);
    if (message !== undefined) problems.push({ key: `${NGINX_PREFIX}${name}`, message, is: 'refused' });
  }
  for (const [name, value] of written) {
    if (Object.hasOwn(READERS, name) || WITHOUT_EFFECT.has(name) || value === 'false') continue;
    const is = REFUSED.test(name) ? 'refused' : 'ignored';
    problems.push({ key: `${NGINX_PREFIX}${name}`, message: 'is not acted on here', is });
  }
  return { options: draft, problems: problems.sort((a, b) => (a.key < b.key ? -1 : 1)) };
}
