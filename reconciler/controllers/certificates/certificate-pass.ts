/**
 * One look at one Certificate: what its Secret has is judged, taken from the vault, or issued. May end anywhere and be
 * begun anew: what was begun with an ACME server is in Orders and Challenges.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import {
  goDurationMs,
  objectKey,
  type Secret,
  type StoredCertificate,
  type StoredSecret,
} from '../../../contracts/objects/index.ts';
import { pauseAfter } from '../../core/certificates/attempts.ts';
import {
  failedStatus,
  hasFailed,
  isReady,
  issuedStatus,
  issuingStatus,
  refusedStatus,
  statusStep,
} from '../../core/certificates/conditions.ts';
import { contentOf, DEFAULT_DURATION, judge, type Unfit } from '../../core/certificates/judge.ts';
import { keptName, keptText, secretFrom } from '../../core/certificates/kept.ts';
import { keyMismatches, keyText, privateKeyOf, wantedKey } from '../../core/certificates/private-keys.ts';
import { issuedSecret, withTemplate } from '../../core/certificates/secrets.ts';
import { makeCertificate, pem } from '../../core/certificates/x509.ts';
import { SOURCE_ANNOTATION } from '../../core/diff/types.ts';
import type { Step } from '../../core/step.ts';
import { canonicalJson } from '../../core/storage/canonical-json.ts';
import { acmePass, leftOfAttempts } from './acme-pass.ts';
import { issuerOf, type Attempt, type IssuingDeps } from './deps.ts';
import { signingPair } from './issuer-pass.ts';
import { makeKey } from './make-key.ts';

const MOST_TOLD = 500;
/** These come again as often as certificates last. */
const RENEWALS: ReadonlySet<string> = new Set(['Renewing', 'Expired']);

/** Answers after how many milliseconds it is to be looked at again. */
export async function certificatePass(
  certificate: StoredCertificate,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { view, clock } = deps;
  const { metadata, spec } = certificate;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const secret = view.get(objectKey('Secret', metadata.namespace, spec.secretName));
  const refusal = refusalOf(certificate, secret, deps);
  if (refusal !== undefined) {
    const status = refusedStatus(certificate, 'IncorrectCertificate', refusal, clock.now().toISOString());
    await submit(deps, statusStep(certificate, { ...certificate, status }), signal);
    return undefined;
  }
  const verdict = judge(certificate, secret, clock.now());
  if (verdict.is === 'issued') {
    const now = clock.now();
    const status = issuedStatus(certificate, verdict, now.toISOString());
    const steps = [
      ...templateSteps(certificate, secret),
      ...leftOfAttempts(certificate, view),
      ...statusStep(certificate, { ...certificate, status: { ...status, revision: status.revision ?? 1 } }),
    ];
    await submit(deps, steps, signal);
    return Math.max(0, verdict.renewAt.getTime() - now.getTime());
  }
  if (await restored(certificate, secret, deps, signal)) return 0;
  return issue(certificate, secret, verdict, deps, signal);
}

function refusalOf(
  { metadata, spec }: StoredCertificate,
  secret: StoredSecret | undefined,
  { view }: IssuingDeps,
): string | undefined {
  if (secret?.metadata.annotations?.[SOURCE_ANNOTATION] !== undefined)
    return `Secret ${spec.secretName} is written in Git: choose another secretName`;
  const others = view
    .list('Certificate', metadata.namespace)
    .filter((one) => one.spec.secretName === spec.secretName && one.metadata.uid !== metadata.uid);
  const first = others.find(
    (one) =>
      one.metadata.creationTimestamp < metadata.creationTimestamp ||
      (one.metadata.creationTimestamp === metadata.creationTimestamp && one.metadata.name < metadata.name),
  );
  return first && `Certificate ${first.metadata.name} has the same secretName`;
}

function templateSteps(certificate: StoredCertificate, secret: StoredSecret | undefined): readonly Step[] {
  if (!secret) return [];
  const wanted = withTemplate(certificate, secret);
  return canonicalJson(wanted) === canonicalJson(secret) ? [] : [{ do: 'update', object: wanted }];
}

/** From the vault, where the one that is there is better than that of the store. */
async function restored(
  certificate: StoredCertificate,
  secret: StoredSecret | undefined,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { metadata, spec } = certificate;
  const namespace = metadata.namespace ?? '';
  const text = await deps.vault.read(keptName(namespace, spec.secretName), signal);
  const kept = text === undefined ? undefined : secretFrom(text, namespace, spec.secretName);
  if (!kept || (secret && keptText(secret) === keptText(kept))) return false;
  const verdict = judge(certificate, kept, deps.clock.now());
  if (verdict.is === 'unfit' && (secret !== undefined || !verdict.isUsable)) return false;
  await submit(
    deps,
    [
      secretStep(kept, secret),
      {
        do: 'event',
        regarding: certificate,
        type: 'Normal',
        reason: 'Reused',
        message: 'Reusing the certificate that was issued before',
      },
    ],
    signal,
  );
  return true;
}

async function issue(
  certificate: StoredCertificate,
  secret: StoredSecret | undefined,
  verdict: Unfit,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { clock } = deps;
  const { status } = certificate;
  if (hasFailed(certificate) && status?.lastFailureTime !== undefined) {
    const next = Date.parse(status.lastFailureTime) + pauseAfter(status.failedIssuanceAttempts ?? 1);
    const left = next - clock.now().getTime();
    if (left > 0 && left <= pauseAfter(status.failedIssuanceAttempts ?? 1)) return left;
  }
  const attempt = await attempted(certificate, secret, verdict, deps, signal);
  const current = deps.view.get(objectKey('Certificate', certificate.metadata.namespace, certificate.metadata.name));
  // It was changed meanwhile: what was issued was for another spec.
  if (current?.metadata.generation !== certificate.metadata.generation) return 0;
  const now = clock.now().toISOString();
  switch (attempt.is) {
    case 'waiting': {
      const after = { ...current, status: issuingStatus(current, verdict, attempt.message, now) };
      const isNew = !status?.conditions?.some((one) => one.type === 'Issuing' && one.status === 'True');
      const steps = statusStep(current, after);
      await submit(deps, [...steps, ...(isNew ? [told(current, 'Normal', 'Issuing', verdict.message)] : [])], signal);
      return attempt.afterMs;
    }
    case 'failed': {
      const failed = { ...current, status: failedStatus(current, attempt.message, now) };
      await submit(
        deps,
        [
          ...leftOfAttempts(current, deps.view),
          { do: 'updateStatus', object: failed },
          told(
            current,
            'Warning',
            'Failed',
            `The certificate request has failed to complete and will be retried: ${attempt.message}`,
          ),
        ],
        signal,
      );
      return pauseAfter(failed.status.failedIssuanceAttempts ?? 1);
    }
    case 'issued': {
      const made = issuedSecret(current, attempt.text, secret);
      const wrong = judge(current, made, clock.now());
      if (wrong.is === 'unfit' && wrong.reason !== 'Renewing') {
        const failed = {
          ...current,
          status: failedStatus(current, `what was issued is not usable: ${wrong.reason}`, now),
        };
        await submit(deps, [...leftOfAttempts(current, deps.view), { do: 'updateStatus', object: failed }], signal);
        return pauseAfter(failed.status.failedIssuanceAttempts ?? 1);
      }
      // Before the store has it: what was issued is never asked for again.
      await deps.vault.write(keptName(current.metadata.namespace ?? '', made.metadata.name), keptText(made), signal);
      const revision = (current.status?.revision ?? 0) + 1;
      const { renewalTime: _old, ...rest } = current.status ?? {};
      await submit(
        deps,
        [
          secretStep(made, secret),
          ...leftOfAttempts(current, deps.view),
          { do: 'updateStatus', object: { ...current, status: { ...rest, revision } } },
          told(current, 'Normal', 'Issuing', 'The certificate has been successfully issued'),
        ],
        signal,
      );
      return 0;
    }
  }
}

async function attempted(
  certificate: StoredCertificate,
  secret: StoredSecret | undefined,
  verdict: Unfit,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<Attempt> {
  const issuer = issuerOf(certificate, deps.view);
  const { kind, name } = certificate.spec.issuerRef;
  const wait = (message: string): Attempt => ({ is: 'waiting', afterMs: undefined, message });
  if (!issuer) return wait(`Referenced "${kind}" not found: "${name}"`);
  if (!isReady(issuer)) return wait('Referenced issuer does not have a Ready status condition');
  const reused = reusedKey(certificate, secret);
  if (typeof reused === 'string') return { is: 'failed', message: reused };
  const { acme, ca } = issuer.spec;
  if (acme)
    return acmePass(certificate, issuer, acme, { reused, isRenewal: RENEWALS.has(verdict.reason) }, deps, signal);
  const signing = ca && signingPair(issuer, ca.secretName, deps);
  if (ca && !signing) return wait('Referenced issuer has no key to sign with');
  const key = reused ?? (await makeKey(wantedKey(certificate.spec.privateKey)));
  const notBefore = new Date(Math.floor(deps.clock.now().getTime() / 1000) * 1000);
  const life = goDurationMs(certificate.spec.duration ?? DEFAULT_DURATION);
  const chain = pem(
    'CERTIFICATE',
    makeCertificate(contentOf(certificate.spec), key, {
      serial: randomBytes(16),
      notBefore,
      notAfter: new Date(notBefore.getTime() + life),
      ...(signing && { ca: signing }),
    }),
  );
  return { is: 'issued', text: { chain, key: keyText(key, certificate.spec.privateKey), ca: signing?.text ?? chain } };
}

/** With `rotationPolicy: Never` the key that is there; a word where it cannot be that. */
function reusedKey(
  { spec: { privateKey } }: StoredCertificate,
  secret: Secret | undefined,
): KeyObject | string | undefined {
  const key = privateKey.rotationPolicy === 'Never' ? privateKeyOf(secret?.data['tls.key']) : undefined;
  if (!key) return undefined;
  const wrong = keyMismatches(key, privateKey);
  return wrong.length === 0
    ? key
    : `the private key in the Secret does not match the Certificate, and rotationPolicy is Never: [${wrong.join(' ')}]`;
}

function secretStep(made: Secret, before: StoredSecret | undefined): Step {
  if (!before) return { do: 'create', object: made };
  const { data, metadata } = made;
  return {
    do: 'update',
    object: {
      ...before,
      data: { ...before.data, ...data },
      metadata: {
        ...before.metadata,
        labels: { ...before.metadata.labels, ...metadata.labels },
        annotations: { ...before.metadata.annotations, ...metadata.annotations },
      },
    },
  };
}

function told(regarding: StoredCertificate, type: 'Normal' | 'Warning', reason: string, message: string): Step {
  return { do: 'event', regarding, type, reason, message: message.slice(0, MOST_TOLD) };
}

async function submit(deps: IssuingDeps, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  if (steps.length > 0) await deps.submit(steps, signal);
}
