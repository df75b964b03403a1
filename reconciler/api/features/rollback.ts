/** A commit that puts an earlier revision back. */
import { z } from 'zod';
import type { Revision } from '../../ports/git-source.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';

export interface RollbackRequest {
  /** The revision applied before the current one when absent. */
  readonly revision?: string;
  readonly message?: string;
  readonly author: { readonly name: string; readonly email: string };
}

export interface RollbackNeeds {
  readonly rollback: (
    request: RollbackRequest,
    signal: AbortSignal,
  ) => Promise<{ readonly commit: Revision; readonly restored: string }>;
}

const Body = z.object({
  revision: z.string().optional(),
  message: z.string().optional(),
  author: z.object({ name: z.string(), email: z.string() }),
});

export function rollback(needs: RollbackNeeds): Feature {
  return ({ app, signalOf }) => {
    app.post(`${OWN_ROOT}/rollback`, (request, reply) => {
      const { revision, message, author } = read(Body, request.body);
      return needs.rollback(
        { author, ...(revision !== undefined && { revision }), ...(message !== undefined && { message }) },
        signalOf(reply),
      );
    });
  };
}
