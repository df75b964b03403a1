/** Turns this machine into a router for its pods, before anything else could do the same at the same time. */
import { readdir, readFile, writeFile } from 'node:fs/promises';

const DEVICES = '/proc/sys/net/ipv4/conf';
const ALL = '/proc/sys/net/ipv4/ip_forward';

/**
 * Sets `net.ipv4.ip_forward` and checks it on every device. Call it before the first sandbox is made: the CNI plugins
 * write the same setting, and when several first writes meet, the kernel may leave `all` at 1 with every device at 0
 * (net/ipv4/devinet.c, devinet_sysctl_forward: a writer that has to wait puts the old value back for a moment).
 * Idempotent; also mends a machine that is in that state.
 */
export async function enableForwarding(): Promise<void> {
  if ((await readFile(ALL, 'utf8')).trim() !== '1') await writeFile(ALL, '1');
  for (const device of await readdir(DEVICES)) {
    const path = `${DEVICES}/${device}/forwarding`;
    // A device may go away at any time.
    const value = await readFile(path, 'utf8').catch(() => undefined);
    if (value !== undefined && value.trim() !== '1') await writeFile(path, '1').catch(() => undefined);
  }
}
