/** The one place that reads why `ipvsadm` and `ip` failed. */

/** One sentence. */
export function explainFailure(program: string, code: number | null, stderr: string): string {
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ')
    .slice(0, 300);
  if (/Can't initialize ipvs/.test(said))
    return 'the kernel of this machine has no IPVS, or has not loaded it: modprobe ip_vs, and ip_vs in a file of /etc/modules-load.d';
  if (said !== '') return `${program} refused: ${said}`;
  return `${program} ended with ${code === null ? 'a signal' : `code ${code}`} and said nothing`;
}

/** What `ip` says of a table that has no route. */
export function isNoSuchTable(stderr: string): boolean {
  return /FIB table does not exist/.test(stderr);
}
