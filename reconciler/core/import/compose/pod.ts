/** What of a service is its pod, beside the container. */
import { isIP } from 'node:net';
import type { Fields } from '../fields.ts';
import { textOf } from '../located.ts';
import { isDnsLabel, isQualifiedName } from '../names.ts';
import type { Report } from '../report.ts';
import { isSecretVariable } from '../secret-names.ts';
import { asMap } from './merge.ts';
import { durationSeconds } from './values.ts';

type Json = Record<string, unknown>;

/** Fields of a PodSpec that do not come from the container's side. */
export function podFields(service: Fields, report: Report): Json {
  const network = service.scalar('network_mode');
  const isHost = network?.source === 'host';
  if (network && !isHost && network.source !== 'bridge')
    report.lost(
      network.at,
      `${service.where}.network_mode: ${network.source} is not carried over`,
      networkHint(network.source),
    );
  return {
    hostname: hostname(service, report),
    // Variables of every Service of the namespace (DB_PORT=tcp://...) are nothing that programs from Compose expect.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: grace(service, report),
    hostNetwork: isHost || undefined,
    hostPID: hostOnly(service, 'pid', report),
    hostIPC: hostOnly(service, 'ipc', report),
    ...dns(service, isHost),
    hostAliases: hostAliases(service, report),
    nodeSelector: platform(service),
    securityContext: podSecurity(service, report),
  };
}

function networkHint(mode: string): string {
  if (mode.startsWith('service:') || mode.startsWith('container:'))
    return `to share its network, make this a container in the pod of ${mode.slice(mode.indexOf(':') + 1)}`;
  return 'pods have the network of the cluster, or with host that of their node';
}

function hostname(service: Fields, report: Report): string | undefined {
  const name = service.scalar('hostname');
  if (!name || isDnsLabel(name.source)) return name?.source;
  report.lost(
    name.at,
    `${service.where}.hostname: ${name.source} is no name that a pod can have`,
    'a label of letters, digits and -',
  );
  return undefined;
}

function grace(service: Fields, report: Report): number | undefined {
  const period = service.scalar('stop_grace_period');
  if (!period) return undefined;
  const seconds = durationSeconds(period.source);
  if (seconds === undefined)
    report.invalid(period.at, `${service.where}.stop_grace_period is no duration`, 'write 30s');
  return seconds === undefined ? undefined : Math.ceil(seconds);
}

function hostOnly(service: Fields, name: string, report: Report): true | undefined {
  const mode = service.scalar(name);
  if (mode?.source === 'host') return true;
  if (mode && !['private', 'shareable'].includes(mode.source))
    report.lost(mode.at, `${service.where}.${name}: ${mode.source} is not carried over`);
  return undefined;
}

/** With servers of its own a container of Compose still finds the other services: so do pods, whose own come first. */
function dns(service: Fields, isHost: boolean): Json {
  const config = {
    nameservers: nonEmpty(service.texts('dns')),
    searches: nonEmpty(service.texts('dns_search')),
    options: nonEmpty(
      service.texts('dns_opt').map((option) => {
        const [name = '', value] = option.split(':');
        return { name, value };
      }),
    ),
  };
  const isSet = Object.values(config).some((value) => value !== undefined);
  return { dnsPolicy: isHost ? 'ClusterFirstWithHostNet' : undefined, dnsConfig: isSet ? config : undefined };
}

function hostAliases(service: Fields, report: Report): Json[] | undefined {
  const field = service.take('extra_hosts');
  const map = field && asMap(field.value, /[=:]/);
  const byAddress = new Map<string, string[]>();
  for (const [name, { at, value }] of map?.kind === 'map' ? map.fields : []) {
    for (const item of value.kind === 'list' ? value.items : [value]) {
      const address = (textOf(item) ?? '').replaceAll(/^\[|\]$/g, '');
      if (isIP(address) > 0) byAddress.set(address, [...(byAddress.get(address) ?? []), name]);
      else
        report.lost(
          at,
          `${service.where}.extra_hosts: ${name} is at ${address}`,
          'pods cannot name their node so; write an address',
        );
    }
  }
  return nonEmpty([...byAddress].map(([ip, hostnames]) => ({ ip, hostnames })));
}

function platform(service: Fields): Json | undefined {
  const arch = /^linux\/(\w+)/.exec(service.text('platform') ?? '')?.[1];
  return arch === undefined ? undefined : { 'kubernetes.io/arch': arch };
}

function podSecurity(service: Fields, report: Report): Json | undefined {
  const groups: number[] = [];
  for (const { at, source } of service.scalars('group_add'))
    if (/^\d{1,10}$/.test(source)) groups.push(Number(source));
    else report.lost(at, `${service.where}.group_add: ${source} is a group of the image`, 'write its number');
  const field = service.take('sysctls');
  const map = field && asMap(field.value);
  const sysctls =
    map?.kind === 'map' ? [...map.fields].map(([name, { value }]) => ({ name, value: textOf(value) ?? '' })) : [];
  const context = { supplementalGroups: nonEmpty(groups), sysctls: nonEmpty(sysctls) };
  return context.supplementalGroups || context.sysctls ? context : undefined;
}

function nonEmpty<T>(items: readonly T[]): T[] | undefined {
  return items.length > 0 ? [...items] : undefined;
}

export interface Labels {
  /** Of the pod. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The port that Traefik is told of. */
  readonly webPort: number | undefined;
}

/** Labels of a container are for programs that look at it: annotations, with the exception of Traefik's. */
export function labelsOf(service: Fields, serviceName: string, report: Report): Labels {
  const annotations: Record<string, string> = {};
  let webPort: number | undefined;
  const routes: (readonly [at: Parameters<Report['lost']>[0], label: string, rule: string])[] = [];
  for (const name of ['labels', 'annotations']) {
    const field = service.take(name);
    const map = field && asMap(field.value);
    if (map?.kind !== 'map') continue;
    for (const [label, { at, value }] of map.fields) {
      const text = textOf(value) ?? '';
      const hidden = (value.kind === 'scalar' && value.parts !== undefined) || isSecretVariable(label, text);
      if (/^traefik\.http\.services\..*\.server\.port$/i.test(label)) webPort = Number(text);
      else if (label === 'traefik.enable' || label.startsWith('com.docker.')) continue;
      else if (/^traefik\.(?:http|tcp|udp)\.routers\..*\.rule$/i.test(label)) routes.push([at, label, text]);
      else if (hidden) report.secret(at, `the value of the label ${label} was not written`, 'it has a secret in it');
      else if (label.startsWith('traefik.'))
        report.lost(at, `the label ${label} is not carried over`, 'it says how Traefik routes');
      else if (isQualifiedName(label)) annotations[label] = text;
      else report.lost(at, `the label ${label} is no name that an annotation can have`);
    }
  }
  for (const [at, label, rule] of routes)
    report.lost(at, `the route ${label} is not carried over`, routeHint(rule, serviceName, webPort));
  return { annotations, webPort };
}

/** What a rule of Traefik would be in Kubernetes. */
function routeHint(rule: string, service: string, port: number | undefined): string {
  const hosts = [...rule.matchAll(/Host\(([^)]*)\)/g)].flatMap(([, names]) =>
    [...(names ?? '').matchAll(/[`"']([^`"']+)[`"']/g)].map(([, name]) => name ?? ''),
  );
  const path = /Path(?:Prefix)?\([`"']([^`"']*)[`"']/.exec(rule)?.[1] ?? '/';
  const backend = `Service ${service}${port === undefined ? '' : ` port ${port}`}`;
  return `it would be an Ingress for ${hosts.length > 0 ? hosts.join(', ') : 'any host'}, path ${path}, to ${backend}; that kind is not there yet`;
}
