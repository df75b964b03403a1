/** What issuing works with. */
import {
  DEFAULT_NAMESPACE,
  objectKey,
  type IssuerRef,
  type StoredCertificate,
  type StoredIssuer,
} from '../../../contracts/objects/index.ts';
import type { IssuedText } from '../../core/certificates/secrets.ts';
import type { AnyStep } from '../../core/step.ts';
import type { AcmeServers } from '../../ports/acme-server.ts';
import type { CertificateVault } from '../../ports/certificate-vault.ts';
import type { ChallengeRecords } from '../../ports/challenge-records.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { StoreView } from '../runtime/controller.ts';

export interface IssuingDeps {
  readonly view: StoreView;
  /** Throws where a step was not done. What was written shows in the view when it resolves. */
  readonly submit: (steps: readonly AnyStep[], signal: AbortSignal) => Promise<void>;
  readonly vault: CertificateVault;
  readonly acme: AcmeServers;
  readonly records: ChallengeRecords;
  readonly clock: Clock;
  readonly log: Log;
}

/** What came of an attempt: the certificate, that there is none, or that it goes on. */
export type Attempt =
  | { readonly is: 'issued'; readonly text: IssuedText }
  | { readonly is: 'failed'; readonly message: string }
  | { readonly is: 'waiting'; readonly afterMs: number | undefined; readonly message: string };

/** Where Secrets of ClusterIssuers are, as cert-manager's are; where there is no such namespace, in `default`. */
export function resourceNamespace(issuer: StoredIssuer, view: Pick<StoreView, 'get'>): string {
  return secretsOf(issuer, issuer.metadata.namespace, view);
}

/** `namespace`: of what names the issuer; of an Issuer it is the same. */
export function secretsOf(
  { kind }: Pick<IssuerRef, 'kind'>,
  namespace: string | undefined,
  view: Pick<StoreView, 'get'>,
): string {
  if (kind === 'Issuer') return namespace ?? DEFAULT_NAMESPACE;
  return view.get(objectKey('Namespace', undefined, CLUSTER_RESOURCES)) ? CLUSTER_RESOURCES : DEFAULT_NAMESPACE;
}
const CLUSTER_RESOURCES = 'cert-manager';

export function issuerOf(
  { metadata, spec }: StoredCertificate,
  view: Pick<StoreView, 'get'>,
): StoredIssuer | undefined {
  const { kind, name }: IssuerRef = spec.issuerRef;
  return kind === 'ClusterIssuer'
    ? view.get(objectKey('ClusterIssuer', undefined, name))
    : view.get(objectKey('Issuer', metadata.namespace, name));
}
