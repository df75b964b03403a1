/**
 * Issues certificates: looks at Certificates and issuers when something of theirs changed, and when it is time. Not passes
 * of a queue: what it waits for is a server's answer, which must not hold up a worker. Runs in one control plane at a time.
 */
import { errorText } from '../../../contracts/errors.ts';
import {
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type Stored,
  type StoredCertificate,
  type StoredChallenge,
  type StoredIssuer,
} from '../../../contracts/objects/index.ts';
import { AcmeUnavailable } from '../../core/certificates/acme-errors.ts';
import { issuingStatus, statusStep } from '../../core/certificates/conditions.ts';
import { judge } from '../../core/certificates/judge.ts';
import { controllerOf } from '../../core/workloads/owners.ts';
import type { ChangeListener } from '../runtime/cache.ts';
import { certificatePass } from './certificate-pass.ts';
import { resourceNamespace, type IssuingDeps } from './deps.ts';
import { challengeGoes } from './dns-challenge.ts';
import { issuerPass } from './issuer-pass.ts';

export const ISSUING = 'certificates';

/** For what is on its way when it closes. */
const GRACE_MS = 1000;
/** That are looked at at one time. */
const AT_ONCE = 4;
const LONGEST_PASS_MS = 120_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
/** The wall clock may step. */
const LOOK_AGAIN_MS = 3_600_000;

export interface IssuingOptions extends IssuingDeps {
  readonly subscribe: (listener: ChangeListener) => () => void;
}

export class Issuing {
  readonly #options: IssuingOptions;
  readonly #stopping = new AbortController();
  /** When each is to be looked at, by the monotonic clock. */
  readonly #due = new Map<ObjectKey, number>();
  readonly #running = new Map<ObjectKey, Promise<void>>();
  readonly #failures = new Map<ObjectKey, number>();
  /** Not before then, whatever changes but its spec. */
  readonly #held = new Map<ObjectKey, number>();
  #wake = new AbortController();
  #loop: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: IssuingOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#loop) return;
    const { view, subscribe } = this.#options;
    this.#unsubscribe = subscribe((type, object, previous) => {
      if (type === 'delete' || object.metadata.generation !== previous?.metadata.generation)
        this.#held.delete(keyOf(object));
      for (const key of this.#concerned(object, previous)) this.#ask(key, 0);
    });
    for (const kind of ['ClusterIssuer', 'Issuer', 'Certificate', 'Challenge'] as const)
      for (const one of view.list<typeof kind>(kind)) this.#ask(keyOf(one), 0);
    this.#loop = this.#run();
  }

  /** Ends what is being asked; it is begun anew where it was. */
  async close(): Promise<void> {
    this.#unsubscribe?.();
    this.#stopping.abort(new Error('issuing is being closed'));
    this.#wake.abort();
    await this.#loop;
    // A key that is being made cannot be ended; what would follow is.
    const over = Promise.allSettled(this.#running.values());
    await Promise.race([over, this.#options.clock.sleep(GRACE_MS)]);
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const now = clock.monotonic();
      let next = LOOK_AGAIN_MS;
      for (const [key, at] of this.#due) {
        if (at > now) next = Math.min(next, at - now);
        else if (!this.#running.has(key) && this.#running.size < AT_ONCE) this.#begin(key);
      }
      await clock.sleep(next, this.#wake.signal).catch(() => undefined);
    }
  }

  #begin(key: ObjectKey): void {
    this.#due.delete(key);
    const pass = this.#look(key)
      .then((afterMs) => {
        this.#failures.delete(key);
        this.#held.delete(key);
        if (afterMs !== undefined) this.#ask(key, Math.min(afterMs, LOOK_AGAIN_MS));
      })
      .catch((error: unknown) => this.#failed(key, error))
      .finally(() => {
        this.#running.delete(key);
        this.#wake.abort();
      });
    this.#running.set(key, pass);
  }

  async #look(key: ObjectKey): Promise<number | undefined> {
    const { clock } = this.#options;
    using limit = clock.deadline(LONGEST_PASS_MS, this.#stopping.signal);
    const object = lookedAt(key, this.#options);
    if (object === undefined) return undefined;
    switch (object.kind) {
      case 'Certificate':
        return certificatePass(object, this.#options, limit.signal);
      case 'Challenge':
        await challengeGoes(object, this.#options, limit.signal);
        return undefined;
      default:
        return issuerPass(object, this.#options, limit.signal);
    }
  }

  async #failed(key: ObjectKey, error: unknown): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    const count = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, count);
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20));
    const asked = error instanceof AcmeUnavailable ? (error.afterMs ?? 0) : 0;
    log.warn('a certificate was not looked at to the end', { key, error: errorText(error), failures: count });
    this.#held.set(key, this.#options.clock.monotonic() + Math.max(pause, asked));
    this.#ask(key, 0);
    // So that people see it where they look.
    if (error instanceof AcmeUnavailable)
      await this.#tell(key, error.message, signal).catch((second: unknown) => {
        log.debug('why a certificate waits could not be told', { key, error: errorText(second) });
      });
  }

  async #tell(key: ObjectKey, message: string, signal: AbortSignal): Promise<void> {
    const { view, submit, clock } = this.#options;
    const object = lookedAt(key, this.#options);
    if (object?.kind !== 'Certificate') return;
    const secret = view.get(objectKey('Secret', object.metadata.namespace, object.spec.secretName));
    const verdict = judge(object, secret, clock.now());
    if (verdict.is === 'issued') return;
    const status = issuingStatus(object, verdict, message, clock.now().toISOString());
    const steps = statusStep(object, { ...object, status });
    if (steps.length > 0) await submit(steps, signal);
  }

  #ask(key: ObjectKey, afterMs: number): void {
    const at = Math.max(this.#options.clock.monotonic() + afterMs, this.#held.get(key) ?? 0);
    const before = this.#due.get(key);
    if (before !== undefined && before <= at) return;
    this.#due.set(key, at);
    this.#wake.abort();
  }

  /** Whose state the change may be to. */
  #concerned(object: Stored, previous: Stored | undefined): readonly ObjectKey[] {
    const { view } = this.#options;
    const { namespace, name } = object.metadata;
    switch (object.kind) {
      case 'Certificate':
        return [
          keyOf(object),
          // One that had the same secretName may have been in its way.
          ...view
            .list('Certificate', namespace)
            .filter((one) => one.spec.secretName === object.spec.secretName)
            .map(keyOf),
        ];
      case 'Issuer':
      case 'ClusterIssuer':
        return [
          keyOf(object),
          ...view
            .list('Certificate', object.kind === 'Issuer' ? namespace : undefined)
            .filter(({ spec: { issuerRef } }) => issuerRef.kind === object.kind && issuerRef.name === name)
            .map(keyOf),
        ];
      case 'Secret':
        return [
          ...view
            .list('Certificate', namespace)
            .filter(({ spec }) => spec.secretName === name)
            .map(keyOf),
          ...issuers(view)
            .filter((one) => names(one, name) && resourceNamespace(one, view) === namespace)
            .map(keyOf),
        ];
      case 'Challenge':
        return object.metadata.deletionTimestamp === undefined ? [] : [keyOf(object)];
      case 'ProxyConfig':
        return this.#waiting();
      case 'Node': {
        const before = previous?.kind === 'Node' ? previous.status?.proxy : undefined;
        const now = object.status?.proxy;
        return now?.generation === before?.generation && now?.problems.length === before?.problems.length
          ? []
          : this.#waiting();
      }
      default:
        return [];
    }
  }

  /** Certificates that wait for proxies. */
  #waiting(): readonly ObjectKey[] {
    const { view } = this.#options;
    return view.list('Challenge').flatMap(({ metadata, status }) => {
      const order = status?.processing === true ? undefined : controllerOf(metadata);
      const owner = order && view.get(objectKey('Order', metadata.namespace, order.name));
      const certificate = owner && controllerOf(owner.metadata);
      return certificate ? [objectKey('Certificate', metadata.namespace, certificate.name)] : [];
    });
  }
}

function issuers(view: IssuingDeps['view']): readonly StoredIssuer[] {
  return [...view.list('ClusterIssuer'), ...view.list('Issuer')];
}

function names({ spec: { acme, ca } }: StoredIssuer, secret: string): boolean {
  return (
    ca?.secretName === secret ||
    acme?.privateKeySecretRef.name === secret ||
    acme?.externalAccountBinding?.keySecretRef.name === secret
  );
}

function lookedAt(
  key: ObjectKey,
  { view }: IssuingDeps,
): StoredIssuer | StoredCertificate | StoredChallenge | undefined {
  const { kind, namespace, name } = parseKey(key);
  switch (kind) {
    case 'Certificate':
      return view.get(objectKey('Certificate', namespace, name));
    case 'Challenge':
      return view.get(objectKey('Challenge', namespace, name));
    case 'Issuer':
      return view.get(objectKey('Issuer', namespace, name));
    case 'ClusterIssuer':
      return view.get(objectKey('ClusterIssuer', undefined, name));
    default:
      return undefined;
  }
}
