/** From a commit to objects in the store. See README.md. */
export { Publishing } from './publishing.ts';
export { planRevision } from './requests.ts';
export { SyncController } from './sync-controller.ts';
