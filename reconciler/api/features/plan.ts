/** What a revision would change against the live state. */
import { z } from 'zod';
import type { PlanFormat } from '../../core/diff/index.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';
import type { PlanReport } from '../types.ts';

export interface PlanNeeds {
  /** What `rev` (default: the branch) would change, and where its pods would go. */
  readonly plan: (rev: string | undefined, format: PlanFormat, signal: AbortSignal) => Promise<PlanReport>;
}

const Query = z.object({ rev: z.string().optional(), format: z.enum(['text', 'json', 'markdown']).default('text') });

export function plan(needs: PlanNeeds): Feature {
  return ({ app, signalOf }) => {
    app.get(`${OWN_ROOT}/plan`, (request, reply) => {
      const { rev, format } = read(Query, request.query);
      return needs.plan(rev, format, signalOf(reply));
    });
  };
}
