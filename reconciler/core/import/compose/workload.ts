/** The services of a project as workloads and Services. */
import { dnsLabel, serviceName } from '../names.ts';
import type { Manifest } from '../write-yaml.ts';
import { isNodePort } from './container.ts';
import type { Port } from './ports.ts';
import type { Project } from './project.ts';
import type { Dependency, ServiceParts } from './service.ts';

type Json = Record<string, unknown>;

/** Waits in init containers. */
const WAIT_IMAGE = 'docker.io/library/busybox:1.37';
const DEFAULT_JOB_TRIES = 6;

export class Workloads {
  readonly #services: ReadonlyMap<string, ServiceParts>;
  readonly #project: Project;
  /** Services that run as init containers of the only one that waits for their end. */
  readonly #folded: ReadonlySet<string>;

  constructor(services: readonly ServiceParts[], project: Project) {
    this.#services = new Map(services.map((service) => [service.name, service]));
    this.#project = project;
    const waiting = services.flatMap(({ dependencies }) => dependencies);
    this.#folded = new Set(
      services
        .filter(({ name, ports, aliases }) => {
          const on = waiting.filter((dependency) => dependency.on === name);
          return on.length === 1 && on[0]?.condition === COMPLETED && ports.length === 0 && aliases.length === 0;
        })
        .map(({ name }) => name),
    );
  }

  /** The manifests of one service; none where it is an init container of another. */
  manifestsOf(service: ServiceParts): readonly Manifest[] {
    if (this.#folded.has(service.name)) return [];
    const workload = this.#workload(service);
    return [workload, ...(workload.object['kind'] === 'Job' && service.ports.length === 0 ? [] : this.#names(service))];
  }

  #workload(service: ServiceParts): Manifest {
    if (this.#isOneShot(service)) return this.#job(service);
    const { mounts, ports, replicas, mode } = service;
    const app = dnsLabel(service.name);
    const labels = { app };
    const single = mounts.keepsData || ports.some((port) => port.published !== undefined && !isNodePort(port));
    const isDaemon = mode === 'global';
    const strategy = single && !isDaemon ? { type: 'Recreate' } : undefined;
    return {
      object: {
        apiVersion: 'apps/v1',
        kind: isDaemon ? 'DaemonSet' : 'Deployment',
        metadata: this.#project.metadata(app),
        spec: {
          replicas: isDaemon ? undefined : replicas,
          strategy,
          selector: { matchLabels: labels },
          template: this.#template(service, labels),
        },
      },
      notes: strategy
        ? [[['spec', 'strategy'], 'The old pod has the volume or the port that the new one needs: it goes first.']]
        : [],
    };
  }

  /** Something that ends: what others wait for, or what nobody starts again. */
  #isOneShot({ name, mode, restart, ports }: ServiceParts): boolean {
    if (mode === 'job' || this.#waitingFor(name, COMPLETED).length > 0) return true;
    return restart.policy === 'never' || (restart.policy === 'on-failure' && ports.length === 0);
  }

  #waitingFor(name: string, condition: string): readonly Dependency[] {
    return [...this.#services.values()].flatMap(({ dependencies }) =>
      dependencies.filter((dependency) => dependency.on === name && dependency.condition === condition),
    );
  }

  #job(service: ServiceParts): Manifest {
    const { restart, at, name } = service;
    const app = dnsLabel(name);
    const isRetried = restart.policy === 'on-failure';
    for (const dependency of this.#waitingFor(name, COMPLETED))
      this.#project.report.changed(
        dependency.at,
        `nothing waits for the end of the Job ${app}: several services want it`,
        'pods that fail until then are started again',
      );
    this.#project.report.changed(
      at,
      `the service ${name} ends by itself: it becomes a Job, which runs once`,
      'to run it again, give the Job another name',
    );
    return {
      object: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: this.#project.metadata(app),
        spec: {
          backoffLimit: isRetried ? (restart.attempts ?? DEFAULT_JOB_TRIES) : 0,
          template: this.#template(service, { app }, isRetried ? 'OnFailure' : 'Never'),
        },
      },
      comments: ['Runs once. A Job cannot be changed: to run it again, give it another name.'],
    };
  }

  #template(service: ServiceParts, labels: Json, restartPolicy?: string): Json {
    const volumes = [...service.mounts.volumes];
    const initContainers = this.#initContainers(service, volumes, [service.name]);
    const { hostname, enableServiceLinks, ...pod } = service.pod;
    return {
      metadata: { labels, annotations: Object.keys(service.annotations).length > 0 ? service.annotations : undefined },
      spec: {
        restartPolicy,
        hostname,
        enableServiceLinks,
        ...pod,
        initContainers: initContainers.length > 0 ? initContainers : undefined,
        containers: [service.container],
        volumes: volumes.length > 0 ? volumes : undefined,
      },
    };
  }

  /** What has to be before a service starts; volumes that it needs are added to those of the pod. */
  #initContainers(service: ServiceParts, volumes: Json[], chain: readonly string[]): Json[] {
    const { report } = this.#project;
    const containers: Json[] = [];
    const unordered: Dependency[] = [];
    for (const dependency of service.dependencies) {
      const on = this.#services.get(dependency.on);
      if (!on) {
        const hint = 'it has a profile that was not asked for, or is not there';
        report.missing(dependency.at, `${service.name} depends on ${dependency.on}, which is not in the result`, hint);
      } else if (dependency.condition === HEALTHY) containers.push(this.#wait(on));
      else if (dependency.condition === COMPLETED && this.#folded.has(on.name)) {
        if (chain.includes(on.name)) {
          report.invalid(dependency.at, `${on.name} depends on itself`);
          continue;
        }
        containers.push(...this.#initContainers(on, volumes, [...chain, on.name]), asInit(on, volumes));
      } else if (dependency.condition !== COMPLETED) unordered.push(dependency);
    }
    for (const { at, on } of unordered)
      report.changed(
        at,
        `${service.name} does not wait until ${on} has started`,
        'pods start in any order; one that fails meanwhile is started again',
      );
    return unique(containers);
  }

  /** A ready pod is behind the Service's address, and only then. */
  #wait(on: ServiceParts): Json {
    const name = serviceName(on.name);
    const port = on.ports.find(({ protocol }) => protocol === 'TCP')?.target;
    const host = `${name}.${this.#project.name}.svc.cluster.local`;
    const test = port === undefined ? `nslookup ${host} >/dev/null 2>&1` : `nc -z -w 2 ${host} ${port}`;
    return {
      name: dnsLabel(`wait-for-${name}`),
      image: WAIT_IMAGE,
      command: ['/bin/sh', '-c', `until ${test}; do sleep 1; done`],
    };
  }

  /** The names by which other services reach it. */
  #names(service: ServiceParts): Manifest[] {
    const { ports, aliases, name, pod } = service;
    const { report } = this.#project;
    for (const port of ports) {
      const { at, target, published, hostIP } = port;
      if (published === undefined) continue;
      if (isNodePort(port))
        report.changed(at, `port ${published} is opened on every node (NodePort), to port ${target} of ${name}`);
      else {
        const where =
          hostIP === undefined ? 'the node that its pod runs on' : `${hostIP} of the node that its pod runs on`;
        report.changed(
          at,
          `port ${published} is opened on ${where} (hostPort)`,
          'for every node, use a NodePort Service, or a load balancer before it',
        );
      }
    }
    if (pod['hostNetwork'] === true && ports.length === 0 && aliases.length === 0) return [];
    const label = serviceName(name);
    const others = aliases.filter((alias) => !this.#services.has(alias));
    return [
      { object: this.#service(label, service), ...(ports.length === 0 && { comments: [NO_PORTS] }) },
      ...others.map((alias) => ({ object: this.#service(alias, service), comments: [`Another name of ${label}.`] })),
    ];
  }

  #service(label: string, { name, ports }: ServiceParts): Json {
    const isOpen = ports.some(isNodePort);
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: this.#project.metadata(label),
      spec: {
        type: isOpen && label === serviceName(name) ? 'NodePort' : undefined,
        clusterIP: ports.length === 0 ? 'None' : undefined,
        selector: { app: dnsLabel(name) },
        ports:
          ports.length === 0
            ? undefined
            : ports.map((port) => servicePort(port, ports.length > 1, label === serviceName(name))),
      },
    };
  }
}

const HEALTHY = 'service_healthy';
const COMPLETED = 'service_completed_successfully';
const NO_PORTS = 'Its file names no ports: without an address of its own, the name leads to the pods, at any port.';

function servicePort(port: Port, named: boolean, isFirst: boolean): Json {
  const { protocol, target, published, appProtocol } = port;
  return {
    name: named ? `${protocol.toLowerCase()}-${target}` : undefined,
    protocol: protocol === 'TCP' ? undefined : protocol,
    port: target,
    nodePort: isFirst && isNodePort(port) ? published : undefined,
    appProtocol,
  };
}

/** A service as an init container: none of them is asked whether it is ready. */
function asInit({ container, mounts }: ServiceParts, volumes: Json[]): Json {
  for (const volume of mounts.volumes) if (!volumes.some(({ name }) => name === volume['name'])) volumes.push(volume);
  const { readinessProbe: _, ...init } = container;
  return init;
}

function unique(containers: readonly Json[]): Json[] {
  return [...new Map(containers.map((container) => [container['name'], container])).values()];
}
