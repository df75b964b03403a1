/** Whether a Secret is a certificate with its key, and what authorities a ConfigMap has. */
import { readAuthorities, readKeyPair, type ReadPem } from '../../../contracts/certificates.ts';
import type { ConfigMap, StoredSecret } from '../../../contracts/objects/index.ts';

/** Objects never change: what was found of one holds. */
const knownSecrets = new WeakMap<StoredSecret, { readonly problem: string | undefined }>();
const knownAuthorities = new WeakMap<ConfigMap, ReadPem>();

/** What is wrong with it, without a word of what is in it; undefined where it can be served. */
export function certificateProblem(secret: StoredSecret | undefined): string | undefined {
  if (!secret) return 'is not there';
  const before = knownSecrets.get(secret);
  if (before) return before.problem;
  const problem = problemOf(secret);
  knownSecrets.set(secret, { problem });
  return problem;
}

function problemOf({ type, data }: StoredSecret): string | undefined {
  if (type !== 'kubernetes.io/tls') return `is of type ${type.slice(0, 80)}, not kubernetes.io/tls`;
  const [certificate, key] = [data['tls.crt'], data['tls.key']].map((text) =>
    text === undefined || text === '' ? undefined : Buffer.from(text, 'base64').toString('utf8'),
  );
  if (!certificate || !key) return 'has no tls.crt and tls.key';
  const found = readKeyPair(certificate, key);
  return 'problem' in found ? found.problem : undefined;
}

/** What one authority's certificates may have, in characters: it is in the configuration of each gateway node. */
const LONGEST_BUNDLE = 256 * 1024;

/** Of its `ca.crt`. */
export function authoritiesOf(configMap: ConfigMap | undefined): ReadPem {
  const text = configMap?.data?.['ca.crt'];
  if (configMap === undefined || text === undefined) return { problem: 'is not there, or has no ca.crt' };
  const found = knownAuthorities.get(configMap) ?? authoritiesIn(text);
  knownAuthorities.set(configMap, found);
  return found;
}

function authoritiesIn(text: string): ReadPem {
  if (text.length > LONGEST_BUNDLE) return { problem: `has a ca.crt of more than ${LONGEST_BUNDLE / 1024} KiB` };
  return readAuthorities(text);
}
