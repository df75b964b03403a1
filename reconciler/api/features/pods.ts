/** What a pod has beside its object: its end, its place, its log, and commands in its containers. */
import { z } from 'zod';
import { EXEC_UPGRADE } from '../../../contracts/agent/index.ts';
import { MAX_INT32 } from '../../../contracts/objects/schema.ts';
import {
  deletePod,
  podExec,
  podLog,
  podPlacement,
  type DeleteAccess,
  type PlacementAccess,
  type PodAccess,
} from '../pods.ts';
import { type Feature, read } from '../routes.ts';

export interface PodsNeeds extends DeleteAccess, PodAccess, PlacementAccess {}

const POD = '/api/v1/namespaces/:namespace/pods/:name';
const EXEC = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/;

const Path = z.object({ namespace: z.string(), name: z.string() });
/** Source: Kubernetes, meta/v1 DeleteOptions. */
const DeleteOptions = z.object({
  propagationPolicy: z.enum(['Background', 'Foreground', 'Orphan']).optional(),
  gracePeriodSeconds: z.coerce.number().int().min(0).max(MAX_INT32).optional(),
});
const Flag = z.stringbool().default(false);
const Log = z.object({
  container: z.string().optional(),
  follow: Flag,
  previous: Flag,
  timestamps: Flag,
  tailLines: z.coerce.number().int().min(0).optional(),
});

export function pods(needs: PodsNeeds): Feature {
  return ({ app, signalOf, upgrade }) => {
    app.delete(POD, async (request, reply) => {
      const { namespace, name } = read(Path, request.params);
      const { propagationPolicy, gracePeriodSeconds } = read(DeleteOptions, request.query);
      const options = { propagation: propagationPolicy, graceSeconds: gracePeriodSeconds };
      await deletePod(needs, namespace, name, options, signalOf(reply));
      return { apiVersion: 'v1', kind: 'Status', status: 'Success' };
    });
    app.get(`${POD}/placement`, (request) => {
      const { namespace, name } = read(Path, request.params);
      return podPlacement(needs, namespace, name);
    });
    app.get(`${POD}/log`, async (request, reply) => {
      const { namespace, name } = read(Path, request.params);
      const { tailLines, container, ...rest } = read(Log, request.query);
      const body = await podLog(
        needs,
        namespace,
        name,
        { ...rest, ...(tailLines !== undefined && { tail: tailLines }), ...(container !== undefined && { container }) },
        signalOf(reply),
      );
      return reply.header('content-type', 'text/plain; charset=utf-8').send(body);
    });
    upgrade(EXEC, EXEC_UPGRADE, ([namespace = '', name = ''], query, signal) =>
      podExec(needs, namespace, name, query, signal),
    );
  };
}
