/** Gateways as people write them, on two nodes; what their proxies are told; and the way of a request through that. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  findCondition,
  keyOf,
  objectKey,
  type Condition,
  type Kind,
  type ProxyAction,
  type ProxyConfig,
  type ProxyHost,
  type ProxyMatch,
  type ProxyRule,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { createGatewayController } from '../../../reconciler/controllers/gateway.ts';
import { formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { machine, node } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

export const NODES = ['n1', 'n2'] as const;

export class Scene {
  readonly world = new World([createGatewayController()]);

  /** Two gateway nodes, and the Services `web` and `api` of namespace default at ports 80 (http) and 9000. */
  constructor(...manifests: readonly string[]) {
    NODES.forEach((name, index) => {
      this.world.put(machine(name));
      const { metadata, spec, status } = node(name);
      const addresses = [{ type: 'InternalIP' as const, address: `192.0.2.${index + 1}` }];
      this.world.put({
        apiVersion: 'v1',
        kind: 'Node',
        metadata,
        spec,
        status: { ...status, addresses, conditions: [{ type: 'Ready', status: 'True' }] },
      });
    });
    this.add(...['web', 'api'].map((name) => service(name)), ...manifests);
  }

  /** Each a second younger than the one before. */
  add(...manifests: readonly string[]): this {
    for (const text of manifests) {
      this.world.advance(1000);
      for (const object of read(text)) {
        const before = this.world.get(keyOf(object));
        // A commit leaves the status as it is.
        this.world.put({ ...object, ...(before && 'status' in before && { status: before.status }) } as typeof object);
      }
    }
    this.world.settle();
    return this;
  }

  remove<K extends Kind>(kind: K, name: string, namespace: string | undefined = 'default'): this {
    this.world.remove(objectKey(kind, namespace, name));
    this.world.settle();
    return this;
  }

  get<K extends Kind>(kind: K, name: string, namespace: string | undefined = 'default'): StoredOf<K> {
    const found = this.world.list(kind).find((one) => keyOf(one) === objectKey(kind, namespace, name));
    assert.ok(found, `${kind} ${name}`);
    return found;
  }

  /** All proxies say that they follow, but for these problems. */
  follow(problems: readonly { readonly port?: number; readonly message: string }[] = []): this {
    for (const name of NODES) {
      const one = this.world.get(objectKey('Node', undefined, name));
      const generation = this.world.get(objectKey('ProxyConfig', undefined, name))?.metadata.generation ?? null;
      if (one) this.world.put({ ...one, status: { ...one.status, proxy: { generation, problems } } });
    }
    this.world.settle();
    return this;
  }

  spec(nodeName = 'n1'): ProxyConfig['spec'] {
    const config = this.world.get(objectKey('ProxyConfig', undefined, nodeName));
    assert.ok(config, `ProxyConfig ${nodeName}`);
    return config.spec;
  }

  /** `STATUS REASON` of the condition of a Gateway, or of one of its listeners. */
  gateway(type: string, listener?: string, name = 'edge'): string {
    const { status } = this.get('Gateway', name);
    const of = listener === undefined ? status : status?.listeners?.find((one) => one.name === listener);
    return word(findCondition(of?.conditions, type));
  }

  /** The same of a route, at its only parent of ours. */
  route(
    kind: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute',
    name: string,
    type: string,
    namespace = 'default',
  ): string {
    return word(findCondition(this.get(kind, name, namespace).status?.parents[0]?.conditions, type));
  }

  /** Where a request goes: `redirect`, `STATUS`, or backends with weights. */
  ask(request: Partial<Request> & { readonly host: string }): string {
    const { action } = this.find(request) ?? { action: undefined };
    return action ? said(action) : '404';
  }

  find({
    port = 80,
    path = '/',
    method = 'GET',
    headers = {},
    query = {},
    host,
  }: Partial<Request> & { readonly host: string }): ProxyRule | undefined {
    const listening = this.spec().ports.find((one) => one.port === port);
    assert.ok(listening, `port ${port}`);
    const taken = listening.hosts.find((one) => takes(one, host));
    return taken?.rules?.find(({ match }) => holds(match, { port, path, method, headers, query, host }));
  }
}

export interface Request {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

function word(condition: Condition | undefined): string {
  return `${condition?.status ?? 'none'} ${condition?.reason ?? ''}`.trim();
}

function said(action: ProxyAction): string {
  switch (action.type) {
    case 'answer':
      return String(action.status);
    case 'redirect':
      return 'redirect';
    case 'forward':
      return action.to
        .map(({ backend, weight }) => (action.to.length === 1 ? backend : `${backend}*${weight}`))
        .join(' ');
  }
}

function takes({ hostname, oneLabel }: ProxyHost, host: string): boolean {
  if (hostname === '') return true;
  if (!hostname.startsWith('*.')) return hostname === host;
  return host.endsWith(hostname.slice(1)) && (oneLabel !== true || !host.slice(0, -hostname.length + 1).includes('.'));
}

function holds({ path, method, headers = [], query = [] }: ProxyMatch, request: Request): boolean {
  const isPath = (): boolean => {
    switch (path?.type) {
      case undefined:
        return true;
      case 'exact':
        return request.path === path.value;
      case 'prefix':
        return request.path === path.value || request.path.startsWith(`${path.value}/`);
      case 'regex':
        return new RegExp(`^(?:${path.value.replace('(?i)', '')})$`, path.value.startsWith('(?i)') ? 'i' : '').test(
          request.path,
        );
    }
  };
  const isValue = (wanted: { readonly type: string; readonly value: string }, value: string | undefined): boolean =>
    value !== undefined &&
    (wanted.type === 'exact' ? value === wanted.value : new RegExp(`^(?:${wanted.value})$`).test(value));
  return (
    isPath() &&
    (method === undefined || method === request.method) &&
    headers.every((one) => isValue(one, request.headers[one.name])) &&
    query.every((one) => isValue(one, request.query[one.name]))
  );
}

function read(text: string) {
  const { objects, diagnostics } = parseManifest('a.yaml', '0', new TextEncoder().encode(text));
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  assert.deepEqual(
    errors.map((one) => formatDiagnostic(one)),
    [],
  );
  return objects.map(({ object }) => object);
}

export function service(
  name: string,
  namespace = 'default',
  ports = '[{name: http, port: 80}, {name: grpc, port: 9000}]',
): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: ${namespace}}, spec: {selector: {app: a}, ports: ${ports}}}`;
}

const API = 'apiVersion: gateway.networking.k8s.io/v1';

export function gateway(listeners: string, name = 'edge', more = ''): string {
  return `{${API}, kind: Gateway, metadata: {name: ${name}}, spec: {gatewayClassName: plumbline, listeners: [${listeners}]${more}}}`;
}
export const HTTP = '{name: http, port: 80, protocol: HTTP}';

export function httpRoute(name: string, rules: string, spec = '', metadata = ''): string {
  const parents = spec.includes('parentRefs') ? '' : 'parentRefs: [{name: edge}], ';
  return `{${API}, kind: HTTPRoute, metadata: {name: ${name}${metadata}}, spec: {${parents}${spec === '' ? '' : `${spec}, `}rules: [${rules}]}}`;
}
/** A rule for a path prefix. */
export function to(backend: string, path = '/', more = ''): string {
  return `{matches: [{path: {value: ${path}}}], backendRefs: [{name: ${backend}, port: 80}]${more}}`;
}

export function ingress(name: string, spec: string, annotations = ''): string {
  return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ${name}, annotations: {${annotations}}}, spec: {${spec}}}`;
}
/** A path of an Ingress: its type, the path, the Service. */
export type WrittenPath = readonly [type: string, path: string, backend: string];
export function paths(...list: readonly WrittenPath[]): string {
  return `http: {paths: [${list.map(([type, path, backend]) => `{pathType: ${type}, path: '${path}', backend: {service: {name: ${backend}, port: {number: 80}}}}`).join(', ')}]}`;
}

let pair: { readonly crt: string; readonly key: string } | undefined;
/** A Secret with a certificate that openssl made; `broken` has another key. */
export function certificate(name: string, namespace = 'default', broken = false): string {
  pair ??= made();
  const key = broken ? made().key : pair.key;
  return `{apiVersion: v1, kind: Secret, metadata: {name: ${name}, namespace: ${namespace}}, type: kubernetes.io/tls, data: {tls.crt: ${pair.crt}, tls.key: ${key}}}`;
}

function made(): { readonly crt: string; readonly key: string } {
  const folder = makeFolder('plumb-certificate-');
  try {
    const [crt, key] = [join(folder, 'crt'), join(folder, 'key')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=example.com'];
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...curve, '-keyout', key, '-out', crt], { stdio: 'ignore' });
    return { crt: readFileSync(crt).toString('base64'), key: readFileSync(key).toString('base64') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
