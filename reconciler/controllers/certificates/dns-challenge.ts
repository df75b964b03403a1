/** Challenges by DNS-01: a record is made at whoever serves the zone, and taken away when the Challenge goes. */
import { errorText } from '../../../contracts/errors.ts';
import { CHALLENGE_FINALIZER, objectKey, readKey, type StoredChallenge } from '../../../contracts/objects/index.ts';
import { providerOf, recordOf, type DnsProvider } from '../../core/certificates/dns01.ts';
import { secretsOf, type IssuingDeps } from './deps.ts';

/** For how long a provider that does not do it is asked to take a record away, while a Certificate or Namespace waits to be gone. */
const REMOVED_WITHIN_MS = 600_000;

/** What is still to come before the server can be told to look; undefined where the zone has the record. */
export async function dnsWaits(
  challenge: StoredChallenge,
  deps: Pick<IssuingDeps, 'view' | 'records'>,
  signal: AbortSignal,
): Promise<{ readonly presented: boolean; readonly why: string } | undefined> {
  const provider = providerFor(challenge, deps);
  if (typeof provider === 'string') return { presented: false, why: provider };
  const record = recordOf(challenge.spec);
  try {
    // Each time: somebody may have taken it away.
    await deps.records.add(provider, record, signal);
    const why = await deps.records.missing(provider, record, signal);
    return why === undefined ? undefined : { presented: true, why };
  } catch (error) {
    signal.throwIfAborted();
    return { presented: false, why: errorText(error) };
  }
}

/** Of one that goes: its record is taken away first. Throws where that has to be tried again. */
export async function challengeGoes(challenge: StoredChallenge, deps: IssuingDeps, signal: AbortSignal): Promise<void> {
  const { finalizers = [], deletionTimestamp, ...metadata } = challenge.metadata;
  if (deletionTimestamp === undefined || !finalizers.includes(CHALLENGE_FINALIZER)) return;
  const left = await removed(challenge, deps, signal).then(
    () => undefined,
    (error: unknown) => errorText(error),
  );
  signal.throwIfAborted();
  if (left !== undefined) {
    if (deps.clock.now().getTime() - Date.parse(deletionTimestamp) < REMOVED_WITHIN_MS) throw new Error(left);
    deps.log.warn('the TXT record of a challenge stays', { record: recordOf(challenge.spec).name, error: left });
  }
  const others = finalizers.filter((one) => one !== CHALLENGE_FINALIZER);
  const object = { ...challenge, metadata: { ...metadata, deletionTimestamp, finalizers: others } };
  await deps.submit([{ do: 'update', object }], signal);
}

async function removed(challenge: StoredChallenge, deps: IssuingDeps, signal: AbortSignal): Promise<void> {
  const provider = providerFor(challenge, deps);
  if (typeof provider === 'string') throw new Error(provider);
  await deps.records.remove(provider, recordOf(challenge.spec), signal);
}

function providerFor(
  { metadata, spec: { solver, issuerRef } }: StoredChallenge,
  { view }: Pick<IssuingDeps, 'view'>,
): DnsProvider | string {
  if (!solver) return 'it names no solver';
  const namespace = secretsOf(issuerRef, metadata.namespace, view);
  return providerOf(solver.dns01, (name, key) => {
    const value = readKey(view.get(objectKey('Secret', namespace, name))?.data, key);
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
  });
}
