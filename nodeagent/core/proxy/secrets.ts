/** Secrets of the assignment, as a proxy's plan asks for them. */
import type { Secret } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import type { SecretName } from '../../../contracts/objects/proxy-config.ts';
import type { AssignmentView } from '../assignment.ts';
import type { ProxySecrets } from './plan.ts';

/** `check`: undefined for a certificate and key that go together; else what is wrong. */
export function assignedSecrets(
  view: AssignmentView,
  check: (certificate: string, key: string) => string | undefined,
): ProxySecrets {
  const secretOf = ({ namespace, name }: SecretName): Secret | undefined =>
    view.get(objectKey('Secret', namespace, name));
  return {
    certificate(name) {
      const called = `secret ${name.namespace}/${name.name}`;
      const data = secretOf(name)?.data;
      const [certificate, key] = [textOf(data, 'tls.crt'), textOf(data, 'tls.key')];
      if (data === undefined) return { problem: `${called} is not there` };
      if (certificate === undefined || key === undefined) return { problem: `${called} has no tls.crt and tls.key` };
      const wrong = check(certificate, key);
      return wrong === undefined
        ? { pem: `${certificate.trim()}\n${key.trim()}\n` }
        : { problem: `${called}: ${wrong}` };
    },
    passwords: (name) => textOf(secretOf(name)?.data, 'auth'),
  };
}

function textOf(data: Secret['data'] | undefined, key: string): string | undefined {
  const base64 = data && readKey(data, key);
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
