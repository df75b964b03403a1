/** Secrets of the assignment, as a proxy's plan asks for them. */
import { readKeyPair, type ReadPem } from '../../../contracts/certificates.ts';
import type { Secret } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import type { SecretName } from '../../../contracts/objects/proxy-config.ts';
import type { AssignmentView } from '../assignment.ts';
import type { ProxySecrets } from './plan.ts';

/** Secrets never change: what was found of one holds. */
const known = new WeakMap<Secret, ReadPem>();

export function assignedSecrets(view: AssignmentView): ProxySecrets {
  const secretOf = ({ namespace, name }: SecretName): Secret | undefined =>
    view.get(objectKey('Secret', namespace, name));
  return {
    certificate(name) {
      const called = `secret ${name.namespace}/${name.name}`;
      const secret = secretOf(name);
      if (secret === undefined) return { problem: `${called} is not there` };
      const found = known.get(secret) ?? keyPairOf(secret);
      known.set(secret, found);
      return 'pem' in found ? found : { problem: `${called} ${found.problem}` };
    },
    passwords: (name) => textOf(secretOf(name)?.data, 'auth'),
  };
}

function keyPairOf({ data }: Secret): ReadPem {
  const [certificate, key] = [textOf(data, 'tls.crt'), textOf(data, 'tls.key')];
  if (certificate === undefined || key === undefined) return { problem: 'has no tls.crt and tls.key' };
  return readKeyPair(certificate, key);
}

function textOf(data: Secret['data'] | undefined, key: string): string | undefined {
  const base64 = data && readKey(data, key);
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
