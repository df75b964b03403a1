/** What the simulated agents run: nothing, under these names. */
import type { AgentPayloads } from '../../reconciler/ports/agent-payloads.ts';

export const BUNDLE_HASH = 'b'.repeat(64);
export const RUNTIME_HASH = 'r'.repeat(64);

export const PAYLOADS: AgentPayloads = {
  get: async (arch) => ({
    arch,
    bundle: Buffer.alloc(0),
    bundleHash: BUNDLE_HASH,
    runtimeHash: RUNTIME_HASH,
    runtimePath: '',
    runtime: () => {
      throw new Error('nothing is pushed in this benchmark');
    },
  }),
};
