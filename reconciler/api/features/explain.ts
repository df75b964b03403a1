/** Why an object is as it is: the chain from its commit to its containers' last lines. */
import { z } from 'zod';
import { findKind, KINDS, objectKey } from '../../../contracts/objects/index.ts';
import { ApiError } from '../answers.ts';
import { explainCustom } from '../explain-custom.ts';
import { explainReport } from '../explain.ts';
import { explainService } from '../network.ts';
import { type PlacementAccess, type PodAccess, withLastLines, withPlacement } from '../pods.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';

export interface ExplainNeeds extends PodAccess, PlacementAccess {
  readonly sourceName: string;
}

const Query = z.object({ kind: z.string(), namespace: z.string().default('default'), name: z.string() });

export function explain(needs: ExplainNeeds): Feature {
  return ({ app, signalOf }) => {
    app.get(`${OWN_ROOT}/explain`, async (request, reply) => {
      const asked = read(Query, request.query);
      const kind = findKind(asked.kind);
      if (!kind) {
        const custom = needs.view.custom.kinds.find(asked.kind);
        if (!custom) throw new ApiError(400, 'BadRequest', `there is no kind ${JSON.stringify(asked.kind)}`);
        return explainCustom({
          view: needs.view,
          sourceName: needs.sourceName,
          kind: custom,
          namespace: asked.namespace,
          name: asked.name,
        });
      }
      const explained = explainReport({
        view: needs.view,
        sourceName: needs.sourceName,
        kind,
        namespace: KINDS[kind].namespaced ? asked.namespace : '',
        name: asked.name,
      });
      const signal = signalOf(reply);
      const shown = kind === 'Pod' ? explained.pods[0] : explained.pods.find(({ node }) => node === undefined);
      const service = kind === 'Service' && needs.view.get(objectKey('Service', asked.namespace, asked.name));
      const followed = service ? await explainService(needs, service, signal) : undefined;
      const broken = explained.broken ?? followed?.broken;
      const whole = { ...explained, ...(followed && { service: followed }), ...(broken !== undefined && { broken }) };
      const [first, ...others] = explained.pods.map((pod) => (pod === shown ? withPlacement(needs, pod) : pod));
      return first ? { ...whole, pods: [await withLastLines(needs, first, signal), ...others] } : whole;
    });
  };
}
