/** The revisions of the branch and what became of them. */
import { objectKey } from '../../../contracts/objects/index.ts';
import type { StoreView } from '../../controllers/runtime/controller.ts';
import { type Feature, OWN_ROOT } from '../routes.ts';
import type { HistoryReport } from '../types.ts';

export interface HistoryNeeds {
  readonly view: StoreView;
  readonly sourceName: string;
}

export function history({ view, sourceName }: HistoryNeeds): Feature {
  return ({ app }) => {
    app.get(`${OWN_ROOT}/history`, (): HistoryReport => {
      const status = view.get(objectKey('Source', undefined, sourceName))?.status;
      return {
        source: sourceName,
        history: status?.history ?? [],
        ...(status?.appliedRevision !== undefined && { appliedRevision: status.appliedRevision }),
      };
    });
  };
}
