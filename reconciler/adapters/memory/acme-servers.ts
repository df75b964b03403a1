/** An ACME server in this process: for tests, and to see what is asked of one. */
import { createPublicKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { AcmeRefusal, AcmeUnavailable } from '../../core/certificates/acme-errors.ts';
import { recordText } from '../../core/certificates/dns01.ts';
import { elements } from '../../core/certificates/der.ts';
import { thumbprint } from '../../core/certificates/jws.ts';
import { makeCertificate, pem } from '../../core/certificates/x509.ts';
import type {
  AcmeAccount,
  AcmeAuthorization,
  AcmeOrder,
  AcmePlace,
  AcmeServers,
  Registration,
} from '../../ports/acme-server.ts';
import type { Clock } from '../../ports/clock.ts';

export interface MemoryAcmeOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Signs; of type `ec`. */
  readonly caKey: KeyObject;
  /** What is found at a name for a token. */
  readonly look: (dnsName: string, token: string) => string | undefined;
  /** The texts of a name's TXT records; none of any when absent. */
  readonly texts?: (name: string) => ReadonlySet<string>;
  readonly lifeMs?: number;
}

interface Authorization {
  readonly dnsName: string;
  readonly isWildcard: boolean;
  readonly token: string;
  readonly thumbprint: string;
  status: 'pending' | 'valid' | 'invalid';
}
interface Order {
  readonly account: string;
  readonly dnsNames: readonly string[];
  readonly authorizations: readonly string[];
  chain: string | undefined;
}

const PROBLEM = 'urn:ietf:params:acme:error:';

export class MemoryAcmeServers implements AcmeServers {
  /** What was ordered, the oldest first. */
  readonly ordered: (readonly string[])[] = [];
  /** While it is set nothing is answered. */
  isDown = false;
  readonly #options: MemoryAcmeOptions;
  readonly #ca: Buffer;
  readonly #accounts = new Map<string, string>();
  readonly #orders = new Map<string, Order>();
  readonly #authorizations = new Map<string, Authorization>();
  #count = 0;

  constructor(options: MemoryAcmeOptions) {
    this.#options = options;
    const now = options.clock.now().getTime();
    const content = {
      commonName: 'Memory CA',
      dnsNames: [],
      ipAddresses: [],
      uris: [],
      emailAddresses: [],
      usages: [],
    };
    const times = { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 10 * 365 * 24 * 3_600_000) };
    this.#ca = makeCertificate({ ...content, isCA: true }, options.caKey, { serial: randomBytes(16), ...times });
  }

  async register({ server, key }: Registration): Promise<string> {
    this.#mustAnswer(server);
    const print = thumbprint(key);
    const uri = this.#accounts.get(print) ?? this.#url(server, 'account');
    this.#accounts.set(print, uri);
    return uri;
  }

  /** All accounts are gone. */
  forgetAccounts(): void {
    this.#accounts.clear();
  }

  async newOrder(account: AcmeAccount, { dnsNames }: { readonly dnsNames: readonly string[] }): Promise<AcmeOrder> {
    this.#check(account);
    if (dnsNames.some((name) => name.endsWith('.invalid')))
      throw new AcmeRefusal('no certificates for .invalid', `${PROBLEM}rejectedIdentifier`);
    this.ordered.push(dnsNames);
    const authorizations = dnsNames.map((asked) => {
      const isWildcard = asked.startsWith('*.');
      const dnsName = isWildcard ? asked.slice(2) : asked;
      const url = this.#url(account.server, 'authorization');
      const token = randomBytes(16).toString('base64url');
      const print = thumbprint(account.key);
      this.#authorizations.set(url, { dnsName, isWildcard, token, thumbprint: print, status: 'pending' });
      return url;
    });
    const url = this.#url(account.server, 'order');
    this.#orders.set(url, { account: account.uri, dnsNames, authorizations, chain: undefined });
    return this.order(account, url);
  }

  async order(account: AcmeAccount, url: string): Promise<AcmeOrder> {
    this.#check(account);
    const order = this.#orders.get(url);
    if (order?.account !== account.uri) throw new AcmeRefusal('no such order', `${PROBLEM}malformed`);
    const states = order.authorizations.map((one) => this.#authorizations.get(one)?.status ?? 'invalid');
    const isInvalid = states.includes('invalid');
    const isReady = states.every((status) => status === 'valid');
    const status = isInvalid ? 'invalid' : !isReady ? 'pending' : order.chain === undefined ? 'ready' : 'valid';
    return {
      url,
      status,
      authorizations: order.authorizations,
      finalize: `${url}/finalize`,
      ...(order.chain !== undefined && { certificate: `${url}/certificate` }),
    };
  }

  async authorization(account: AcmeAccount, url: string): Promise<AcmeAuthorization> {
    this.#check(account);
    const found = this.#authorizations.get(url);
    if (!found) throw new AcmeRefusal('no such authorization', `${PROBLEM}malformed`);
    const { dnsName, isWildcard, token, status } = found;
    const types = isWildcard ? ['dns-01'] : ['http-01', 'dns-01'];
    const problem = status === 'invalid' ? `${PROBLEM}unauthorized: nothing is shown` : undefined;
    return {
      status,
      dnsName,
      isWildcard,
      challenges: types.map((type) => ({ type, url: `${url}/${type}`, token, problem })),
    };
  }

  async challenge(account: AcmeAccount, url: string): Promise<void> {
    this.#check(account);
    const { look, texts } = this.#options;
    const found = this.#authorizations.get(url.replace(/\/(http|dns)-01$/, ''));
    if (found?.status !== 'pending') return;
    const { dnsName, token } = found;
    const key = `${token}.${found.thumbprint}`;
    const isShown = url.endsWith('/dns-01')
      ? texts?.(`_acme-challenge.${dnsName}`).has(recordText(key))
      : look(dnsName, token) === key;
    found.status = isShown === true ? 'valid' : 'invalid';
  }

  async finalize(account: AcmeAccount, order: AcmeOrder, request: Uint8Array): Promise<AcmeOrder> {
    const before = await this.order(account, order.url);
    const stored = this.#orders.get(order.url);
    if (before.status !== 'ready' || !stored)
      throw new AcmeRefusal('the order is not ready', `${PROBLEM}orderNotReady`);
    const notBefore = this.#options.clock.now();
    const [info] = elements(elements(Buffer.from(request))[0]?.content ?? Buffer.alloc(0));
    const spki = elements(info?.content ?? Buffer.alloc(0))[2]?.whole ?? Buffer.alloc(0);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const content = { dnsNames: stored.dnsNames, ipAddresses: [], uris: [], emailAddresses: [], isCA: false };
    const certificate = makeCertificate({ ...content, usages: ['server auth'] }, key, {
      serial: randomBytes(16),
      notBefore,
      notAfter: new Date(notBefore.getTime() + (this.#options.lifeMs ?? 90 * 24 * 3_600_000)),
      ca: { certificate: new X509Certificate(this.#ca), key: this.#options.caKey },
    });
    stored.chain = pem('CERTIFICATE', certificate) + pem('CERTIFICATE', this.#ca);
    return this.order(account, order.url);
  }

  async certificate(account: AcmeAccount, url: string): Promise<string> {
    this.#check(account);
    const chain = this.#orders.get(url.replace(/\/certificate$/, ''))?.chain;
    if (chain === undefined) throw new AcmeRefusal('no such certificate', `${PROBLEM}malformed`);
    return chain;
  }

  #check({ server, key, uri }: AcmeAccount): void {
    this.#mustAnswer(server);
    if (this.#accounts.get(thumbprint(key)) !== uri)
      throw new AcmeRefusal('there is no such account', `${PROBLEM}accountDoesNotExist`);
  }

  #mustAnswer(server: string): void {
    if (this.isDown) throw new AcmeUnavailable(`the ACME server ${server}: it is down`, {});
  }

  #url(server: AcmePlace['server'], what: string): string {
    this.#count += 1;
    return new URL(`/${what}/${this.#count}`, server).href;
  }
}
