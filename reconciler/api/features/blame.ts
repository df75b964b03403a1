/** Which commit made an object what it is. */
import { z } from 'zod';
import { findKind, keyOf, KINDS, objectKey, type Stored } from '../../../contracts/objects/index.ts';
import type { StoreView } from '../../controllers/runtime/controller.ts';
import { ORIGIN_ANNOTATION } from '../../core/diff/types.ts';
import { ownerChain } from '../../core/kinds/owners.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GitSource } from '../../ports/git-source.ts';
import { ApiError } from '../answers.ts';
import { blameManifest } from '../blame.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';
import type { BlameReport } from '../types.ts';

export interface BlameNeeds {
  readonly view: StoreView;
  readonly git: GitSource;
  readonly sourceName: string;
  readonly clock: Clock;
}

const Query = z.object({ kind: z.string(), namespace: z.string().default('default'), name: z.string() });
/** A long history of a large repository, in milliseconds. */
const LIMIT_MS = 30_000;

export function blame({ view, git, sourceName, clock }: BlameNeeds): Feature {
  return ({ app, signalOf }) => {
    app.get(`${OWN_ROOT}/blame`, async (request, reply): Promise<BlameReport> => {
      const asked = read(Query, request.query);
      const kind = findKind(asked.kind);
      if (!kind) throw new ApiError(400, 'BadRequest', `there is no built-in kind ${JSON.stringify(asked.kind)}`);
      const namespace = KINDS[kind].namespaced ? asked.namespace : '';
      const object: Stored | undefined = view.get(objectKey(kind, namespace, asked.name));
      const shown = `${kind} ${namespace === '' ? '' : `${namespace}/`}${asked.name}`;
      if (!object) throw new ApiError(404, 'NotFound', `there is no ${shown}`);
      const owners = ownerChain(view, object);
      const root = owners.at(-1) ?? object;
      const origin = /^(.*):\d+$/.exec(root.metadata.annotations?.[ORIGIN_ANNOTATION] ?? '')?.[1];
      if (origin === undefined) throw new ApiError(404, 'NotFound', `${shown} comes from no manifest`);
      const sha = view.get(objectKey('Source', undefined, sourceName))?.status?.appliedRevision;
      if (sha === undefined) throw new ApiError(404, 'NotFound', 'no revision is in force yet');
      using limit = clock.deadline(LIMIT_MS, signalOf(reply));
      const found = await blameManifest(git, { key: keyOf(root), file: origin, sha }, limit.signal);
      if (!found) throw new ApiError(404, 'NotFound', `${origin} is not in ${sha.slice(0, 12)}, which is in force`);
      const { kind: rootKind, metadata } = root;
      return {
        object: { kind, namespace, name: asked.name },
        owners: owners.map((owner) => `${owner.kind} ${owner.metadata.name}`),
        manifestOf: `${rootKind} ${metadata.name}`,
        ...found,
      };
    });
  };
}
