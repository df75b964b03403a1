/** Lists and single objects at Kubernetes' paths. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { KINDS, type CustomKind, type Kind } from '../../../contracts/objects/index.ts';
import type { StoreView } from '../../controllers/runtime/controller.ts';
import { notFound } from '../answers.ts';
import { getCustom, getObject, kindOfPath, listCustom, listObjects } from '../objects.ts';
import { type Feature, read } from '../routes.ts';

export interface ObjectsNeeds {
  readonly view: StoreView;
}

const Path = z.object({
  namespace: z.string().optional(),
  name: z.string().optional(),
  plural: z.string(),
  group: z.string().optional(),
  version: z.string(),
});
const Query = z.object({
  labelSelector: z.string().optional(),
  owner: z.string().optional(),
  reveal: z.stringbool().default(false),
});

export function objects({ view }: ObjectsNeeds): Feature {
  function list(request: FastifyRequest): unknown {
    const path = read(Path, request.params);
    const { labelSelector, owner } = read(Query, request.query);
    const kind = kindAt(view, path);
    const query = {
      ...(path.namespace !== undefined && { namespace: path.namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(owner !== undefined && { owner }),
    };
    return typeof kind === 'string' ? listObjects(view, kind, query) : listCustom(view, kind, query);
  }

  function one(request: FastifyRequest): unknown {
    const path = read(Path, request.params);
    const kind = kindAt(view, path);
    const { namespaced } = typeof kind === 'string' ? KINDS[kind] : kind;
    if (namespaced && path.namespace === undefined)
      throw notFound(`${path.plural} are in namespaces: ask at /namespaces/NAME/${path.plural}`);
    if (typeof kind !== 'string') return getCustom(view, kind, path.namespace, path.name ?? '');
    return getObject(view, kind, path.namespace, path.name ?? '', read(Query, request.query).reveal);
  }

  return ({ app }) => {
    for (const root of ['/api/:version', '/apis/:group/:version']) {
      app.get(`${root}/:plural`, list);
      app.get(`${root}/:plural/:name`, one);
      app.get(`${root}/namespaces/:namespace/:plural`, list);
      app.get(`${root}/namespaces/:namespace/:plural/:name`, one);
    }
  };
}

function kindAt(view: StoreView, { group, version, plural }: z.infer<typeof Path>): Kind | CustomKind {
  return kindOfPath(view, group === undefined ? version : `${group}/${version}`, plural);
}
