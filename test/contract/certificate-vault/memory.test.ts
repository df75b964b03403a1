import { MemoryVault } from '../../../reconciler/adapters/memory/certificate-vault.ts';
import { certificateVaultSuite } from './suite.ts';

certificateVaultSuite('memory', () => ({ vault: new MemoryVault(), close: () => undefined }));
