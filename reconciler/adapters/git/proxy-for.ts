/** Which HTTP proxy a server is reached by, from the variables that other programs of a machine read too. */
import { BlockList, isIP } from 'node:net';
import { readKey } from '../../../contracts/objects/index.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Undefined where it is asked directly, as this machine itself always is. Source: curl(1), "ENVIRONMENT", and Go's
 * golang.org/x/net/http/httpproxy, which Helm and Git follow. Throws TypeError for a variable that is no `http://` URL.
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const read = (name: string): string => readKey(environment, name.toLowerCase()) ?? readKey(environment, name) ?? '';
  // In a hook of a web server HTTP_PROXY is what a stranger's request says (CVE-2016-5385).
  const mayBeHeader = url.protocol === 'http:' && environment['REQUEST_METHOD'] !== undefined;
  const ofScheme = mayBeHeader
    ? environment['http_proxy']
    : read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  const written = (ofScheme ?? '') || read('ALL_PROXY');
  if (written === '' || isThisMachine(host)) return undefined;
  if (listOf(read('NO_PROXY')).some((entry) => isMeant(entry, host, port))) return undefined;
  const text = written.includes('://') ? written : `http://${written}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy?.protocol !== 'http:')
    throw new TypeError(
      'the proxy of this machine is to be an http:// URL: look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY',
    );
  return proxy;
}

function listOf(text: string): readonly string[] {
  return text
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => entry.toLowerCase());
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host);
}

/** `example.com` and `.example.com` are for what is below it, too; a range of addresses is for addresses alone. */
function isMeant(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [range, length] = entry.split('/');
  if (length !== undefined) return isInRange(host, range ?? '', Number(length));
  const named = /^(.*?):(\d+)$/.exec(entry);
  const isPlain = isIP(entry) !== 0 || named === null;
  if (!isPlain && named[2] !== port) return false;
  const name = (isPlain ? entry : (named[1] ?? '')).replace(/^\*?\./, '');
  return name !== '' && (host === name || host.endsWith(`.${name}`));
}

function isInRange(host: string, range: string, length: number): boolean {
  const family = isIP(range);
  if (family === 0 || isIP(host) !== family || !Number.isInteger(length) || length < 0) return false;
  if (length > (family === 4 ? 32 : 128)) return false;
  const word = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(range, length, word);
  return list.check(host, word);
}
