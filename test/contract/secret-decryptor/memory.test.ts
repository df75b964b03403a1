import { MemorySecretDecryptor } from '../../../reconciler/adapters/memory/secret-decryptor.ts';
import { secretDecryptorSuite } from './suite.ts';

secretDecryptorSuite('memory', async () => {
  const decryptor = new MemorySecretDecryptor();
  return {
    decryptor,
    recipients: ['age1first', 'age1second', 'age1stranger'],
    seal: async (recipients, contents) => MemorySecretDecryptor.seal(recipients, contents),
    hold: async (recipients) => {
      decryptor.recipients.clear();
      for (const recipient of recipients) decryptor.recipients.add(recipient);
    },
    close: async () => undefined,
  };
});
