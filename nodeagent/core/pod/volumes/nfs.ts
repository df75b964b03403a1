/** A folder of another machine. Source: Kubernetes pkg/volume/nfs/nfs.go. */
import type { Source, VolumeMount, VolumeSource } from './source.ts';

/** Also of a volume whose definition says it; `options`: those of mount(8), besides `ro`. */
export function nfsMount(
  { server, path, readOnly }: Source<'nfs'>,
  options: readonly string[] = [],
): Extract<VolumeMount, { kind: 'nfs' }> {
  const host = server.includes(':') && !server.startsWith('[') ? `[${server}]` : server;
  return { kind: 'nfs', source: `${host}:${path}`, options: [...(readOnly ? ['ro'] : []), ...options] };
}

export const NFS: VolumeSource<'nfs'> = {
  place: () => ({ medium: 'network' }),
  readOnly: false,
  mayFail: true,
  mount: (source) => ({ ok: true, value: nfsMount(source) }),
};
