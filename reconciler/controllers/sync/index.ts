/** From a commit to objects in the store. See README.md. */
export type { ExecuteSteps, SyncDependencies } from './dependencies.ts';
export { planRevision, rollBack } from './requests.ts';
export { SyncController } from './sync-controller.ts';
