/** Where a pod's cgroup is. */
/** Below each hierarchy. `parent`: `/plumbline/podUID`, or a slice's name. */
export function cgroupPath(parent: string): string {
  return parent.startsWith('/') ? parent : slicePath(parent);
}

/** `a-b.slice` is in `a.slice`. Source: systemd.slice(5). */
function slicePath(slice: string): string {
  const parts = slice.replace(/\.slice$/, '').split('-');
  return parts.map((_part, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}
