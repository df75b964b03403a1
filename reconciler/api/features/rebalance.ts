/** Which running pods should be elsewhere (GET), and their eviction (POST). */
import { z } from 'zod';
import { DESCHEDULER_PLUGINS, isDeschedulerPlugin } from '../../../contracts/objects/index.ts';
import type { RebalanceOrder, RebalanceReport } from '../../controllers/descheduling/rebalance.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';

export interface RebalanceNeeds {
  readonly rebalance: (order: RebalanceOrder, signal: AbortSignal) => Promise<RebalanceReport>;
}

const PluginName = z.string().refine(isDeschedulerPlugin, `must be one of ${DESCHEDULER_PLUGINS.join(', ')}`);
const Query = z.object({
  plugin: z
    .union([PluginName, z.array(PluginName)])
    .optional()
    .transform((given) => (given === undefined ? [] : [given].flat())),
});
const Body = z.object({ plugins: z.array(PluginName).default([]) });

export function rebalance(needs: RebalanceNeeds): Feature {
  return ({ app, signalOf }) => {
    app.get(`${OWN_ROOT}/rebalance`, (request, reply) =>
      needs.rebalance({ plugins: read(Query, request.query).plugin, apply: false }, signalOf(reply)),
    );
    app.post(`${OWN_ROOT}/rebalance`, (request, reply) =>
      needs.rebalance({ plugins: read(Body, request.body).plugins, apply: true }, signalOf(reply)),
    );
  };
}
