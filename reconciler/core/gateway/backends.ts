/** From what routes name to backends of a proxy. Source: Gateway API, apis/v1: BackendObjectReference, BackendRef. */
import type { ProxyBackend, ServicePort, StoredService } from '../../../contracts/objects/index.ts';
import { BackendTls } from './backend-tls.ts';
import { nameOf, type GatewayWorld } from './world.ts';
import { isGranted, type Referrer } from './grants.ts';

type BackendProtocol = ProxyBackend['protocol'];
export interface RefProblem {
  readonly reason: 'RefNotPermitted' | 'InvalidKind' | 'BackendNotFound' | 'UnsupportedProtocol';
  readonly message: string;
}
type Resolved = { readonly ok: true; readonly backend: string } | ({ readonly ok: false } & RefProblem);

interface NamedBackend {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly port?: number | undefined;
}

/** Collects the backends that are named, each once. */
export class Backends {
  readonly #byName = new Map<string, ProxyBackend>();
  readonly tls: BackendTls;
  readonly #world: Pick<GatewayWorld, 'service' | 'grants'>;

  constructor(world: Pick<GatewayWorld, 'service' | 'grants' | 'backendTlsPolicies' | 'caCertificates'>) {
    this.#world = world;
    this.tls = new BackendTls(world);
  }

  /** `protocol`: how it is spoken to where its port does not say. */
  ofRoute(from: Referrer, ref: NamedBackend, protocol: BackendProtocol): Resolved {
    if (ref.group !== '' || ref.kind !== 'Service')
      return failed('InvalidKind', `${ref.kind} is no kind that requests can go to: a Service is`);
    const namespace = ref.namespace ?? from.namespace;
    if (!isGranted(from, { kind: 'Service', namespace, name: ref.name }, this.#world.grants))
      return failed(
        'RefNotPermitted',
        `no ReferenceGrant of namespace ${namespace} lets ${from.kind}s of ${from.namespace} name Service ${ref.name}`,
      );
    return this.ofService(namespace, ref.name, (port) => port.port === ref.port, String(ref.port ?? ''), protocol);
  }

  ofService(
    namespace: string,
    name: string,
    isMeant: (port: ServicePort) => boolean,
    portText: string,
    protocol: BackendProtocol,
  ): Resolved {
    const service = this.#world.service(namespace, name);
    if (!service) return failed('BackendNotFound', `there is no Service ${namespace}/${name}`);
    if (service.spec.type === 'ExternalName')
      return failed('BackendNotFound', `Service ${namespace}/${name} is an alias of a name and has no endpoints`);
    const port = service.spec.ports.find(isMeant);
    if (!port) return failed('BackendNotFound', `Service ${namespace}/${name} has no port ${portText}`);
    if (port.protocol !== 'TCP')
      return failed('UnsupportedProtocol', `port ${port.port} of Service ${namespace}/${name} is ${port.protocol}`);
    const policy = protocol === 'tcp' ? undefined : this.tls.of(namespace, name, port);
    if (!policy) return { ok: true, backend: this.#add(service, port, spoken(port, protocol)) };
    if (protocol === 'h2c')
      return failed(
        'UnsupportedProtocol',
        `calls of gRPC are not sent in TLS, which ${nameOf(policy.policy)} asks for`,
      );
    // The policy's status tells why: nobody is to take the answer of a server that cannot be verified.
    if (!policy.verify) return { ok: true, backend: '' };
    return { ok: true, backend: this.#add(service, port, 'https', policy.verify) };
  }

  /** In order of their names. */
  all(): readonly ProxyBackend[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #add(
    { metadata }: StoredService,
    port: ServicePort,
    protocol: BackendProtocol,
    verify?: ProxyBackend['verify'],
  ): string {
    const namespace = metadata.namespace ?? '';
    const plain = `${namespace}/${metadata.name}/${port.name ?? port.port}`;
    const name = protocol === 'http1' ? plain : `${plain}+${protocol}`;
    if (!this.#byName.has(name))
      this.#byName.set(name, {
        name,
        namespace,
        service: metadata.name,
        portName: port.name ?? '',
        protocol,
        ...(verify && { verify }),
      });
    return name;
  }
}

/** Source: KEP-3726, standard application protocols; Gateway API, GEP-1911. */
function spoken({ appProtocol }: ServicePort, protocol: BackendProtocol): BackendProtocol {
  if (protocol !== 'http1') return protocol;
  if (appProtocol === 'kubernetes.io/h2c') return 'h2c';
  return appProtocol === 'https' || appProtocol === 'kubernetes.io/wss' ? 'https' : 'http1';
}

function failed(reason: RefProblem['reason'], message: string): Resolved {
  return { ok: false, reason, message };
}
