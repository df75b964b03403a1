/**
 * Which Services are spoken to in TLS with a certificate that is verified, and against what. Source: Gateway API, apis/v1:
 * BackendTLSPolicySpec (precedence, and what becomes of references that lead nowhere).
 */
import type { ProxyBackend, ServicePort, StoredBackendTLSPolicy } from '../../../contracts/objects/index.ts';
import type { Problem } from './listeners.ts';
import { byAge, type GatewayWorld } from './world.ts';

export interface JudgedPolicy {
  readonly policy: StoredBackendTLSPolicy;
  /** Why it is in force nowhere. */
  readonly refused: Problem | undefined;
  readonly unresolved: Problem | undefined;
  /** Undefined where nothing can be verified: then nothing is asked of the Service either. */
  readonly verify: ProxyBackend['verify'];
}

/** What authorities of all policies may have, in characters: they are in the configuration of each gateway node. */
const LONGEST_TOGETHER = 4 * 2 ** 20;

const TOO_MUCH: Problem = { reason: 'Invalid', message: 'authorities of all policies together have more than 4 MiB' };

type PolicyWorld = Pick<GatewayWorld, 'backendTlsPolicies' | 'caCertificates'>;

/** Looks policies up by Service and port. */
export class BackendTls {
  readonly judged: readonly JudgedPolicy[];
  readonly #byTarget = new Map<string, JudgedPolicy>();

  constructor(world: PolicyWorld) {
    const taken = new Set<string>();
    let left = LONGEST_TOGETHER;
    this.judged = world.backendTlsPolicies.toSorted(byAge).map((policy) => {
      const keys = targetsOf(policy);
      const twice = keys.find((key) => taken.has(key));
      const found = judge(policy, twice, world);
      left -= found.verify?.caCertificates.length ?? 0;
      const one = left < 0 && found.verify ? { ...found, verify: undefined, refused: TOO_MUCH } : found;
      if (twice === undefined)
        for (const key of keys) {
          taken.add(key);
          this.#byTarget.set(key, one);
        }
      return one;
    });
  }

  /** That of the port by its name, else that of the whole Service. */
  of(namespace: string, service: string, { name }: Pick<ServicePort, 'name'>): JudgedPolicy | undefined {
    return (
      (name === undefined ? undefined : this.#byTarget.get(`${namespace}/${service}/${name}`)) ??
      this.#byTarget.get(`${namespace}/${service}/`)
    );
  }
}

/** `namespace/service/port`, the port '' for all. */
function targetsOf({ metadata, spec }: StoredBackendTLSPolicy): readonly string[] {
  return spec.targetRefs.flatMap(({ group, kind, name, sectionName = '' }) =>
    group === '' && kind === 'Service' ? [`${metadata.namespace ?? ''}/${name}/${sectionName}`] : [],
  );
}

function judge(policy: StoredBackendTLSPolicy, twice: string | undefined, world: PolicyWorld): JudgedPolicy {
  const { targetRefs, validation } = policy.spec;
  const none = { policy, verify: undefined, unresolved: undefined };
  if (twice !== undefined)
    return { ...none, refused: { reason: 'Conflicted', message: `an older policy is for Service ${twice}` } };
  const strange = targetRefs.find(({ group, kind }) => group !== '' || kind !== 'Service');
  if (strange)
    return {
      ...none,
      refused: { reason: 'Invalid', message: `${strange.kind} is no kind that it can be for: Service is` },
    };
  const { hostname, caCertificateRefs } = validation;
  if (caCertificateRefs.length === 0)
    return { policy, refused: undefined, unresolved: undefined, verify: { hostname, caCertificates: '' } };
  let unresolved: Problem | undefined;
  const bundles = caCertificateRefs.flatMap(({ group, kind, name }) => {
    const found = bundleOf(policy.metadata.namespace ?? '', group, kind, name, world);
    if ('pem' in found) return [found.pem];
    unresolved ??= found;
    return [];
  });
  if (bundles.length === 0)
    return {
      policy,
      unresolved,
      verify: undefined,
      refused: { reason: 'NoValidCACertificate', message: unresolved?.message ?? '' },
    };
  return { policy, refused: undefined, unresolved, verify: { hostname, caCertificates: bundles.join('') } };
}

function bundleOf(
  namespace: string,
  group: string,
  kind: string,
  name: string,
  world: PolicyWorld,
): { readonly pem: string } | Problem {
  if (group !== '' || kind !== 'ConfigMap')
    return {
      reason: 'InvalidKind',
      message: `${kind} is no kind that certificates of authorities are of: ConfigMap is`,
    };
  const found = world.caCertificates(namespace, name);
  return 'pem' in found
    ? found
    : { reason: 'InvalidCACertificateRef', message: `ConfigMap ${namespace}/${name} ${found.problem}` };
}
