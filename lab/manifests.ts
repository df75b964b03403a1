/** What a lab looks like in a GitOps repository. */
import { OWN_API_VERSION } from '../contracts/objects/index.ts';
import type { LabInfo } from './lab.ts';

/** One Machine manifest per host, with its pinned key; `path` is relative to the repository's root. */
export function machineManifests(lab: Pick<LabInfo, 'nodes'>): { readonly path: string; readonly text: string }[] {
  return lab.nodes.map((node) => ({
    path: `machines/${node.name}.yaml`,
    text: [
      `apiVersion: ${OWN_API_VERSION}`,
      'kind: Machine',
      'metadata:',
      `  name: ${node.name}`,
      'spec:',
      `  address: ${node.address}`,
      ...(node.port === 22 ? [] : [`  port: ${node.port}`]),
      '  user: root',
      `  hostKey: ${node.hostKey}`,
      `  internalIP: ${node.address}`,
      '',
    ].join('\n'),
  }));
}
