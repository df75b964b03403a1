/** The lab's SSH identities: the control plane's key, one host key per host, and the known_hosts that pins them. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hostKey } from './host.ts';
import { runOrFail } from './process.ts';
import { hostsOf, labPaths, type HostSettings, type LabSettings } from './settings.ts';

/** Makes the control plane's key pair; gives the public half as a line of authorized_keys. */
export async function makeControlKey(settings: LabSettings, signal?: AbortSignal): Promise<string> {
  const file = labPaths.sshKey(settings.dir);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await keygen(file, `plumbline-lab-${settings.name}`, signal);
  return (await readFile(`${file}.pub`, 'utf8')).trim();
}

export async function makeHostKey(host: HostSettings, signal?: AbortSignal): Promise<void> {
  const file = `${labPaths.disk(host)}/etc/ssh/ssh_host_ed25519_key`;
  await mkdir(dirname(file), { recursive: true });
  await keygen(file, `root@${host.name}`, signal);
}

export async function writeKnownHosts(settings: LabSettings): Promise<void> {
  const lines = await Promise.all(
    hostsOf(settings).map(async (host) => `${host.name},${host.address} ${await hostKey(host)}\n`),
  );
  await writeFile(labPaths.knownHosts(settings.dir), lines.join(''));
}

async function keygen(file: string, comment: string, signal: AbortSignal | undefined): Promise<void> {
  await runOrFail(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file], { signal });
  await chmod(file, 0o600);
}
