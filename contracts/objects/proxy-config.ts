/**
 * ProxyConfig (`proxyconfigs.plumbline.dev//NODE`, made by a controller, never by Git): all that one gateway node's proxy has to do. Made of Gateways
 * with their routes and of Ingresses, in words of neither: what they say of precedence and defaults is worked out, so that a node only follows it. One
 * for each node that is a gateway, named as the node is.
 */
import type { ObjectMeta, StoredMeta } from './meta.ts';

export interface ProxyConfig {
  readonly apiVersion: 'plumbline.dev/v1alpha1';
  readonly kind: 'ProxyConfig';
  /** `metadata.name` is the node's name. */
  readonly metadata: ObjectMeta;
  readonly spec: {
    /** By port, each port once. */
    readonly ports: readonly ProxyPort[];
    /** By name. */
    readonly backends: readonly ProxyBackend[];
  };
}
export type StoredProxyConfig = ProxyConfig & { readonly metadata: StoredMeta };

/** A port of the machine, at all of its addresses. A connection or request that no host of it takes is answered 404 (http), or closed. */
export interface ProxyPort {
  readonly port: number;
  /**
   * `http`: plain HTTP. `https`: TLS ended here, HTTP/1.1 and h2 inside. `tls`: TLS passed through, or ended and its bytes passed on (each host says).
   * `tcp`: bytes.
   */
  readonly protocol: 'http' | 'https' | 'tls' | 'tcp';
  /** Most specific first: exact names, then `*.example.com` by falling number of labels, then ''. Each name once. */
  readonly hosts: readonly ProxyHost[];
}

export interface ProxyHost {
  /** Lower case. '' is any name, also none. `*.example.com` takes one label or more in front, as Gateway API has it; `oneLabel` exactly one, as Ingress. */
  readonly hostname: string;
  readonly oneLabel?: true;
  /** Of `https` and of a `tls` host that ends TLS: Secrets of type kubernetes.io/tls. The first is for clients that name no host. */
  readonly certificates?: readonly SecretName[];
  /** Of `http` and `https`: the first that matches takes a request. */
  readonly rules?: readonly ProxyRule[];
  /** Of `tls` and `tcp`: where the connection goes. */
  readonly forward?: readonly WeightedBackend[];
}

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

export interface ProxyRule {
  /** For people and statistics: `httproute/default/web rule 0`. Unique in a host. */
  readonly origin: string;
  readonly match: ProxyMatch;
  /** Done in this order before the request goes on, or instead of it. */
  readonly filters: readonly ProxyFilter[];
  readonly action: ProxyAction;
  /** The whole request, milliseconds; absent: no limit of its own. */
  readonly requestTimeoutMs?: number;
  /** One try of a backend, milliseconds. */
  readonly backendTimeoutMs?: number;
  /** Tries after the first; absent: what may be sent twice is, where a server was not reached or closed without an answer. */
  readonly retry?: ProxyRetry;
  /** Bytes of a request's body; more is answered 413. */
  readonly maxBodyBytes?: number;
  /** Clients by address; others are answered 403. CIDRs. */
  readonly allowedSources?: readonly string[];
  /** A Secret with htpasswd lines in key `auth`; others are answered 401. */
  readonly basicAuth?: { readonly secret: SecretName; readonly realm: string };
  /** A cookie that keeps a client at its server. */
  readonly stickyCookie?: { readonly name: string };
}

/**
 * Any request that is whole in the proxy's memory is sent again, also a POST: to another server where there is one, after a
 * failed connection, an answer that breaks off or takes too long, or one of these codes. What the last try had is answered.
 */
export interface ProxyRetry {
  readonly attempts: number;
  readonly codes: readonly number[];
}

/** All that is there must hold. */
export interface ProxyMatch {
  /** `prefix` is by elements: /a takes /a and /a/b, never /ab; without a trailing slash but for '/'. */
  readonly path?: { readonly type: 'exact' | 'prefix' | 'regex'; readonly value: string };
  readonly method?: string;
  /** Names in lower case. */
  readonly headers?: readonly ValueMatch[];
  readonly query?: readonly ValueMatch[];
}
export interface ValueMatch {
  readonly name: string;
  readonly type: 'exact' | 'regex';
  readonly value: string;
}

export type ProxyFilter =
  | {
      readonly type: 'request-headers' | 'response-headers';
      readonly set: readonly HeaderValue[];
      readonly add: readonly HeaderValue[];
      readonly remove: readonly string[];
    }
  /** `prefix` stands in place of what the rule's path prefix matched. */
  | { readonly type: 'rewrite'; readonly hostname?: string; readonly path?: PathChange }
  | ({ readonly type: 'cors' } & ProxyCors)
  /** So many requests are sent to that backend as well, as they are after all filters; its answers are for nobody. */
  | { readonly type: 'mirror'; readonly backend: string; readonly numerator: number; readonly denominator: number };
/**
 * What scripts of other origins may do: the proxy answers their preflight requests itself, and writes on all other answers
 * what an origin that is allowed may see. Of the filters of a rule and of its backend the backend's counts. Source: Fetch standard, 3.3.
 */
export interface ProxyCors {
  /** `https://example.com:8443`; '*' in place of a host's first labels, or alone for all. None: nobody. */
  readonly origins: readonly string[];
  readonly credentials: boolean;
  /** '*': what is asked for. */
  readonly methods: readonly string[];
  /** '*' among them: what is asked for. */
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly maxAgeSeconds: number;
}
export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}
/** `regex`: `value` with \1 to \9 for the groups of the rule's path (Ingress rewrite-target). */
export interface PathChange {
  readonly type: 'full' | 'prefix' | 'regex';
  readonly value: string;
}

export type ProxyAction =
  /** Weights are of requests, whatever the number of endpoints. All 0: 500, as Gateway API says. */
  | { readonly type: 'forward'; readonly to: readonly WeightedBackend[] }
  | ({ readonly type: 'redirect' } & ProxyRedirect)
  /** An answer of the proxy's own: 500 for a backend that is named and is not there, 404, ... `body` is plain text. */
  | { readonly type: 'answer'; readonly status: number; readonly body?: string };

export interface ProxyRedirect {
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: PathChange;
}

export interface WeightedBackend {
  /** Name of a backend; '' stands for one that is not there: its share is answered 500. */
  readonly backend: string;
  readonly weight: number;
  /** After the rule's own. */
  readonly filters?: readonly ProxyFilter[];
  /** Its share of requests is answered so, by the proxy. */
  readonly redirect?: ProxyRedirect;
}

/**
 * A port of a Service. Its endpoints are not in here: the node has them from EndpointSlices, as its packet filter has, and follows them without the
 * control plane. None ready: 503.
 */
export interface ProxyBackend {
  /** `NAMESPACE/SERVICE/PORT`, with `+h2c` and the like where one port is spoken to in several ways. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  /** The port's name in EndpointSlices; '' where it has none. */
  readonly portName: string;
  readonly protocol: 'http1' | 'h2c' | 'https' | 'tcp';
  /** Of `https`: the name to verify against, and CA certificates (PEM) of the ConfigMaps that a BackendTLSPolicy names; neither: not verified. */
  readonly verify?: { readonly hostname: string; readonly caCertificates: string };
}
