/** Whether this machine's kernel confines by AppArmor. */
import { readFile } from 'node:fs/promises';

/** Source: Kubernetes pkg/security/apparmor (isAppArmorEnabled of opencontainers/runc). */
export async function hasAppArmor(): Promise<boolean> {
  const said = await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => '');
  return said.startsWith('Y');
}
