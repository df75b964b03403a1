/** Kubernetes objects that Plumbline acts on, and its own kinds. */
export * from './conditions.ts';
export * from './config.ts';
export * from './events.ts';
export * from './key.ts';
export * from './kinds.ts';
export * from './meta.ts';
export * from './nodes.ts';
export * from './own.ts';
export * from './placement.ts';
export * from './pod.ts';
export * from './quantity.ts';
export * from './scheduling.ts';
export * from './scheduler-args.ts';
export * from './selectors.ts';
export * from './services.ts';
export * from './well-known.ts';
export * from './workloads.ts';
export { objectSchemaMeta, type ObjectSchemaMeta } from './schema.ts';
