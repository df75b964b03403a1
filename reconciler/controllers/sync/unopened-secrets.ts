/** Secrets of the applied revision that can no longer be opened: what is live is all that is known of their values. */
import type { Desired, DesiredObject } from '../../core/manifests/index.ts';
import { isOpaqueSecret } from '../../core/secrets/opaque.ts';
import type { StoreView } from '../runtime/controller.ts';

/**
 * The revision with the live values in place of ciphertext, so that neither is it written nor is anything deleted. One
 * that is not live is left out: it is made once there is a key for it.
 */
export function withLiveValues(desired: Desired, view: StoreView): Desired {
  const state = new Map(desired.state);
  for (const [key, one] of desired.state) {
    if (!isOpaqueSecret(one.object)) continue;
    const live = view.get(one.key);
    if (live?.kind === 'Secret') state.set(key, withData(one, live.data));
    else state.delete(key);
  }
  return { ...desired, state };
}

function withData(desired: DesiredObject, data: Readonly<Record<string, string>>): DesiredObject {
  if (desired.object.kind !== 'Secret') return desired;
  return { ...desired, object: { ...desired.object, data }, written: { ...desired.written, data } };
}
