/** The control plane's home folder: its socket, keys, caches and private redis-server. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const SOCKET_NAME = 'control.sock';

/** `--home`, else `PLUMB_HOME`, else `~/.plumbline`. */
export function homeFolder(option: string | undefined): string {
  return resolve(option ?? process.env['PLUMB_HOME'] ?? join(homedir(), '.plumbline'));
}
