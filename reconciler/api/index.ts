/** The control plane's API. */
export type { ApiDependencies, RollbackRequest } from './dependencies.ts';
export { startApi, type ApiServer } from './server.ts';
export type { ControlPlaneInfo, ExplainReport, HistoryReport, NodeReport, ObjectList, PlanReport, StatusReport } from './types.ts';
