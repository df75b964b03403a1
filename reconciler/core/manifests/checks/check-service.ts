/** Service: its ports, and what goes with which type. */
import { familyOf } from '../../../../contracts/ip.ts';
import {
  isExternallyAccessible,
  mayHaveNodePorts,
  needsHealthCheck,
  type Service,
} from '../../../../contracts/objects/index.ts';
import { DnsSubdomain } from '../../../../contracts/objects/schema.ts';
import { PORT_NAME_RULE } from './check-container.ts';
import { eachDuplicate, isPortName, type CheckContext } from './context.ts';

export function checkService(object: Service, context: CheckContext): void {
  const { error, has } = context;
  const { ports, type, clusterIP, sessionAffinity } = object.spec;
  const headless = clusterIP === 'None';
  if (type === 'ExternalName') checkAlias(object, context);
  else if (has(['spec', 'externalName']) && object.spec.externalName !== undefined)
    error(
      'ForbiddenField',
      ['spec', 'externalName'],
      `may not be set when type is ${type}`,
      'write type: ExternalName, or remove it',
    );
  if (ports.length === 0 && !headless && type !== 'ExternalName')
    error(
      'MissingField',
      ['spec', 'ports'],
      'must have at least one port',
      'only a headless Service (clusterIP: None) may have none',
    );
  checkTraffic(object, context);
  checkFamilies(object, context);
  for (const [i, port] of ports.entries()) {
    const at = ['spec', 'ports', i];
    if (ports.length > 1 && port.name === undefined)
      error('MissingField', [...at, 'name'], 'is required when a Service has several ports');
    if (typeof port.targetPort === 'string') {
      if (/^\d+$/.test(port.targetPort))
        error(
          'WrongType',
          [...at, 'targetPort'],
          `must be a port number or name, found text "${port.targetPort}"`,
          `remove the quotes: targetPort: ${port.targetPort}`,
        );
      else if (!isPortName(port.targetPort)) error('InvalidValue', [...at, 'targetPort'], PORT_NAME_RULE);
    }
    if (port.nodePort !== undefined && !mayHaveNodePorts(object.spec)) {
      error(
        'ForbiddenField',
        [...at, 'nodePort'],
        `may not be set when type is ${type}`,
        'write type: NodePort or LoadBalancer, or remove it',
      );
    }
  }
  eachDuplicate(
    ports,
    (p) => p.name,
    (_, name, i) =>
      error('DuplicateName', ['spec', 'ports', i, 'name'], `${name} is the name of another port of this Service`),
  );
  eachDuplicate(
    ports,
    (p) => (p.nodePort === undefined ? undefined : `${p.nodePort}/${p.protocol}`),
    (_, port, i) => error('DuplicateName', ['spec', 'ports', i, 'nodePort'], `${port} is another port of this Service`),
  );
  eachDuplicate(
    ports,
    (p) => `${p.port}/${p.protocol}`,
    (_, port, i) => error('DuplicateName', ['spec', 'ports', i, 'port'], `${port} is another port of this Service`),
  );
  if (headless && mayHaveNodePorts(object.spec))
    error('InvalidValue', ['spec', 'clusterIP'], `may not be None when type is ${type}`);
  if (sessionAffinity === 'None' && has(['spec', 'sessionAffinityConfig'])) {
    error('ForbiddenField', ['spec', 'sessionAffinityConfig'], 'may be set only when sessionAffinity is ClientIP');
  }
}

/** Source: Kubernetes pkg/apis/core/validation (ValidateServiceClusterIPsRelatedFields), alloc.go of its Service registry. */
function checkFamilies({ spec }: Service, { error, has }: CheckContext): void {
  const { ipFamilies = [], ipFamilyPolicy, clusterIPs = [], clusterIP, type } = spec;
  if (type === 'ExternalName') {
    for (const field of ['ipFamilies', 'ipFamilyPolicy', 'clusterIPs'] as const)
      if (has(['spec', field]) && spec[field] !== undefined)
        error('ForbiddenField', ['spec', field], 'may not be set when type is ExternalName', 'remove it');
    return;
  }
  if (ipFamilyPolicy === 'SingleStack')
    for (const [field, list] of [
      ['clusterIPs', clusterIPs],
      ['ipFamilies', ipFamilies],
    ] as const)
      if (list.length > 1)
        error(
          'InvalidValue',
          ['spec', 'ipFamilyPolicy'],
          `must be RequireDualStack or PreferDualStack when multiple '${field}' are specified`,
        );
  if (new Set(ipFamilies).size < ipFamilies.length)
    error('InvalidValue', ['spec', 'ipFamilies'], 'may not have the same family twice');
  const addresses = clusterIPs.length > 0 ? clusterIPs : clusterIP === undefined ? [] : [clusterIP];
  if (addresses.length > 1 && addresses.includes('None'))
    error('InvalidValue', ['spec', 'clusterIPs'], 'must have None as its only entry, or not at all');
  else if (addresses.length > 1 && new Set(addresses.map(familyOf)).size < 2)
    error('InvalidValue', ['spec', 'clusterIPs'], 'must have one address of each family');
  for (const [i, address] of addresses.entries())
    if (address !== 'None' && ipFamilies[i] !== undefined && familyOf(address) !== ipFamilies[i])
      error(
        'InvalidValue',
        ['spec', i === 0 ? 'clusterIP' : 'clusterIPs'],
        `must be an address of ${ipFamilies[i]}, as spec.ipFamilies[${i}] says, found ${address}`,
      );
}

/** Source: Kubernetes pkg/apis/core/validation (ValidateService, validateServiceExternalTrafficPolicy). */
function checkTraffic({ spec }: Service, { error, has }: CheckContext): void {
  const { type, externalTrafficPolicy, healthCheckNodePort } = spec;
  if (externalTrafficPolicy !== undefined && !isExternallyAccessible(spec))
    error(
      'ForbiddenField',
      ['spec', 'externalTrafficPolicy'],
      `may not be set when type is ${type}${type === 'ClusterIP' ? ' and there are no externalIPs' : ''}`,
      'remove it',
    );
  if (healthCheckNodePort !== undefined && !needsHealthCheck(spec))
    error(
      'ForbiddenField',
      ['spec', 'healthCheckNodePort'],
      'may only be set when type is LoadBalancer and externalTrafficPolicy is Local',
      'remove it',
    );
  if (type === 'LoadBalancer') return;
  for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass', 'loadBalancerSourceRanges'] as const)
    if (has(['spec', field]) && spec[field] !== undefined && !isEmptyList(spec[field]))
      error(
        'ForbiddenField',
        ['spec', field],
        `may not be set when type is ${type}`,
        'write type: LoadBalancer, or remove it',
      );
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Source: Kubernetes pkg/apis/core/validation (ValidateService, ServiceTypeExternalName). */
function checkAlias({ spec }: Service, { error, has }: CheckContext): void {
  const name = spec.externalName?.replace(/\.$/, '');
  const at = has(['spec', 'externalName']) ? ['spec', 'externalName'] : ['spec', 'type'];
  if (name === undefined || name === '')
    error(
      'MissingField',
      at,
      'needs spec.externalName, the name it is an alias of',
      'add externalName: db.example.com',
    );
  else if (!DnsSubdomain.safeParse(name).success)
    error('InvalidValue', at, `must be a DNS name in lower case such as db.example.com, found ${spec.externalName}`);
  if (spec.clusterIP !== undefined)
    error('ForbiddenField', ['spec', 'clusterIP'], 'may not be set when type is ExternalName', 'remove it');
}
