/** Whether a Secret is a certificate with its key. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { StoredSecret } from '../../../contracts/objects/index.ts';

/** Secrets never change: what was found of one holds. */
const known = new WeakMap<StoredSecret, { readonly problem: string | undefined }>();

/** What is wrong with it, without a word of what is in it; undefined where it can be served. */
export function certificateProblem(secret: StoredSecret | undefined): string | undefined {
  if (!secret) return 'is not there';
  const before = known.get(secret);
  if (before) return before.problem;
  const problem = problemOf(secret);
  known.set(secret, { problem });
  return problem;
}

function problemOf({ type, data }: StoredSecret): string | undefined {
  if (type !== 'kubernetes.io/tls') return `is of type ${type.slice(0, 80)}, not kubernetes.io/tls`;
  const [certificate, key] = [data['tls.crt'], data['tls.key']].map((text) =>
    text === undefined || text === '' ? undefined : Buffer.from(text, 'base64'),
  );
  if (!certificate || !key) return 'has no tls.crt and tls.key';
  try {
    const parsed = new X509Certificate(certificate);
    try {
      return parsed.checkPrivateKey(createPrivateKey(key)) ? undefined : 'has a tls.key that is not of its tls.crt';
    } catch {
      return 'has no private key in tls.key';
    }
  } catch {
    return 'has no certificate in tls.crt';
  }
}
