/**
 * Keeps in this control plane's vault what any of them issued, so that whichever goes on after the store was lost has it;
 * and puts it back. What has left the store stays: nobody gets it but a Certificate that asks for just that.
 */
import { errorText } from '../../../contracts/errors.ts';
import { objectKey, type Secret, type StoredSecret } from '../../../contracts/objects/index.ts';
import { readPair } from '../../core/certificates/judge.ts';
import { isKept, keptName, keptText, secretFrom } from '../../core/certificates/kept.ts';
import { certificatesOf } from '../../core/certificates/shim.ts';
import type { Step } from '../../core/step.ts';
import type { CertificateVault } from '../../ports/certificate-vault.ts';
import type { Log } from '../../ports/log.ts';
import type { ChangeListener } from '../runtime/cache.ts';
import type { StoreView } from '../runtime/controller.ts';
import { resourceNamespace } from './deps.ts';

export interface VaultMirrorOptions {
  readonly view: Pick<StoreView, 'list'>;
  readonly subscribe: (listener: ChangeListener) => () => void;
  readonly vault: CertificateVault;
  readonly log: Log;
}

export class VaultMirror {
  readonly #options: VaultMirrorOptions;
  readonly #stopping = new AbortController();
  /** The newest of each that is to be written. */
  readonly #waiting = new Map<string, StoredSecret>();
  #writing: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: VaultMirrorOptions) {
    this.#options = options;
  }

  start(): void {
    const { view, subscribe } = this.#options;
    this.#unsubscribe = subscribe((type, object) => {
      if (type === 'put' && object.kind === 'Secret') this.#take(object);
    });
    for (const secret of view.list('Secret')) this.#take(secret);
  }

  /** What waits is written first. */
  async close(): Promise<void> {
    this.#unsubscribe?.();
    while (this.#writing) await this.#writing;
    this.#stopping.abort(new Error('the vault is being closed'));
  }

  #take(secret: StoredSecret): void {
    if (!isKept(secret)) return;
    this.#waiting.set(keptName(secret.metadata.namespace ?? '', secret.metadata.name), secret);
    this.#begin();
  }

  #begin(): void {
    if (this.#waiting.size === 0) return;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      // What came when it was just over.
      this.#begin();
    });
  }

  async #write(): Promise<void> {
    const { vault, log } = this.#options;
    const { signal } = this.#stopping;
    for (const [name, secret] of this.#waiting) {
      this.#waiting.delete(name);
      try {
        const text = keptText(secret);
        const kept = await vault.read(name, signal);
        if (kept !== text && !isNewer(kept, secret)) await vault.write(name, text, signal);
      } catch (error) {
        log.error('a certificate is not kept for the loss of the store', { secret: name, error: errorText(error) });
      }
    }
  }
}

/** What was issued is written to the vault first: the store may have the one before. */
function isNewer(kept: string | undefined, { metadata, data }: StoredSecret): boolean {
  const secret = kept === undefined ? undefined : secretFrom(kept, metadata.namespace ?? '', metadata.name);
  const [ours, theirs] = [secret && readPair(secret), readPair({ data })];
  if (ours === undefined || typeof ours === 'string' || typeof theirs === 'string') return false;
  return ours.notBefore > theirs.notBefore;
}

/**
 * Secrets of the vault that a Certificate, an annotation or an issuer asks for and the store has not. Before controllers
 * act: a proxy would be told to serve nothing in their place.
 */
export async function lostSecrets(
  view: Pick<StoreView, 'get' | 'list'>,
  vault: CertificateVault,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const wanted = new Map<string, readonly [namespace: string, name: string]>();
  const want = (namespace: string | undefined, name: string): void => {
    if (namespace !== undefined) wanted.set(keptName(namespace, name), [namespace, name]);
  };
  for (const { metadata, spec } of view.list('Certificate')) want(metadata.namespace, spec.secretName);
  for (const owner of [...view.list('Ingress'), ...view.list('Gateway')])
    for (const { metadata, spec } of certificatesOf(owner).certificates) want(metadata.namespace, spec.secretName);
  for (const issuer of [...view.list('ClusterIssuer'), ...view.list('Issuer')])
    if (issuer.spec.acme) want(resourceNamespace(issuer, view), issuer.spec.acme.privateKeySecretRef.name);
  const steps: Step[] = [];
  for (const [kept, [namespace, name]] of wanted) {
    if (view.get(objectKey('Secret', namespace, name))) continue;
    const text = await vault.read(kept, signal);
    const secret: Secret | undefined = text === undefined ? undefined : secretFrom(text, namespace, name);
    if (secret) steps.push({ do: 'create', object: secret });
  }
  return steps;
}
