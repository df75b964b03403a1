/** A commit that puts an earlier revision back. */
import { z } from 'zod';
import type { Revision } from '../../ports/git-source.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';

export interface RollbackRequest {
  /** The revision applied before the current one when absent. */
  readonly revision?: string;
  readonly message?: string;
  readonly author: { readonly name: string; readonly email: string };
  /** Only say what is to be committed. */
  readonly prepare?: boolean;
}

export interface RollbackReport {
  readonly restored: string;
  readonly message: string;
  /** Absent where it was only prepared. */
  readonly commit?: Revision;
}

export interface RollbackNeeds {
  readonly rollback: (request: RollbackRequest, signal: AbortSignal) => Promise<RollbackReport>;
}

const Body = z.object({
  revision: z.string().optional(),
  message: z.string().optional(),
  author: z.object({ name: z.string(), email: z.string() }),
  prepare: z.boolean().optional(),
});

export function rollback(needs: RollbackNeeds): Feature {
  return ({ app, signalOf }) => {
    app.post(`${OWN_ROOT}/rollback`, (request, reply) => {
      const { revision, message, author, prepare } = read(Body, request.body);
      return needs.rollback(
        {
          author,
          ...(prepare !== undefined && { prepare }),
          ...(revision !== undefined && { revision }),
          ...(message !== undefined && { message }),
        },
        signalOf(reply),
      );
    });
  };
}
