/** What is told of Certificates and issuers. Words are cert-manager's. Source: pkg/apis/certmanager/v1, issuing_controller.go. */
import {
  findCondition,
  withCondition,
  type CertificateStatus,
  type Condition,
  type IssuerStatus,
  type StoredCertificate,
  type StoredIssuer,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import type { Issued, Unfit } from './judge.ts';

/** Longest message of a condition. Source: meta/v1 Condition. */
const LONGEST_MESSAGE = 1024;

/** A condition of one generation. */
export function word(type: string, status: Condition['status'], reason: string, message: string, generation: number) {
  const cut = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE - 3)}...` : message;
  return { type, status, reason, message: cut, observedGeneration: generation };
}

/** The certificate is there and good. */
export function issuedStatus(
  { metadata, status = {} }: StoredCertificate,
  { notBefore, notAfter, renewAt }: Issued,
  now: string,
): CertificateStatus {
  const { lastFailureTime: _time, failedIssuanceAttempts: _count, nextPrivateKeySecretName: _key, ...kept } = status;
  const ready = word('Ready', 'True', 'Ready', 'Certificate is up to date and has not expired', metadata.generation);
  return {
    ...kept,
    conditions: withCondition(
      (status.conditions ?? []).filter(({ type }) => type !== 'Issuing'),
      ready,
      now,
    ),
    notBefore: rfc3339(notBefore),
    notAfter: rfc3339(notAfter),
    renewalTime: rfc3339(renewAt),
  };
}

/** It is being issued; `waits`: for what, where that is not the issuer's answer. */
export function issuingStatus(
  { metadata, status = {} }: StoredCertificate,
  { reason, message, isUsable }: Unfit,
  waits: string | undefined,
  now: string,
): CertificateStatus {
  const { generation } = metadata;
  const told = waits === undefined ? message : `${message}: ${waits}`;
  // A certificate that is to be renewed is a good one until then.
  const isGood = isUsable && reason === 'Renewing';
  const ready = isGood
    ? word('Ready', 'True', 'Ready', 'Certificate is up to date and has not expired', generation)
    : word('Ready', 'False', reason, message, generation);
  const conditions = withCondition(status.conditions, ready, now);
  return { ...status, conditions: withCondition(conditions, word('Issuing', 'True', reason, told, generation), now) };
}

/** An attempt came to nothing. */
export function failedStatus(
  { metadata, status = {} }: StoredCertificate,
  message: string,
  now: string,
): CertificateStatus {
  const text = `The certificate request has failed to complete and will be retried: ${message}`;
  const { nextPrivateKeySecretName: _key, ...kept } = status;
  return {
    ...kept,
    conditions: withCondition(status.conditions, word('Issuing', 'False', 'Failed', text, metadata.generation), now),
    lastFailureTime: now,
    failedIssuanceAttempts: (status.failedIssuanceAttempts ?? 0) + 1,
  };
}

/** It cannot be issued as it is. */
export function refusedStatus(
  { metadata, status = {} }: StoredCertificate,
  reason: string,
  message: string,
  now: string,
): CertificateStatus {
  const ready = word('Ready', 'False', reason, message, metadata.generation);
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'Issuing');
  return { ...status, conditions: withCondition(others, ready, now) };
}

/** The attempt that failed was for the same spec: the next one waits. */
export function hasFailed({ metadata, status }: StoredCertificate): boolean {
  const issuing = findCondition(status?.conditions, 'Issuing');
  return issuing?.status === 'False' && issuing.observedGeneration === metadata.generation;
}

export function issuerStatus(
  { metadata, status = {} }: StoredIssuer,
  ready: readonly [status: 'True' | 'False', reason: string, message: string],
  acme: IssuerStatus['acme'],
  now: string,
): IssuerStatus {
  const condition = word('Ready', ready[0], ready[1], ready[2], metadata.generation);
  return { ...(acme && { acme }), conditions: withCondition(status.conditions, condition, now) };
}

export function isReady({ metadata, status }: StoredIssuer): boolean {
  const ready = findCondition(status?.conditions, 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}

/** None where nothing of it changes. */
export function statusStep<T extends Extract<Step, { readonly do: 'updateStatus' }>['object']>(
  before: T,
  after: T,
): readonly Step[] {
  return canonicalJson(before) === canonicalJson(after) ? [] : [{ do: 'updateStatus', object: after }];
}

/** To a second. */
export function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
