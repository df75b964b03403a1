/**
 * ConfigMaps, Secrets, tokens and what the pod is told of itself in one volume. Source: Kubernetes
 * pkg/volume/projected/projected.go: of two files at one path the later is there.
 */
import { readKey } from '../../../../contracts/objects/own-key.ts';
import { tokenKey, tokenSecretName } from '../../../../contracts/objects/pod-tokens.ts';
import type { Resolved } from '../resolved.ts';
import { configMapFiles } from './config-map.ts';
import { downwardFiles } from './downward-api.ts';
import { configFiles, mountedFiles } from './files.ts';
import { secretFiles } from './secret.ts';
import type { Source, VolumeContext, VolumeFile, VolumeSource } from './source.ts';

type Projection = NonNullable<Source<'projected'>['sources']>[number];

function filesOf(
  { configMap, secret, downwardAPI, serviceAccountToken }: Projection,
  defaultMode: number,
  context: VolumeContext,
): Resolved<readonly VolumeFile[]> {
  if (configMap) return configMapFiles(configMap.name, { ...configMap, defaultMode }, context.objects);
  if (secret) return secretFiles(secret.name, { ...secret, defaultMode }, context.objects);
  if (serviceAccountToken) return tokenFile(serviceAccountToken, defaultMode, context);
  return downwardFiles(downwardAPI?.items, defaultMode, context);
}

/**
 * A token as the control plane made it last: it is renewed there, long before it expires. Where the pod has a group, the
 * token is for that group alone.
 */
function tokenFile(
  request: NonNullable<Projection['serviceAccountToken']>,
  defaultMode: number,
  { pod, objects }: VolumeContext,
): Resolved<readonly VolumeFile[]> {
  const token = readKey(objects.secret(tokenSecretName(pod.metadata.name))?.data, tokenKey(request));
  if (token === undefined)
    return { ok: false, message: 'the token of the pod has not come from the control plane yet' };
  const mode = pod.spec.securityContext?.fsGroup === undefined ? defaultMode : 0o600;
  return { ok: true, value: [{ path: request.path, mode, content: Buffer.from(token, 'base64') }] };
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
    // What else is in it has to follow.
    const isConfig = (sources ?? []).every(({ configMap, secret }) => configMap ?? secret);
    return isConfig ? configFiles({ ok: true, value: files }, context.pod) : mountedFiles({ ok: true, value: files });
  },
};
