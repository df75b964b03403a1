/** The control plane's API. */
import type { Log } from '../ports/log.ts';
import { allFeatures, type ApiDependencies } from './features/index.ts';
import { type ApiServer, serve } from './server.ts';

export { startRebuildingApi } from './rebuilding.ts';
export type { ApiServer };
export type { ControlPlaneInfo, HistoryReport, StatusReport } from './types.ts';

/** Serves everything that the API answers; see `serve`. */
export async function startApi(socket: string, deps: ApiDependencies & { readonly log: Log }): Promise<ApiServer> {
  return serve(socket, allFeatures(deps), deps.log);
}
