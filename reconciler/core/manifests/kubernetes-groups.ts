/** Groups that are somebody's already. */
import { groupOf, OWN_API_VERSION } from '../../../contracts/objects/index.ts';

/**
 * Groups whose kinds the API server of Kubernetes has itself. What is of another group was defined there by somebody.
 */
export const KUBERNETES_GROUPS: ReadonlySet<string> = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'extensions',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
  'storagemigration.k8s.io',
]);
/** Plumbline's own. */
export const OWN_GROUP = groupOf(OWN_API_VERSION);
