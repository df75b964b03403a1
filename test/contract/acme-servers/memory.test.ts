import { generateKeyPairSync } from 'node:crypto';
import { MemoryAcmeServers } from '../../../reconciler/adapters/memory/acme-servers.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { acmeServersSuite } from './suite.ts';

acmeServersSuite('memory', async () => {
  const shown = new Map<string, string>();
  const caKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const look = (_name: string, token: string): string | undefined => shown.get(token);
  return {
    servers: new MemoryAcmeServers({ clock: new SystemClock(), caKey, look }),
    place: { server: 'https://acme.example.com/directory' },
    show: (token, answer) => shown.set(token, answer),
    close: async () => undefined,
  };
});
