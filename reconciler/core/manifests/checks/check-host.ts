/**
 * What a pod wants of its names, its resolver and its host's namespaces. Source: Kubernetes
 * pkg/apis/core/validation/validation.go (validatePodDNSConfig, validateSysctls, validatePodHostNetworkDeps,
 * validateHostUsers and validateHostnameOverride).
 */
import { SAFE_SYSCTLS, dottedSysctl, sysctlObjection } from '../../../../contracts/objects/sysctls.ts';
import type { PodSpec } from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

const MOST_SERVERS = 3;
const MOST_SEARCHES = 32;
const MOST_SEARCH_CHARS = 2048;
/** RFC 1123, and underscores (KEP-4427). */
const SEARCH = /^(?=.{1,253}$)[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/;

export function checkHost(spec: PodSpec, path: FieldPath, context: CheckContext): void {
  const { error } = context;
  checkDns(spec, path, context);
  checkSysctls(spec, path, context);
  if (spec.shareProcessNamespace && spec.hostPID)
    error(
      'InvalidValue',
      [...path, 'shareProcessNamespace'],
      'may not be true when hostPID is',
      'remove one of the two',
    );
  if (spec.hostUsers === false)
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
      if (spec[field])
        error('ForbiddenField', [...path, field], 'may not be true when hostUsers is false', 'remove one of the two');
  if (spec.hostnameOverride === undefined) return;
  for (const field of ['hostNetwork', 'setHostnameAsFQDN'] as const) {
    if (spec[field])
      error(
        'ForbiddenField',
        [...path, 'hostnameOverride'],
        `may not be set when ${field} is true`,
        'remove one of the two',
      );
  }
}

function checkDns({ dnsPolicy, dnsConfig }: PodSpec, path: FieldPath, { error }: CheckContext): void {
  const at = [...path, 'dnsConfig'];
  const { nameservers = [], searches = [] } = dnsConfig ?? {};
  if (dnsPolicy === 'None' && nameservers.length === 0)
    error(
      'MissingField',
      dnsConfig ? [...at, 'nameservers'] : at,
      'with a nameserver is required when dnsPolicy is None',
    );
  if (nameservers.length > MOST_SERVERS)
    error('InvalidValue', [...at, 'nameservers'], `must have at most ${MOST_SERVERS} entries: resolvers ask no more`);
  if (searches.length > MOST_SEARCHES)
    error('InvalidValue', [...at, 'searches'], `must have at most ${MOST_SEARCHES} entries`);
  else if (searches.join(' ').length > MOST_SEARCH_CHARS)
    error('InvalidValue', [...at, 'searches'], `must have at most ${MOST_SEARCH_CHARS} characters in all`);
  for (const [i, search] of searches.entries()) {
    if (search !== '.' && !SEARCH.test(search.replace(/\.$/, '')))
      error('InvalidValue', [...at, 'searches', i], `must be a domain in lower case, or ".", found ${search}`);
  }
}

function checkSysctls(spec: PodSpec, path: FieldPath, { error }: CheckContext): void {
  const sysctls = spec.securityContext?.sysctls ?? [];
  const at = (i: number): FieldPath => [...path, 'securityContext', 'sysctls', i, 'name'];
  eachDuplicate(
    sysctls,
    ({ name }) => dottedSysctl(name),
    (_, name, i) => error('DuplicateName', at(i), `${name} is set by another entry`),
  );
  for (const [i, { name }] of sysctls.entries()) {
    const objection = sysctlObjection(name, spec);
    if (objection !== undefined)
      error(
        'InvalidValue',
        at(i),
        `is one that no node lets pods set: ${objection}`,
        `nodes allow ${SAFE_SYSCTLS.join(', ')}`,
      );
  }
}
