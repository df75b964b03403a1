/**
 * ConfigMaps, Secrets and what the pod is told of itself in one volume. Source: Kubernetes
 * pkg/volume/projected/projected.go: of two files at one path the later is there.
 */
import type { Resolved } from '../resolved.ts';
import { configMapFiles } from './config-map.ts';
import { downwardFiles } from './downward-api.ts';
import { mountedFiles } from './files.ts';
import { secretFiles } from './secret.ts';
import type { Source, VolumeContext, VolumeFile, VolumeSource } from './source.ts';

type Projection = NonNullable<Source<'projected'>['sources']>[number];

function filesOf(
  { configMap, secret, downwardAPI }: Projection,
  defaultMode: number,
  context: VolumeContext,
): Resolved<readonly VolumeFile[]> {
  if (configMap) return configMapFiles(configMap.name, { ...configMap, defaultMode }, context.objects);
  if (secret) return secretFiles(secret.name, { ...secret, defaultMode }, context.objects);
  return downwardFiles(downwardAPI?.items, defaultMode, context);
}

export const PROJECTED: VolumeSource<'projected'> = {
  /** It may have secrets in it. */
  place: () => ({ medium: 'memory' }),
  readOnly: true,
  mayFail: true,
  tellsOfPod: ({ sources }) => (sources ?? []).some(({ downwardAPI }) => downwardAPI !== undefined),
  mount({ sources, defaultMode }, context) {
    const files: VolumeFile[] = [];
    for (const source of sources ?? []) {
      const more = filesOf(source, defaultMode, context);
      if (!more.ok) return more;
      files.push(...more.value);
    }
    return mountedFiles({ ok: true, value: files });
  },
};
