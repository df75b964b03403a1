/**
 * One step of an order with an ACME server. What was begun is in the store: the key in a Secret of its own, the order in an
 * Order, what is to be shown in Challenges, which the proxies of gateway nodes answer, or a DNS zone. Source: RFC 8555, 7.4 and 8.
 */
import { createHash, type KeyObject } from 'node:crypto';
import {
  CHALLENGE_FINALIZER,
  FOR_CERT_MANAGER,
  Hostname,
  NEXT_PRIVATE_KEY,
  objectKey,
  type AcmeIssuer,
  type Challenge,
  type Order,
  type Secret,
  type StoredCertificate,
  type StoredChallenge,
  type StoredIssuer,
  type StoredOrder,
} from '../../../contracts/objects/index.ts';
import { AcmeRefusal } from '../../core/certificates/acme-errors.ts';
import { admitOrder, type Ordered } from '../../core/certificates/attempts.ts';
import { recordText } from '../../core/certificates/dns01.ts';
import { contentOf, requestHash, REQUEST_HASH } from '../../core/certificates/judge.ts';
import { keyAuthorization } from '../../core/certificates/jws.ts';
import { keyText, privateKeyOf, wantedKey } from '../../core/certificates/private-keys.ts';
import { solverFor } from '../../core/certificates/solvers.ts';
import { certificateRequest, pem } from '../../core/certificates/x509.ts';
import { notPresented, openChallenges } from '../../core/gateway/challenges.ts';
import type { Step } from '../../core/step.ts';
import { controllerRef } from '../../core/workloads/owners.ts';
import type { AcmeAccount, AcmeOrder } from '../../ports/acme-server.ts';
import type { StoreView } from '../runtime/controller.ts';
import type { Attempt, IssuingDeps } from './deps.ts';
import { dnsWaits } from './dns-challenge.ts';
import { forgetAccount, knownAccountKey, placeOf } from './issuer-pass.ts';
import { makeKey } from './make-key.ts';

/** On an Order: the account that it is of. */
const ACCOUNT = 'plumbline.dev/acme-account';
/** That are shown at one time. Source: cert-manager, --max-concurrent-challenges. */
const MOST_CHALLENGES = 60;
const ACCOUNT_GONE = 'urn:ietf:params:acme:error:accountDoesNotExist';

export interface How {
  /** The key that the new certificate is for, where it is not a new one. */
  readonly reused: KeyObject | undefined;
  readonly isRenewal: boolean;
}

export async function acmePass(
  certificate: StoredCertificate,
  issuer: StoredIssuer,
  acme: AcmeIssuer,
  how: How,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<Attempt> {
  const { spec, metadata } = certificate;
  const key = knownAccountKey(issuer, acme, deps);
  const uri = issuer.status?.acme?.uri;
  if (!key || uri === undefined) return { is: 'waiting', afterMs: undefined, message: 'its issuer has no account' };
  const names = [...new Set([...spec.dnsNames, ...(spec.commonName === undefined ? [] : [spec.commonName])])];
  const unfit = unfitFor(names, certificate, acme);
  if (unfit !== undefined) return { is: 'failed', message: unfit };
  const account: AcmeAccount = { ...placeOf(acme), key, uri };
  const hash = requestHash(spec);
  try {
    const known = deps.view
      .ownedBy('Order', metadata.uid)
      .find(({ metadata: { annotations } }) => annotations?.[REQUEST_HASH] === hash && annotations[ACCOUNT] === uri);
    if (!known) return await begin({ certificate, acme, account, names, hash, how }, deps, signal);
    return await advance(known, certificate, acme, account, deps, signal);
  } catch (error) {
    if (!(error instanceof AcmeRefusal)) throw error;
    if (error.type === ACCOUNT_GONE) {
      await forgetAccount(issuer, deps, signal);
      return { is: 'waiting', afterMs: undefined, message: error.message };
    }
    return { is: 'failed', message: error.message };
  }
}

function unfitFor(
  names: readonly string[],
  { metadata, spec }: StoredCertificate,
  acme: AcmeIssuer,
): string | undefined {
  const { ipAddresses, uris, emailAddresses } = spec;
  if (names.length === 0 || ipAddresses.length + uris.length + emailAddresses.length > 0)
    return 'an ACME issuer issues for dnsNames alone';
  const noName = names.find((name) => !Hostname.safeParse(name).success);
  if (noName !== undefined) return `an ACME issuer issues for DNS names alone, and ${JSON.stringify(noName)} is none`;
  const alone = names.find((name) => !solverFor(name, metadata.labels, acme.solvers));
  if (alone === undefined) return undefined;
  const why = alone.startsWith('*.') ? ': a wildcard needs a solver with dns01' : '';
  return `no configured challenge solvers can be used for this challenge: ${alone}${why}`;
}

interface Begun {
  readonly certificate: StoredCertificate;
  readonly acme: AcmeIssuer;
  readonly account: AcmeAccount;
  readonly names: readonly string[];
  readonly hash: string;
  readonly how: How;
}

async function begin(begun: Begun, deps: IssuingDeps, signal: AbortSignal): Promise<Attempt> {
  const { certificate, acme, account, names, hash, how } = begun;
  const { view, vault, clock } = deps;
  const left = leftOfAttempts(certificate, view);
  if (left.length > 0) await deps.submit(left, signal);
  const ledger = `orders/${account.uri}`;
  const namesHash = createHash('sha256').update(names.toSorted().join('\n')).digest('base64url').slice(0, 22);
  const known = orderedIn(await vault.read(ledger, signal));
  const admitted = admitOrder(known, { names: namesHash, isRenewal: how.isRenewal }, clock.now().getTime());
  if (!admitted.may)
    return {
      is: 'waiting',
      afterMs: Math.max(1000, admitted.retryAt - clock.now().getTime()),
      message: admitted.message,
    };
  const key = how.reused ?? (await makeKey(wantedKey(certificate.spec.privateKey)));
  const request = certificateRequest(contentOf({ ...certificate.spec, dnsNames: [...names] }), key);
  const keySecret = nextKeySecret(certificate, key);
  await deps.submit([{ do: 'create', object: keySecret }], signal);
  // Written down before it is asked for: one that comes to nothing counts too.
  await vault.write(ledger, JSON.stringify(admitted.after), signal);
  const order = await deps.acme.newOrder(account, { dnsNames: names, profile: acme.profile }, signal);
  const object: Order = {
    apiVersion: 'acme.cert-manager.io/v1',
    kind: 'Order',
    metadata: {
      name: `${certificate.metadata.name.slice(0, 200)}-${(certificate.status?.revision ?? 0) + 1}-${short(order.url)}`,
      ...(certificate.metadata.namespace !== undefined && { namespace: certificate.metadata.namespace }),
      annotations: { [REQUEST_HASH]: hash, [ACCOUNT]: account.uri },
      ownerReferences: [controllerRef(certificate)],
    },
    spec: {
      request: Buffer.from(pem('CERTIFICATE REQUEST', request)).toString('base64'),
      issuerRef: certificate.spec.issuerRef,
      ...(certificate.spec.commonName !== undefined && { commonName: certificate.spec.commonName }),
      dnsNames: names,
    },
    status: {
      url: order.url,
      finalizeURL: order.finalize,
      authorizations: order.authorizations.map((url) => ({ url })),
      state: 'pending',
    },
  };
  const status = { ...certificate.status, nextPrivateKeySecretName: keySecret.metadata.name };
  await deps.submit(
    [
      { do: 'create', object },
      { do: 'updateStatus', object: { ...certificate, status } },
    ],
    signal,
  );
  return {
    is: 'waiting',
    afterMs: 0,
    message: `Waiting on certificate issuance from order ${object.metadata.name}: "pending"`,
  };
}

async function advance(
  stored: StoredOrder,
  certificate: StoredCertificate,
  acme: AcmeIssuer,
  account: AcmeAccount,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<Attempt> {
  const { url } = stored.status ?? {};
  const key = privateKeyOf(deps.view.get(nextKeyKey(certificate))?.data['tls.key']);
  // One of the two is gone: nothing can come of the other.
  if (url === undefined || !key) {
    await deps.submit(leftOfAttempts(certificate, deps.view), signal);
    return { is: 'waiting', afterMs: 0, message: 'the order is begun anew' };
  }
  const wait = (message: string): Attempt => ({
    is: 'waiting',
    afterMs: paceOf(stored, deps.clock.now()),
    message: `Waiting on certificate issuance from order ${stored.metadata.name}: ${message}`,
  });
  let order = await deps.acme.order(account, url, signal);
  if (order.status === 'pending') {
    const asked: Asked = { stored, labels: certificate.metadata.labels, acme, account };
    const shown = await showAll(asked, order, deps, signal);
    if (shown !== undefined) return 'failed' in shown ? { is: 'failed', message: shown.failed } : wait(shown.waits);
    order = await deps.acme.order(account, url, signal);
  }
  if (order.status === 'ready') {
    const request = Buffer.from(stored.spec.request, 'base64').toString('utf8');
    const der = Buffer.from(request.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    order = await deps.acme.finalize(account, order, der, signal);
  }
  if (order.status === 'valid' && order.certificate !== undefined) {
    const chain = await deps.acme.certificate(account, order.certificate, acme.preferredChain, signal);
    return { is: 'issued', text: { chain, key: keyText(key, certificate.spec.privateKey) } };
  }
  if (['pending', 'ready', 'processing', 'valid'].includes(order.status)) return wait(`"${order.status}"`);
  const why = order.problem ?? (await invalidName(order, account, deps, signal)) ?? 'no reason is given';
  return { is: 'failed', message: `the order is ${order.status}: ${why}` };
}

/** The first name that the server did not find shown, and why. */
async function invalidName(
  { authorizations }: AcmeOrder,
  account: AcmeAccount,
  { acme }: IssuingDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const url of authorizations) {
    const { dnsName, status, challenges } = await acme.authorization(account, url, signal);
    const problem = challenges.find((one) => one.problem !== undefined)?.problem;
    if (status === 'invalid') return `${dnsName} is invalid: ${problem ?? 'no reason is given'}`;
  }
  return undefined;
}

/** Whose names are to be shown. */
interface Asked {
  readonly stored: StoredOrder;
  /** Of its Certificate. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly acme: AcmeIssuer;
  readonly account: AcmeAccount;
}
type Shown = { readonly failed: string } | { readonly waits: string } | undefined;

/** Undefined once all names are valid. */
async function showAll(asked: Asked, order: AcmeOrder, deps: IssuingDeps, signal: AbortSignal): Promise<Shown> {
  let waits: string | undefined;
  for (const url of order.authorizations) {
    const shown = await show(asked, url, deps, signal);
    if (shown !== undefined && 'failed' in shown) return shown;
    waits ??= shown?.waits;
  }
  return waits === undefined ? undefined : { waits };
}

async function show(asked: Asked, authorizationURL: string, deps: IssuingDeps, signal: AbortSignal): Promise<Shown> {
  const { stored, labels, acme, account } = asked;
  const { view, submit } = deps;
  const { namespace } = stored.metadata;
  const name = `${stored.metadata.name}-${short(authorizationURL)}`;
  const challenge = view.get(objectKey('Challenge', namespace, name));
  if (challenge?.status?.state === 'valid') return undefined;
  if (challenge && challenge.status?.processing !== true) {
    const waits = await presentedWaits(challenge, deps, signal);
    if (waits) {
      const { presented, why: reason } = waits;
      await submit(changed(challenge, { processing: false, presented, state: 'pending', reason }), signal);
      return { waits: `${challenge.spec.dnsName}: ${reason}` };
    }
    await deps.acme.challenge(account, challenge.spec.url, signal);
    await submit(changed(challenge, { processing: true, presented: true, state: 'pending' }), signal);
    return { waits: `${challenge.spec.dnsName} is being looked at` };
  }
  const authorization = await deps.acme.authorization(account, authorizationURL, signal);
  const { dnsName, status, challenges, isWildcard } = authorization;
  if (status === 'valid') {
    if (challenge) await submit(changed(challenge, { processing: false, presented: true, state: 'valid' }), signal);
    return undefined;
  }
  if (status !== 'pending')
    return {
      failed: `${dnsName} is ${status}: ${challenges.find((one) => one.problem)?.problem ?? 'no reason is given'}`,
    };
  if (challenge) return { waits: `${dnsName} is being looked at` };
  const asWritten = isWildcard ? `*.${dnsName}` : dnsName;
  const solver = stored.spec.dnsNames.includes(asWritten) ? solverFor(asWritten, labels, acme.solvers) : undefined;
  const kind = solver?.dns01 ? 'DNS-01' : 'HTTP-01';
  const offered = challenges.find(({ type, token }) => type === kind.toLowerCase() && token !== '');
  if (!offered || !solver) return { failed: `the ACME server offers no ${kind} challenge for ${asWritten}` };
  if (openChallenges(view.list('Challenge')).length >= MOST_CHALLENGES)
    return { waits: `${MOST_CHALLENGES} challenges are shown already` };
  const authorizationKey = keyAuthorization(offered.token, account.key);
  const object: Challenge = {
    apiVersion: 'acme.cert-manager.io/v1',
    kind: 'Challenge',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ownerReferences: [controllerRef(stored)],
      ...(solver.dns01 && { finalizers: [CHALLENGE_FINALIZER] }),
    },
    spec: {
      url: offered.url,
      authorizationURL,
      dnsName,
      wildcard: isWildcard,
      type: kind,
      token: offered.token,
      key: solver.dns01 ? recordText(authorizationKey) : authorizationKey,
      issuerRef: stored.spec.issuerRef,
      ...(solver.dns01 && { solver: { dns01: solver.dns01 } }),
    },
    status: { processing: false, presented: false, state: 'pending' },
  };
  await submit([{ do: 'create', object }], signal);
  return { waits: `${asWritten} is to be shown` };
}

/** Undefined once the server can be told to look. */
async function presentedWaits(
  challenge: StoredChallenge,
  deps: IssuingDeps,
  signal: AbortSignal,
): Promise<{ readonly presented: boolean; readonly why: string } | undefined> {
  if (challenge.spec.type === 'DNS-01') return dnsWaits(challenge, deps, signal);
  const why = notPresented(challenge, deps.view.list('ProxyConfig'), deps.view.list('Node'));
  return why === undefined ? undefined : { presented: false, why };
}

function changed(challenge: StoredChallenge, status: NonNullable<Challenge['status']>): readonly Step[] {
  const { status: before } = challenge;
  const isSame =
    before?.processing === status.processing &&
    before.presented === status.presented &&
    before.state === status.state &&
    before.reason === status.reason;
  return isSame ? [] : [{ do: 'updateStatus', object: { ...challenge, status } }];
}

/** Orders, what they show, and the key that was made for them. */
export function leftOfAttempts(certificate: StoredCertificate, view: StoreView): readonly Step[] {
  const orders = view.ownedBy('Order', certificate.metadata.uid);
  const challenges = orders
    .flatMap((order) => view.ownedBy('Challenge', order.metadata.uid))
    .filter((one) => one.metadata.deletionTimestamp === undefined);
  const key = view.get(nextKeyKey(certificate));
  return [
    ...challenges.map((one): Step => ({
      do: 'delete',
      key: objectKey('Challenge', one.metadata.namespace, one.metadata.name),
      uid: one.metadata.uid,
    })),
    ...orders.map((one): Step => ({
      do: 'delete',
      key: objectKey('Order', one.metadata.namespace, one.metadata.name),
      uid: one.metadata.uid,
    })),
    ...(key?.metadata.labels?.[NEXT_PRIVATE_KEY] === 'true'
      ? [{ do: 'delete', key: nextKeyKey(certificate), uid: key.metadata.uid } as const]
      : []),
  ];
}

function nextKeyKey({ metadata: { namespace, name } }: StoredCertificate) {
  return objectKey('Secret', namespace, `${name.slice(0, 200)}-${short(`${namespace ?? ''}/${name}`)}`);
}

function nextKeySecret(certificate: StoredCertificate, key: KeyObject): Secret {
  const { namespace, name } = certificate.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `${name.slice(0, 200)}-${short(`${namespace ?? ''}/${name}`)}`,
      ...(namespace !== undefined && { namespace }),
      labels: { [NEXT_PRIVATE_KEY]: 'true', [FOR_CERT_MANAGER]: 'true' },
      ownerReferences: [controllerRef(certificate)],
    },
    type: 'Opaque',
    data: { 'tls.key': Buffer.from(keyText(key, { encoding: 'PKCS8' })).toString('base64') },
  };
}

/** Milliseconds until the server is asked again: often at first. */
function paceOf({ metadata }: StoredOrder, now: Date): number {
  const age = now.getTime() - Date.parse(metadata.creationTimestamp);
  return age < 60_000 ? 1000 : age < 600_000 ? 5000 : 60_000;
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}

function orderedIn(text: string | undefined): readonly Ordered[] {
  try {
    const list: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list.filter(isOrdered) : [];
  } catch {
    return [];
  }
}

function isOrdered(value: unknown): value is Ordered {
  return (
    typeof value === 'object' &&
    value !== null &&
    'at' in value &&
    typeof value.at === 'number' &&
    'names' in value &&
    typeof value.names === 'string'
  );
}
