/** From a commit to objects in the store. See README.md. */
export { planRevision } from './requests.ts';
export { SyncController } from './sync-controller.ts';
