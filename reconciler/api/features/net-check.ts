/** Has all nodes try whether nodes, pods, names and Services reach each other. */
import { createNetCheck } from '../network.ts';
import type { PodAccess } from '../pods.ts';
import { type Feature, OWN_ROOT } from '../routes.ts';

export function netCheck(needs: PodAccess): Feature {
  const check = createNetCheck(needs);
  return ({ app, signalOf }) => {
    app.post(`${OWN_ROOT}/net-check`, (_request, reply) => check(signalOf(reply)));
  };
}
