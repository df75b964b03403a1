/** A private certificate authority, by openssl, as an administrator makes one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../folder.ts';

export interface TestAuthority {
  /** PEM file with the authority's own certificate. */
  readonly file: string;
  readonly cert: string;
  /**
   * A server's key and certificate; `names` as openssl writes them: `DNS:localhost,IP:127.0.0.1`. Negative `days`: it
   * ended before it began.
   */
  issue(names: string, days?: number): { readonly key: string; readonly cert: string };
  remove(): void;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];

export function testAuthority(): TestAuthority {
  const folder = makeFolder('plumb-ca-');
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Test authority',
    '-days',
    '2',
  );
  let issued = 0;
  return {
    file: join(folder, 'ca.pem'),
    cert: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    issue(names, days = 2) {
      const name = `server-${(issued += 1)}`;
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\nbasicConstraints=critical,CA:FALSE\n`);
      openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-out',
        `${name}.pem`,
        '-days',
        String(days),
        '-extfile',
        `${name}.ext`,
      );
      return {
        key: readFileSync(join(folder, `${name}.key`), 'utf8'),
        cert: readFileSync(join(folder, `${name}.pem`), 'utf8'),
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
