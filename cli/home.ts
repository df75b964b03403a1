/** The control plane's home folder: its socket, keys, caches and private redis-server. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { SERVICE_HOME } from './service/places.ts';

export const SOCKET_NAME = 'control.sock';

/** `--home`, else `PLUMB_HOME`, else `~/.plumbline`: where a control plane runs. */
export function ownHome(option: string | undefined): string {
  return resolve(option ?? process.env['PLUMB_HOME'] ?? join(homedir(), '.plumbline'));
}

/** The same for whoever asks one: nobody's own is that of the control plane that is installed on this machine. */
export function homeFolder(option: string | undefined): string {
  const own = ownHome(option);
  const isChosen = option !== undefined || process.env['PLUMB_HOME'] !== undefined;
  return isChosen || existsSync(join(own, SOCKET_NAME)) || !existsSync(SERVICE_HOME) ? own : SERVICE_HOME;
}

/** The command's own options together with `--home`. */
export function withHome<T extends object>(options: T, command: Command): T & { readonly home?: string } {
  return { ...options, ...command.optsWithGlobals<{ readonly home?: string }>() };
}
