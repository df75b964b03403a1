/** What a feature of the API registers its routes with. */
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import { ApiError } from './answers.ts';

/** Adds its routes when the server starts. What it throws is answered as a Status. */
export type Feature = (routes: Routes) => void;

export interface Routes {
  readonly app: FastifyInstance;
  /** A signal that fires when the asker goes away or the server closes, until the request is answered. */
  readonly signalOf: (reply: FastifyReply) => AbortSignal;
  /** Answers requests to upgrade to `protocol` at `path` by joining the asker's connection to the one that `open` gives. */
  readonly upgrade: (path: RegExp, protocol: string, open: OpenUpgrade) => void;
}

/**
 * `params`: what the groups of the path matched, decoded. The signal fires when the asker goes away or the server
 * closes.
 */
export type OpenUpgrade = (params: readonly string[], query: URLSearchParams, signal: AbortSignal) => Promise<Duplex>;

/** What Plumbline adds to Kubernetes' API is below this. */
export const OWN_ROOT = '/plumbline/v1';

/** Reads a part of a request; ApiError 400 in words where it is not as it should be. */
export function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new ApiError(400, 'BadRequest', result.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
}
