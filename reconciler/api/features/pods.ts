/** What a pod has beside its object: its end, its place, its log, and streams into it. */
import { z } from 'zod';
import { EphemeralContainer, objectKey } from '../../../contracts/objects/index.ts';
import { EXEC_UPGRADE, TEXT_LIMITS } from '../../../contracts/agent/index.ts';
import { MAX_INT32, QualifiedName } from '../../../contracts/objects/schema.ts';
import {
  addEphemeralContainers,
  deletePod,
  podLog,
  podPlacement,
  podStream,
  type PodStream,
  type PlacementAccess,
  setConditions,
  type PodAccess,
  type WriteAccess,
} from '../pods.ts';
import { type Feature, read } from '../routes.ts';

export interface PodsNeeds extends WriteAccess, PodAccess, PlacementAccess {}

const POD = '/api/v1/namespaces/:namespace/pods/:name';
const STREAM = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/(exec|attach|portforward)$/;

const Path = z.object({ namespace: z.string(), name: z.string() });
/** Source: Kubernetes, meta/v1 DeleteOptions. */
const DeleteOptions = z.object({
  propagationPolicy: z.enum(['Background', 'Foreground', 'Orphan']).optional(),
  gracePeriodSeconds: z.coerce.number().int().min(0).max(MAX_INT32).optional(),
});
/** The part of a pod's status that others write. Its keys are Kubernetes'. */
const StatusPatch = z.strictObject({
  status: z.strictObject({
    conditions: z
      .array(
        z.strictObject({
          type: QualifiedName,
          status: z.enum(['True', 'False', 'Unknown']),
          reason: z.string().max(TEXT_LIMITS.reason).optional(),
          message: z.string().max(TEXT_LIMITS.message).optional(),
        }),
      )
      .min(1)
      .max(16),
  }),
});
/** Those that are to be there besides those that are. */
const EphemeralPatch = z.strictObject({
  spec: z.strictObject({ ephemeralContainers: z.array(EphemeralContainer).min(1).max(32) }),
});
const Flag = z.stringbool().default(false);
/** Source: Kubernetes, core/v1 PodLogOptions. */
const Log = z
  .object({
    container: z.string().optional(),
    follow: Flag,
    previous: Flag,
    timestamps: Flag,
    tailLines: z.coerce.number().int().min(0).optional(),
    sinceSeconds: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
    sinceTime: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ sinceSeconds, sinceTime }) => sinceSeconds === undefined || sinceTime === undefined, {
    message: 'at most one of sinceTime or sinceSeconds may be specified',
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
    app.patch(`${POD}/status`, async (request, reply) => {
      const { namespace, name } = read(Path, request.params);
      const { conditions } = read(StatusPatch, request.body).status;
      await setConditions(needs, namespace, name, conditions, signalOf(reply));
      return needs.view.get(objectKey('Pod', namespace, name));
    });
    app.patch(`${POD}/ephemeralcontainers`, async (request, reply) => {
      const { namespace, name } = read(Path, request.params);
      const { ephemeralContainers } = read(EphemeralPatch, request.body).spec;
      await addEphemeralContainers(needs, namespace, name, ephemeralContainers, signalOf(reply));
      return needs.view.get(objectKey('Pod', namespace, name));
    });
    app.get(`${POD}/placement`, (request) => {
      const { namespace, name } = read(Path, request.params);
      return podPlacement(needs, namespace, name);
    });
    app.get(`${POD}/log`, async (request, reply) => {
      const { namespace, name } = read(Path, request.params);
      const { tailLines, container, sinceSeconds, sinceTime, ...rest } = read(Log, request.query);
      const body = await podLog(
        needs,
        namespace,
        name,
        {
          ...rest,
          ...(tailLines !== undefined && { tail: tailLines }),
          ...(container !== undefined && { container }),
          ...(sinceSeconds !== undefined && { sinceSeconds }),
          ...(sinceTime !== undefined && { sinceTime }),
        },
        signalOf(reply),
      );
      return reply.header('content-type', 'text/plain; charset=utf-8').send(body);
    });
    upgrade(STREAM, EXEC_UPGRADE, ([namespace = '', name = '', what = ''], query, signal) =>
      podStream(needs, what as PodStream, namespace, name, query, signal),
    );
  };
}
