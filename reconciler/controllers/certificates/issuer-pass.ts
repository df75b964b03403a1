/** Issuers: whether they can issue. An ACME account is registered, and its key made where it has none. */
import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import {
  FOR_CERT_MANAGER,
  objectKey,
  readKey,
  type AcmeIssuer,
  type IssuerStatus,
  type Secret,
  type StoredIssuer,
} from '../../../contracts/objects/index.ts';
import { AcmeRefusal } from '../../core/certificates/acme-errors.ts';
import { isReady, issuerStatus, statusStep } from '../../core/certificates/conditions.ts';
import { readPair } from '../../core/certificates/judge.ts';
import { keptName, keptText, secretFrom } from '../../core/certificates/kept.ts';
import { keyText, privateKeyOf } from '../../core/certificates/private-keys.ts';
import type { AcmePlace, Registration } from '../../ports/acme-server.ts';
import { resourceNamespace, type IssuingDeps } from './deps.ts';
import { ACCOUNT_KEY, makeKey } from './make-key.ts';

type Ready = readonly [status: 'True' | 'False', reason: string, message: string];
interface Judged {
  readonly ready: Ready;
  readonly acme?: IssuerStatus['acme'];
}
const NOT_REGISTERED = 'ErrRegisterACMEAccount';
/** After it refused an account. */
const LOOK_AGAIN_MS = 3_600_000;

/** Answers after how many milliseconds it is to be looked at again. */
export async function issuerPass(
  issuer: StoredIssuer,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { acme, ca } = issuer.spec;
  const judged = acme
    ? await accountOf(issuer, acme, deps, signal)
    : ca
      ? caOf(issuer, ca.secretName, deps)
      : { ready: ['True', 'IsReady', ''] as const };
  await tell(issuer, judged, deps, signal);
  return judged.ready[1] === NOT_REGISTERED ? LOOK_AGAIN_MS : undefined;
}

/** Of an issuer whose account is not there any more: it is registered anew. */
export async function forgetAccount(issuer: StoredIssuer, deps: IssuingDeps, signal: AbortSignal): Promise<void> {
  await tell(issuer, { ready: ['False', NOT_REGISTERED, 'The ACME server does not know the account'] }, deps, signal);
}

async function tell(
  issuer: StoredIssuer,
  { ready, acme }: Judged,
  { submit, clock }: IssuingDeps,
  signal: AbortSignal,
): Promise<void> {
  const after = { ...issuer, status: issuerStatus(issuer, ready, acme, clock.now().toISOString()) };
  const steps = statusStep(issuer, after);
  if (steps.length > 0) await submit(steps, signal);
}

function caOf(issuer: StoredIssuer, secretName: string, { view }: IssuingDeps): Judged {
  const secret = view.get(objectKey('Secret', resourceNamespace(issuer, view), secretName));
  if (!secret)
    return {
      ready: ['False', 'ErrGetKeyPair', `Error getting keypair for CA issuer: secret "${secretName}" not found`],
    };
  const pair = readPair(secret);
  if (typeof pair === 'string')
    return { ready: ['False', 'ErrInvalidKeyPair', `Error getting keypair for CA issuer: ${pair}`] };
  return pair.certificate.ca
    ? { ready: ['True', 'KeyPairVerified', 'Signing CA verified'] }
    : { ready: ['False', 'ErrInvalidKeyPair', 'Error getting keypair for CA issuer: certificate is not a CA'] };
}

async function accountOf(
  issuer: StoredIssuer,
  acme: AcmeIssuer,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<Judged> {
  const key = accountKey(issuer, acme, deps) ?? (await madeKey(issuer, acme, deps, signal));
  if (typeof key === 'string') return { ready: ['False', 'ErrVerifyACMEAccount', key] };
  const lastPrivateKeyHash = createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('base64');
  const before = issuer.status?.acme;
  const isKnown =
    before?.lastPrivateKeyHash === lastPrivateKeyHash && before.lastRegisteredEmail === (acme.email ?? '');
  const words: Ready = ['True', 'ACMEAccountRegistered', 'The ACME account was registered with the ACME server'];
  if (isKnown && isReady(issuer)) return { ready: words, acme: before };
  const external = externalOf(issuer, acme, deps);
  if (typeof external === 'string') return { ready: ['False', NOT_REGISTERED, external] };
  const registration: Registration = { ...placeOf(acme), key, email: acme.email, external };
  try {
    const uri = await deps.acme.register(registration, signal);
    return { ready: words, acme: { uri, lastRegisteredEmail: acme.email ?? '', lastPrivateKeyHash } };
  } catch (error) {
    if (!(error instanceof AcmeRefusal)) throw error;
    return { ready: ['False', NOT_REGISTERED, `Failed to register ACME account: ${error.message}`] };
  }
}

export function placeOf({ server, caBundle }: AcmeIssuer): AcmePlace {
  return { server, ...(caBundle !== undefined && { ca: Buffer.from(caBundle, 'base64').toString('utf8') }) };
}

/** The key of its Secret; undefined where there is none. */
export function knownAccountKey(
  issuer: StoredIssuer,
  { privateKeySecretRef: { name, key = 'tls.key' } }: AcmeIssuer,
  { view }: Pick<IssuingDeps, 'view'>,
): KeyObject | undefined {
  const secret = view.get(objectKey('Secret', resourceNamespace(issuer, view), name));
  return privateKeyOf(readKey(secret?.data, key));
}

/** A word where the Secret has something else in it. */
function accountKey(issuer: StoredIssuer, acme: AcmeIssuer, deps: IssuingDeps): KeyObject | string | undefined {
  const { name, key = 'tls.key' } = acme.privateKeySecretRef;
  const secret = deps.view.get(objectKey('Secret', resourceNamespace(issuer, deps.view), name));
  if (!secret) return undefined;
  return knownAccountKey(issuer, acme, deps) ?? `Secret ${name} has no private key in ${key}`;
}

/** That of the vault, or a new one. */
async function madeKey(
  issuer: StoredIssuer,
  acme: AcmeIssuer,
  { view, vault, submit }: IssuingDeps,
  signal: AbortSignal,
): Promise<KeyObject | string> {
  const { name, key = 'tls.key' } = acme.privateKeySecretRef;
  const namespace = resourceNamespace(issuer, view);
  const text = await vault.read(keptName(namespace, name), signal);
  const before = text === undefined ? undefined : secretFrom(text, namespace, name);
  const known = privateKeyOf(readKey(before?.data, key));
  if (before && known) {
    await submit([{ do: 'create', object: before }], signal);
    return known;
  }
  if (acme.disableAccountKeyGeneration)
    return `Secret ${namespace}/${name} is not there, and disableAccountKeyGeneration is set`;
  const made = await makeKey(ACCOUNT_KEY);
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: { [FOR_CERT_MANAGER]: 'true' } },
    type: 'Opaque',
    data: { [key]: Buffer.from(keyText(made, { encoding: 'PKCS8' })).toString('base64') },
  };
  await vault.write(keptName(namespace, name), keptText(secret), signal);
  await submit([{ do: 'create', object: secret }], signal);
  return made;
}

function externalOf(
  issuer: StoredIssuer,
  { externalAccountBinding: binding }: AcmeIssuer,
  { view }: IssuingDeps,
): Registration['external'] | string {
  if (!binding) return undefined;
  const { name, key = 'key' } = binding.keySecretRef;
  const value = readKey(view.get(objectKey('Secret', resourceNamespace(issuer, view), name))?.data, key);
  if (value === undefined) return `Secret ${name} of externalAccountBinding has no ${key}`;
  // The Secret has the key in base64url.
  return { keyId: binding.keyID, mac: Buffer.from(Buffer.from(value, 'base64').toString('utf8').trim(), 'base64url') };
}

/** The certificate and key that a CA issuer signs with. */
export function signingPair(
  issuer: StoredIssuer,
  secretName: string,
  { view }: Pick<IssuingDeps, 'view'>,
): { readonly certificate: X509Certificate; readonly key: KeyObject; readonly text: string } | undefined {
  const secret = view.get(objectKey('Secret', resourceNamespace(issuer, view), secretName));
  const pair = secret && readPair(secret);
  if (!pair || typeof pair === 'string' || !pair.certificate.ca) return undefined;
  return { ...pair, text: Buffer.from(secret.data['tls.crt'] ?? '', 'base64').toString('utf8') };
}
