/** The control plane's API. */
export { startRebuildingApi } from './rebuilding.ts';
export { startApi, type ApiServer } from './server.ts';
export type { ControlPlaneInfo, HistoryReport, StatusReport } from './types.ts';
