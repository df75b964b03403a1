/** What becomes of a request once its rule and backend are known, in HAProxy's words. */
import type {
  HeaderValue,
  PathChange,
  ProxyBackend,
  ProxyFilter,
  ProxyMatch,
  ProxyRedirect,
  ProxyRule,
} from '../../../contracts/objects/proxy-config.ts';
import { corsLines } from './cors.ts';
import { RefusedRule } from './refused-rule.ts';
import {
  groupedReplacement,
  isHostname,
  isLine,
  isToken,
  literal,
  plainPattern,
  plainReplacement,
  wholePattern,
  word,
} from './words.ts';

/** Milliseconds, to a server. */
const CONNECT_MS = 5000;
const LONGEST_MS = 24 * 3600 * 1000;

/** Before anything else: who may ask, and how much. `sources` and `users` are what the plan has them as. */
export function guardLines(rule: ProxyRule, sources: string | undefined, users: string | undefined): string[] {
  const lines: string[] = [];
  if (sources !== undefined) lines.push(`  http-request deny deny_status 403 unless { src -f ${sources} }`);
  if (rule.basicAuth !== undefined) {
    const realm = rule.basicAuth.realm.replace(/["\\\n\r]/g, '');
    lines.push(
      users === undefined
        ? '  http-request deny deny_status 503'
        : `  http-request auth realm ${word(realm)} unless { http_auth(${users}) }`,
    );
  }
  const most = rule.maxBodyBytes;
  if (most !== undefined && Number.isSafeInteger(most))
    lines.push(`  http-request deny deny_status 413 if { req.body_size gt ${Math.min(most, 2 ** 31 - 1)} }`);
  return lines;
}

/** Throws a {@link RefusedRule} for what cannot be said. */
export function filterLines(filters: readonly ProxyFilter[], path: ProxyMatch['path']): string[] {
  const cors = filters.findLast(({ type }) => type === 'cors');
  return filters.flatMap((filter): string[] => {
    switch (filter.type) {
      case 'request-headers':
        return headerLines('http-request', filter);
      case 'response-headers':
        return headerLines('http-response', filter);
      case 'rewrite':
        return [
          ...(filter.hostname === undefined ? [] : [`  http-request set-header host ${word(hostnameOf(filter))}`]),
          ...(filter.path === undefined ? [] : pathLines(filter.path, path)),
        ];
      case 'cors':
        return filter === cors ? corsLines(filter) : [];
      case 'mirror':
        // It has a leaf of its own.
        return [];
    }
  });
}

function hostnameOf({ hostname = '' }: { readonly hostname?: string }): string {
  if (!isHostname(hostname)) throw new RefusedRule(`hostname ${JSON.stringify(hostname)} cannot be written`);
  return hostname;
}

function headerLines(
  on: 'http-request' | 'http-response',
  filter: {
    readonly set: readonly HeaderValue[];
    readonly add: readonly HeaderValue[];
    readonly remove: readonly string[];
  },
): string[] {
  const line = (verb: 'set' | 'add', { name, value }: HeaderValue): string => {
    if (!isLine(value)) throw new RefusedRule(`the value of header ${headerName(name)} has an end of line in it`);
    return `  ${on} ${verb}-header ${headerName(name)} ${word(literal(value))}`;
  };
  return [
    ...filter.set.map((header) => line('set', header)),
    ...filter.add.map((header) => line('add', header)),
    ...filter.remove.map((name) => `  ${on} del-header ${headerName(name)}`),
  ];
}

function headerName(name: string): string {
  if (!isToken(name)) throw new RefusedRule(`header name ${JSON.stringify(name)} cannot be written`);
  return word(name);
}

/** The request's path is another one from here on; its query stays. */
export function pathLines(change: PathChange, path: ProxyMatch['path']): string[] {
  if (!isLine(change.value)) throw new RefusedRule('the new path has an end of line in it');
  switch (change.type) {
    case 'full':
      return [`  http-request set-path ${word(literal(change.value === '' ? '/' : change.value))}`];
    case 'prefix': {
      const before = path?.type === 'prefix' && path.value !== '/' ? path.value : '';
      const after = change.value.replace(/\/+$/, '');
      const pattern = plainPattern(before);
      // What was matched alone: an empty path is none.
      const alone = after === '' ? [`  http-request replace-path ${word(`^${pattern}$`)} /`] : [];
      return [
        ...(before === '' ? [] : alone),
        `  http-request replace-path ${word(`^${pattern}(/.*)?$`)} ${word(`${plainReplacement(after)}\\1`)}${
          before !== '' && after === '' ? ` unless { path / }` : ''
        }`,
      ];
    }
    case 'regex': {
      if (path?.type !== 'regex') throw new RefusedRule('groups of a path that is no regular expression');
      return [
        `  http-request replace-path ${word(wholePattern(path.value))} ${word(groupedReplacement(change.value))}`,
      ];
    }
  }
}

/** `scheme` is the listener's. A port stands in the answer only where the redirect names one. */
export function redirectLines(redirect: ProxyRedirect, path: ProxyMatch['path'], scheme: 'http' | 'https'): string[] {
  const host = redirect.hostname === undefined ? '%[req.hdr(host),host_only]' : literal(hostnameOf(redirect));
  const at = redirect.port === undefined ? '' : `:${redirect.port}`;
  return [
    ...(redirect.path === undefined ? [] : pathLines(redirect.path, path)),
    `  http-request redirect location ${word(`${redirect.scheme ?? scheme}://${host}${at}%[pathq]`)} code ${redirect.status}`,
  ];
}

/** An answer of the proxy's own. */
export function answerLines(status: number, body?: string): string[] {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RefusedRule(`status ${status} is none that can be answered`);
  if (status === 204 || status === 304) return [`  http-request return status ${status}`];
  const text = (body ?? `${status} ${WORDS[status] ?? ''}`.trim()).slice(0, 4096);
  return [`  http-request return status ${status} content-type text/plain string ${word(`${text}\n`)}`];
}

const WORDS: Readonly<Record<number, string>> = {
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Codes that HAProxy 2.6 can try again for. */
const RETRIED = new Set([401, 403, 404, 408, 425, 500, 501, 502, 503, 504]);
const MOST_RETRIES = 100;

/**
 * Without a word of the rule only what may be sent twice is, and only where a server did not answer at all: a pod that ends
 * may close what was just sent to it.
 */
function retryLines({ retry }: Pick<ProxyRule, 'retry'>): string[] {
  if (retry === undefined) return ['  http-request disable-l7-retry if !METH_GET !{ method OPTIONS }'];
  const codes = retry.codes.filter((code) => RETRIED.has(code));
  if (codes.length < retry.codes.length) throw new RefusedRule('a status that cannot be tried again for');
  const reasons = ['conn-failure', 'empty-response', 'junk-response', 'response-timeout', ...codes];
  return [
    `  retries ${attemptsOf(retry)}`,
    // Each time at another server.
    '  option redispatch 1',
    `  retry-on ${reasons.join(' ')}`,
  ];
}

function attemptsOf({ attempts }: { readonly attempts: number }): number {
  if (!Number.isInteger(attempts) || attempts < 0) throw new RefusedRule(`${attempts} is no number of tries`);
  return Math.min(attempts, MOST_RETRIES);
}

/** How the servers are spoken to and for how long, before their lines. */
export function serverLines(
  rule: Pick<ProxyRule, 'requestTimeoutMs' | 'backendTimeoutMs' | 'retry' | 'stickyCookie'>,
  { protocol, verify }: ProxyBackend,
  caFile: string | undefined,
): string[] {
  // The proxy knows limits of one try: where there are several, they have the request's time between them.
  const tries = 1 + (rule.retry ? attemptsOf(rule.retry) : 0);
  const whole = rule.requestTimeoutMs === undefined ? undefined : rule.requestTimeoutMs / tries;
  const limits = [whole, rule.backendTimeoutMs].flatMap((ms) => (ms !== undefined && ms > 0 ? [ms] : []));
  const most = limits.length === 0 ? undefined : Math.min(...limits, LONGEST_MS);
  const lines = [
    ...retryLines(rule),
    ...(most === undefined
      ? []
      : [
          `  timeout server ${Math.max(1, Math.round(most))}ms`,
          `  timeout connect ${Math.max(1, Math.round(Math.min(most, CONNECT_MS)))}ms`,
        ]),
  ];
  if (rule.stickyCookie !== undefined) {
    const { name } = rule.stickyCookie;
    if (!isToken(name)) throw new RefusedRule(`cookie name ${JSON.stringify(name)} cannot be written`);
    // By address, so that a client is kept at its server by every gateway alike.
    lines.push('  dynamic-cookie-key plumbline', `  cookie ${word(name)} insert indirect nocache httponly dynamic`);
  }
  switch (protocol) {
    case 'http1':
    case 'tcp':
      return lines;
    case 'h2c':
      return [...lines, '  default-server proto h2'];
    case 'https': {
      if (verify === undefined) return [...lines, '  default-server ssl verify none sni req.hdr(host),host_only'];
      const name = hostnameOf(verify);
      const trust = caFile ?? '@system-ca';
      return [...lines, `  default-server ssl verify required ca-file ${trust} verifyhost ${name} sni str(${name})`];
    }
  }
}
