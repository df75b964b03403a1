/** The Cluster object's settings, as controllers read them. */
import { ClusterManifest, OWN_API_VERSION, type ClusterSpec } from '../../contracts/objects/index.ts';
import type { StoreView } from './runtime/controller.ts';

const DEFAULTS = ClusterManifest.parse({
  apiVersion: OWN_API_VERSION,
  kind: 'Cluster',
  metadata: { name: 'defaults' },
}).spec;

/** Settings of the one Cluster object (the first by name), or the defaults where the repository has none. */
export function clusterSettings(view: StoreView): ClusterSpec {
  return view.list('Cluster')[0]?.spec ?? DEFAULTS;
}
