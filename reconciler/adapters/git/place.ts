/** Where a repository is, and how it is spoken with. */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TerminalError } from '../../core/errors.ts';
import { type GitCredentials, splitCredentials } from './credentials.ts';
import { findRepository, type FoundRepository } from './find-repository.ts';
import { httpRemote } from './http-remote.ts';
import { localServiceArgv, processRemote } from './process-remote.ts';
import type { GitRemote } from './remote.ts';
import { explainSsh, parseSshUrl, sshServiceArgv } from './ssh.ts';

export interface PlaceOptions {
  /**
   * A path (bare repository or work tree), `file://`, `https://` (with or without `user:token@`), `ssh://` or
   * `user@host:path`.
   */
  readonly url: string;
  readonly credentials?: GitCredentials;
  /** Private key file for SSH. */
  readonly sshKey?: string;
  /** PEM of the only authorities that the certificate of an HTTPS server may be of. */
  readonly ca?: string;
  /**
   * With what these options say, and nothing else of what this machine's user has. They are of a Secret, and errors say so.
   */
  readonly alone?: boolean;
  /** known_hosts file for SSH; OpenSSH's own when absent. */
  readonly knownHosts?: string;
  /** Longest silence of an HTTP server that has not finished, in milliseconds; a minute when absent. */
  readonly httpSilenceMs?: number;
}

export interface Place {
  /** Without credentials. */
  readonly url: string;
  readonly remote: GitRemote;
  /** The repository itself, where it is on this machine and was named by its path. */
  readonly found: FoundRepository | undefined;
}

/**
 * Asks nobody. Throws TerminalError `RepositoryNotFound` for a path without a repository, `GitUrlInvalid` for text that is no
 * place of one.
 */
export async function findPlace(options: PlaceOptions): Promise<Place> {
  const { url, credentials } = splitCredentials(options.url);
  if (/^https?:\/\//.test(url))
    return { url, remote: httpRemote(url, options.credentials ?? credentials, options), found: undefined };
  if (url.startsWith('file://'))
    return { url, remote: processRemote(url, localServiceArgv(fileURLToPath(url))), found: undefined };
  if (!isAbsolute(url) && !url.startsWith('.') && !existsSync(url)) {
    const ssh = parseSshUrl(url);
    if (ssh) {
      const remote = processRemote(
        url,
        sshServiceArgv(ssh, options.sshKey, options.knownHosts, options.alone),
        explainSsh(ssh, options.knownHosts, options.alone),
      );
      return { url, remote, found: undefined };
    }
  }
  const path = resolvePath(url);
  const found = await findRepository(path);
  if (!found)
    throw new TerminalError(
      'RepositoryNotFound',
      `${path} is no Git repository: make one with \`plumb init --bare ${url}\``,
    );
  return { url: path, remote: processRemote(path, localServiceArgv(found.gitdir)), found };
}
