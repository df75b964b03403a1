/**
 * From Ingresses to rules of a proxy. Source: Kubernetes API reference, Ingress (path types, hosts, TLS); annotations as
 * ingress-nginx has them: ingress-annotations.ts.
 */
import type {
  IngressBackend,
  IngressPath,
  ProxyAction,
  ProxyFilter,
  ProxyMatch,
  ProxyRule,
  SecretName,
  ServicePort,
  StoredIngress,
} from '../../../contracts/objects/index.ts';
import type { Backends } from './backends.ts';
import { withoutEnd } from './http-rules.ts';
import { ingressOptions, type IngressOptions } from './ingress-annotations.ts';
import { isServed } from './ingress-class.ts';
import { matchRank, type RankedRule } from './precedence.ts';
import { demandOfRules, Room } from './room.ts';
import { byAge, nameOf, type GatewayWorld } from './world.ts';

/** What all Ingresses together have of one host name. */
export interface IngressHost {
  /** '' for any. A wildcard takes one label. */
  readonly hostname: string;
  readonly plain: RankedRule[];
  readonly secure: RankedRule[];
  readonly certificates: SecretName[];
}
export interface JudgedIngress {
  readonly ingress: StoredIngress;
  /** What of it is not served as it is written. */
  readonly problems: readonly string[];
  /** Nothing of it is served. */
  readonly isRefused: boolean;
}

/** The oldest first; the same host name may be in several Ingresses. */
export function judgeIngresses(
  world: GatewayWorld,
  backends: Backends,
): { readonly hosts: readonly IngressHost[]; readonly judged: readonly JudgedIngress[] } {
  const hosts = new Map<string, IngressHost>();
  const room = new Room();
  const served = world.ingresses.filter((ingress) => isServed(ingress, world.ingressClasses));
  const judged = served.toSorted(byAge).map((ingress): JudgedIngress => {
    const { options, problems } = ingressOptions(ingress);
    const refused = problems.filter(({ is }) => is === 'refused').map(({ key, message }) => `${key} ${message}`);
    const own = new Map<string, IngressHost>();
    const more = new Set(refused.length > 0 ? [] : new IngressReader(ingress, options, world, backends, own).read());
    const over = overOf(own, room);
    if (over === undefined) join(hosts, own);
    else refused.push(over);
    if (options.basicAuth && !world.hasSecret(ingress.metadata.namespace ?? '', options.basicAuth.secretName))
      more.add(`Secret ${options.basicAuth.secretName} of its passwords is not there: nobody is let in`);
    return { ingress, problems: [...refused, ...more], isRefused: refused.length > 0 };
  });
  return { hosts: [...hosts.values()], judged };
}

/** What the whole Ingress is too much for; undefined where it has its room. */
function overOf(own: ReadonlyMap<string, IngressHost>, room: Room): string | undefined {
  for (const { hostname, plain, secure } of own.values()) {
    const [http, https] = [plain, secure].map((rules) => rules.map(({ rule }) => rule));
    const over = room.take([{ at: room, hostname }], demandOfRules(http ?? [], https ?? []));
    if (over !== undefined) return over;
  }
  return undefined;
}

function join(hosts: Map<string, IngressHost>, own: ReadonlyMap<string, IngressHost>): void {
  for (const [hostname, { plain, secure, certificates }] of own) {
    const host = hosts.get(hostname) ?? { hostname, plain: [], secure: [], certificates: [] };
    hosts.set(hostname, host);
    host.plain.push(...plain);
    host.secure.push(...secure);
    const isNew = (one: SecretName): boolean =>
      !host.certificates.some(({ namespace, name }) => namespace === one.namespace && name === one.name);
    host.certificates.push(...certificates.filter(isNew));
  }
}

class IngressReader {
  readonly #ingress: StoredIngress;
  readonly #options: IngressOptions;
  readonly #world: GatewayWorld;
  readonly #backends: Backends;
  readonly #hosts: Map<string, IngressHost>;
  readonly #problems: string[] = [];
  #place = 0;

  constructor(
    ingress: StoredIngress,
    options: IngressOptions,
    world: GatewayWorld,
    backends: Backends,
    hosts: Map<string, IngressHost>,
  ) {
    this.#ingress = ingress;
    this.#options = options;
    this.#world = world;
    this.#backends = backends;
    this.#hosts = hosts;
  }

  /** What is wrong with it. */
  read(): readonly string[] {
    const { rules, defaultBackend, tls } = this.#ingress.spec;
    for (const { host = '', http } of rules) {
      // A host without paths is of the default backend.
      if (!http && defaultBackend) this.#add(host, {}, defaultBackend);
      for (const path of http?.paths ?? []) this.#addPath(host, path);
      if (this.#options.appRoot !== undefined)
        this.#addRule(
          host,
          { path: { type: 'exact', value: '/' } },
          {
            type: 'redirect',
            status: 302,
            path: { type: 'full', value: this.#options.appRoot },
          },
        );
    }
    if (defaultBackend) this.#add('', {}, defaultBackend, 'default');
    for (const { hosts, secretName } of tls) {
      const names = hosts.length > 0 ? hosts : rules.map(({ host = '' }) => host);
      if (secretName !== undefined) this.#addCertificate(secretName, names);
    }
    return this.#problems;
  }

  #addCertificate(name: string, hostnames: readonly string[]): void {
    const namespace = this.#ingress.metadata.namespace ?? '';
    const problem = this.#world.certificateProblem(namespace, name);
    if (problem !== undefined) {
      this.#problems.push(`Secret ${name} ${problem}`);
      return;
    }
    for (const hostname of hostnames) {
      const { certificates } = this.#host(hostname);
      if (!certificates.some((one) => one.namespace === namespace && one.name === name))
        certificates.push({ namespace, name });
    }
  }

  #addPath(host: string, { path, pathType, backend }: IngressPath): void {
    const isRegex = this.#options.useRegex || this.#options.rewriteTarget !== undefined;
    if (pathType === 'Exact') this.#add(host, { path: { type: 'exact', value: path } }, backend);
    else if (pathType === 'ImplementationSpecific' && isRegex && path !== '' && path !== '/')
      // As a location of nginx: from the beginning of the path, in any case, whatever follows.
      this.#add(host, { path: { type: 'regex', value: `(?i)${path}.*` } }, backend);
    else
      this.#add(
        host,
        path === '' || path === '/' ? {} : { path: { type: 'prefix', value: withoutEnd(path) } },
        backend,
      );
  }

  #add(host: string, match: ProxyMatch, backend: IngressBackend, of = 'rule'): void {
    this.#addRule(
      host,
      match,
      this.#options.redirect ? redirectTo(this.#options.redirect) : this.#forward(backend),
      of,
    );
  }

  #forward({ service: { name, port } }: IngressBackend): ProxyAction {
    const isMeant = (one: ServicePort): boolean =>
      port.name === undefined ? one.port === port.number : one.name === port.name;
    const found = this.#backends.ofService(
      this.#ingress.metadata.namespace ?? '',
      name,
      isMeant,
      String(port.name ?? port.number),
      this.#options.backendProtocol,
    );
    if (found.ok) return { type: 'forward', to: [{ backend: found.backend, weight: 1 }] };
    this.#problems.push(found.message);
    return { type: 'answer', status: 503 };
  }

  #addRule(hostname: string, match: ProxyMatch, action: ProxyAction, of = 'rule'): void {
    const { metadata } = this.#ingress;
    const { plain, secure } = this.#host(hostname);
    const rule: ProxyRule = {
      origin: `ingress/${nameOf(this.#ingress)} ${of} ${this.#place}`,
      match,
      filters: this.#filters(match),
      action,
      ...this.#limits(),
    };
    const ranked: RankedRule = {
      rule,
      written: hostname,
      // A default backend is tried after all rules.
      rank: of === 'default' ? [-1] : matchRank(match),
      since: metadata.creationTimestamp,
      route: nameOf(this.#ingress),
      place: this.#place,
    };
    this.#place += 1;
    secure.push(ranked);
    plain.push(
      this.#isSentToTls(hostname) ? { ...ranked, rule: { ...rule, filters: [], action: this.#toTls() } } : ranked,
    );
  }

  /** Source: ingress-nginx, "Server-side HTTPS enforcement through redirect". */
  #isSentToTls(hostname: string): boolean {
    if (this.#options.forceSslRedirect) return true;
    if (this.#options.sslRedirect === false) return false;
    return this.#ingress.spec.tls.some(({ hosts }) => hosts.length === 0 || hosts.includes(hostname));
  }

  #toTls(): ProxyAction {
    const { https } = this.#world.ingressPorts;
    return { type: 'redirect', status: 308, scheme: 'https', ...(https !== 443 && { port: https }) };
  }

  #filters({ path }: ProxyMatch): readonly ProxyFilter[] {
    const { rewriteTarget, upstreamHost } = this.#options;
    if (rewriteTarget === undefined && upstreamHost === undefined) return [];
    const value = rewriteTarget ?? '';
    return [
      {
        type: 'rewrite',
        ...(upstreamHost !== undefined && { hostname: upstreamHost }),
        ...(rewriteTarget !== undefined && {
          // Without a pattern there are no groups.
          path:
            path?.type === 'regex'
              ? { type: 'regex', value: value.replaceAll('\\', '\\\\').replaceAll(/\$(\d)/g, '\\$1') }
              : { type: 'full', value: value.replaceAll(/\$\d/g, '') },
        }),
      },
    ];
  }

  #limits(): Partial<ProxyRule> {
    const { maxBodyBytes, backendTimeoutMs, stickyCookie, basicAuth, allowedSources } = this.#options;
    const namespace = this.#ingress.metadata.namespace ?? '';
    return {
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
      ...(backendTimeoutMs !== undefined && { backendTimeoutMs }),
      ...(stickyCookie !== undefined && { stickyCookie: { name: stickyCookie } }),
      ...(basicAuth && { basicAuth: { secret: { namespace, name: basicAuth.secretName }, realm: basicAuth.realm } }),
      ...(allowedSources && { allowedSources }),
    };
  }

  #host(hostname: string): IngressHost {
    let host = this.#hosts.get(hostname);
    if (!host) {
      host = { hostname, plain: [], secure: [], certificates: [] };
      this.#hosts.set(hostname, host);
    }
    return host;
  }
}

function redirectTo({ status, scheme, hostname, port, path }: NonNullable<IngressOptions['redirect']>): ProxyAction {
  return {
    type: 'redirect',
    status,
    scheme,
    hostname,
    ...(port !== undefined && { port }),
    path: { type: 'full', value: path },
  };
}
