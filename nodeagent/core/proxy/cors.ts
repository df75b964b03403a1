/** What scripts of other origins may do, in HAProxy's words. Source: Fetch standard, 3.3 (CORS protocol). */
import type { ProxyCors } from '../../../contracts/objects/proxy-config.ts';
import { RefusedRule } from './refused-rule.ts';
import { isToken, plainPattern, word } from './words.ts';

const MOST_ORIGINS = 64;
/** The origin that is answered, where it is one that is allowed. */
const ORIGIN = 'txn.o';
/** Method and headers that a preflight request asks for; the first says that it is one. */
const METHOD = 'txn.f';
const HEADERS = 'txn.g';
const isAllowed = `{ var(${ORIGIN}) -m found }`;
const isPreflight = `{ var(${METHOD}) -m found }`;

/**
 * A preflight request goes no further, whoever sends it: without one of the headers the client knows that it may not. They
 * are on the proxy's own answers too, so that a script can tell a 503 from a refusal.
 */
export function corsLines({ origins, credentials, methods, headers, expose, maxAgeSeconds }: ProxyCors): string[] {
  if (origins.length > MOST_ORIGINS) throw new RefusedRule(`more than ${MOST_ORIGINS} origins`);
  if (!Number.isSafeInteger(maxAgeSeconds)) throw new RefusedRule(`${maxAgeSeconds} is no number of seconds`);
  const isAny = origins.includes('*');
  const isSame = isAny && !credentials;
  const answer = (name: string, value: string, ...conditions: readonly string[]): string =>
    `  http-after-response set-header access-control-${name} ${value} if ${[isAllowed, ...conditions].join(' ')}`;
  const list = (names: readonly string[]): string => word(names.map(token).join(', '));
  return [
    ...(isAny ? ['-m found'] : origins.map(originTest)).map(
      (test) =>
        `  http-request set-var(${ORIGIN}) ${isSame ? 'str(*)' : 'req.fhdr(origin)'} if { req.fhdr(origin) ${test} }`,
    ),
    `  http-request set-var(${METHOD}) req.fhdr(access-control-request-method) if { method OPTIONS } { req.fhdr(origin) -m found }`,
    `  http-request set-var(${HEADERS}) req.fhdr(access-control-request-headers) if ${isPreflight}`,
    answer('allow-origin', `%[var(${ORIGIN})]`),
    ...(credentials ? [answer('allow-credentials', 'true')] : []),
    ...(expose.length > 0 ? [answer('expose-headers', list(expose))] : []),
    ...(methods.length > 0
      ? [answer('allow-methods', methods.includes('*') ? `%[var(${METHOD})]` : list(methods), isPreflight)]
      : []),
    ...(headers.includes('*')
      ? [answer('allow-headers', `%[var(${HEADERS})]`, isPreflight, `{ var(${HEADERS}) -m found }`)]
      : headers.length > 0
        ? [answer('allow-headers', list(headers), isPreflight)]
        : []),
    answer('max-age', String(maxAgeSeconds), isPreflight),
    // Who keeps an answer must not give it to another origin.
    ...(isSame ? [] : ['  http-after-response add-header vary origin']),
    `  http-request return status 200 if ${isPreflight}`,
  ];
}

/** A browser writes origins in lower case and without the port that a scheme has anyhow. */
function originTest(origin: string): string {
  const [, scheme, host, port = ''] = /^(https?):\/\/([A-Za-z0-9.*-]+)(:[0-9]{1,5})?$/.exec(origin) ?? [];
  if (scheme === undefined || host === undefined) throw new RefusedRule(`origin ${JSON.stringify(origin)} is none`);
  const shown = port === (scheme === 'https' ? ':443' : ':80') ? '' : port;
  if (!host.includes('*')) return `-i -m str -- ${word(`${scheme}://${host}${shown}`)}`;
  const labels = host === '*' ? '([^/:]+|\\[[^/]+\\])' : `[^/:]+${plainPattern(host.slice(1))}`;
  if (host.lastIndexOf('*') > 0) throw new RefusedRule(`origin ${JSON.stringify(origin)} has * within its host`);
  return `-i -m reg -- ${word(`^${scheme}:\\/\\/${labels}${shown}$`)}`;
}

function token(name: string): string {
  if (!isToken(name)) throw new RefusedRule(`name ${JSON.stringify(name)} cannot be written`);
  return name;
}
