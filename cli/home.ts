/** The control plane's home folder: its socket, keys, caches and private redis-server. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';

export const SOCKET_NAME = 'control.sock';

/** `--home`, else `PLUMB_HOME`, else `~/.plumbline`. */
export function homeFolder(option: string | undefined): string {
  return resolve(option ?? process.env['PLUMB_HOME'] ?? join(homedir(), '.plumbline'));
}

/** The command's own options together with `--home`. */
export function withHome<T extends object>(options: T, command: Command): T & { readonly home?: string } {
  return { ...options, ...command.optsWithGlobals<{ readonly home?: string }>() };
}
