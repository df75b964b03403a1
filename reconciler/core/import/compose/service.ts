/** One service of a compose file, read: its container, its pod, and what it asks of others. */
import type { Position } from '../../manifests/index.ts';
import { Fields } from '../fields.ts';
import { textOf, type LocatedMap } from '../located.ts';
import { dnsLabel, isDnsLabel, serviceName } from '../names.ts';
import { containerOf } from './container.ts';
import { asMap } from './merge.ts';
import { mountsOf, type Mounts } from './mounts.ts';
import { labelsOf, podFields } from './pod.ts';
import { portsOf, type Port } from './ports.ts';
import type { Project } from './project.ts';

type Json = Record<string, unknown>;

export interface Dependency {
  readonly at: Position;
  readonly on: string;
  readonly condition: string;
}

export interface ServiceParts {
  /** As the compose file has it. */
  readonly name: string;
  readonly at: Position;
  readonly container: Json;
  readonly pod: Json;
  readonly mounts: Mounts;
  readonly ports: readonly Port[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly dependencies: readonly Dependency[];
  /** Other names that it has for the services of the project. */
  readonly aliases: readonly string[];
  readonly mode: 'replicated' | 'global' | 'job';
  readonly replicas: number | undefined;
  readonly restart: Restart;
}

export interface Restart {
  readonly policy: 'always' | 'on-failure' | 'never';
  readonly attempts?: number | undefined;
}

/** Sections whose absence from the result is told with a reason. */
const WHY: Readonly<Record<string, string>> = {
  devices: 'devices are not given to pods yet',
  device_cgroup_rules: 'devices are not given to pods yet',
  gpus: 'devices are not given to pods yet',
  runtime: 'a RuntimeClass says it',
  logging: 'output of containers is kept on the node: `plumb logs`',
  ulimits: 'the runtime of the node says it',
  init: 'the process of the image is the first of its container; use an image with an init',
  volumes_from: 'name the volume in both services',
  external_links: 'a Service of type ExternalName leads to a name elsewhere',
  develop: 'it is about development',
  cpu_shares: 'requests say it: deploy.resources.reservations.cpus',
  cgroup_parent: 'pods are in groups of the node agent',
  userns_mode: 'pods have the users of the image',
  mac_address: 'the network of the cluster says it',
};

export function readService(name: string, map: LocatedMap, project: Project): ServiceParts {
  const { report } = project;
  const service = new Fields(map, `services.${name}`, report);
  const deploy = service.map('deploy');
  const label = serviceName(name);
  if (label !== name)
    report.changed(map.at, `the service ${name} is named ${label} here`, 'settings that name it have to be changed');
  const labels = labelsOf(service, label, report);
  const ports = portsOf(service, report);
  const { webPort } = labels;
  const isKnown = ports.some(({ target, protocol }) => target === webPort && protocol === 'TCP');
  if (webPort !== undefined && Number.isInteger(webPort) && webPort > 0 && webPort < 65_536 && !isKnown)
    ports.push({ at: map.at, target: webPort, protocol: 'TCP' });
  const mounts = mountsOf(service, project);
  const container = containerOf(service, { name, ports, mounts, deploy }, project);
  const pod = podFields(service, report);
  const parts: ServiceParts = {
    name,
    at: map.at,
    container,
    pod: {
      ...pod,
      // The signal is one of this system.
      os: container['lifecycle'] === undefined ? undefined : { name: 'linux' },
      nodeSelector: nodeSelector(pod['nodeSelector'], deploy, project),
    },
    mounts,
    ports,
    annotations: labels.annotations,
    dependencies: dependencies(service),
    aliases: aliases(service, label, project),
    restart: restartOf(service, deploy, project),
    mode: modeOf(deploy, project),
    replicas: deploy.number('replicas') ?? service.number('scale'),
  };
  for (const { at, source } of service.scalars('links')) {
    const [target, alias = target] = source.split(':');
    if (alias !== target)
      report.lost(
        at,
        `${service.where}.links: ${target ?? ''} is not known as ${alias ?? ''}`,
        'give it that name as a network alias',
      );
  }
  service.ignore('extends', 'profiles', 'attach', 'mem_swappiness', 'memswap_limit');
  deploy.ignore('endpoint_mode', 'labels');
  deploy.rest({ update_config: 'a Deployment replaces its pods by its own strategy; see docs/workloads.md' });
  service.rest(WHY);
  return parts;
}

function dependencies(service: Fields): Dependency[] {
  const field = service.take('depends_on');
  const map = field && asMap(field.value);
  if (map?.kind !== 'map') return [];
  return [...map.fields].map(([on, { at, value }]) => {
    const condition = value.kind === 'map' ? textOf(value.fields.get('condition')?.value) : undefined;
    return { at, on, condition: condition ?? 'service_started' };
  });
}

/** Names that Compose's networks give it besides its own. */
function aliases(service: Fields, label: string, project: Project): string[] {
  const { report } = project;
  const wanted: (readonly [Position, string])[] = [];
  const named = service.scalar('container_name');
  if (named) wanted.push([named.at, named.source]);
  const networks = service.take('networks');
  const map = networks && asMap(networks.value);
  for (const [network, { value }] of map?.kind === 'map' ? map.fields : []) {
    if (value.kind !== 'map') continue;
    const fields = new Fields(value, `${service.where}.networks.${network}`, report);
    for (const { at, source } of fields.scalars('aliases')) wanted.push([at, source]);
    fields.ignore('priority', 'gw_priority');
    fields.rest({ ipv4_address: 'pods get their addresses; use the name of the Service' });
  }
  const names = new Set<string>();
  for (const [at, alias] of wanted) {
    if (alias === label || dnsLabel(alias) === label) continue;
    if (isDnsLabel(alias) && !/^\d/.test(alias)) names.add(alias);
    else report.lost(at, `${service.where} is also known as ${alias}, which is no name of a Service`);
  }
  return [...names];
}

function restartOf(service: Fields, deploy: Fields, project: Project): Restart {
  const written = service.scalar('restart');
  const policy = deploy.map('restart_policy');
  const condition = policy.text('condition');
  const attempts = policy.number('max_attempts');
  policy.ignore('delay', 'window');
  policy.rest();
  const [name, count] = (written?.source ?? '').split(':');
  const tries = attempts ?? (count !== undefined && /^\d{1,6}$/.test(count) ? Number(count) : undefined);
  switch (condition ?? name) {
    case 'none':
    case 'no':
    case 'false':
      return { policy: 'never' };
    case 'on-failure':
      return { policy: 'on-failure', attempts: tries };
    case '':
    case 'any':
    case 'always':
    case 'unless-stopped':
      return { policy: 'always' };
    default:
      project.report.invalid(
        written?.at ?? service.at,
        `${service.where}.restart is no policy that there is`,
        'no, always, on-failure or unless-stopped',
      );
      return { policy: 'always' };
  }
}

function modeOf(deploy: Fields, project: Project): ServiceParts['mode'] {
  const mode = deploy.scalar('mode');
  switch (mode?.source ?? 'replicated') {
    case 'global':
      return 'global';
    case 'replicated-job':
    case 'global-job':
      return 'job';
    case 'replicated':
      return 'replicated';
    default:
      project.report.invalid(
        mode?.at ?? deploy.at,
        `${deploy.where}.mode is no mode that there is`,
        'replicated or global',
      );
      return 'replicated';
  }
}

/** Constraints that are labels of nodes. */
function nodeSelector(platform: unknown, deploy: Fields, project: Project): Json | undefined {
  const placement = deploy.map('placement');
  const selector: Json = { ...(platform as Json | undefined) };
  for (const { at, source } of placement.scalars('constraints')) {
    const match = /^\s*node\.(?:labels\.([\w./-]+)|(hostname))\s*==\s*(\S+)\s*$/.exec(source);
    if (match) selector[match[1] ?? 'kubernetes.io/hostname'] = match[3] ?? '';
    else
      project.report.lost(
        at,
        `${placement.where}.constraints: ${source} is not carried over`,
        'use nodeSelector or affinity',
      );
  }
  placement.rest();
  return Object.keys(selector).length > 0 ? selector : undefined;
}
