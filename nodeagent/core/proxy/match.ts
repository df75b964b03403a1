/** Conditions of a rule beyond its host and its literal path, as HAProxy's ACLs. */
import type { ProxyMatch, ValueMatch } from '../../../contracts/objects/proxy-config.ts';
import { RefusedRule } from './refused-rule.ts';
import { isLine, isToken, wholePattern, word } from './words.ts';

const MOST_CONDITIONS = 48;

/** Fetch and pattern of each condition that must hold. None: every request of its path is taken. */
export function conditions(match: ProxyMatch): string[] {
  const found = [
    ...(match.path?.type === 'regex' ? [`path -m reg -- ${pattern(match.path.value)}`] : []),
    ...(match.method === undefined ? [] : [`method -m str -- ${word(token(match.method, 'method'))}`]),
    ...(match.headers ?? []).map((header) => `req.fhdr(${token(header.name, 'header')}) ${valueTest(header)}`),
    ...(match.query ?? []).map((query) => `url_param(${token(query.name, 'parameter')}),url_dec ${valueTest(query)}`),
  ];
  if (found.length > MOST_CONDITIONS) throw new RefusedRule(`more than ${MOST_CONDITIONS} conditions of one match`);
  return found;
}

function valueTest({ type, value }: ValueMatch): string {
  if (type === 'regex') return `-m reg -- ${pattern(value)}`;
  if (!isLine(value)) throw new RefusedRule('a value to match has an end of line in it');
  return `-m str -- ${word(value)}`;
}

function pattern(value: string): string {
  if (!isLine(value)) throw new RefusedRule('a regular expression has an end of line in it');
  return word(wholePattern(value));
}

function token(text: string, what: string): string {
  if (!isToken(text)) throw new RefusedRule(`${what} name ${JSON.stringify(text)} cannot be matched`);
  return text;
}
