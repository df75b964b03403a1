/**
 * Repositories that commits name. Whoever commits chooses where is asked, so nothing of this machine's own goes along: no
 * key, no agent, no password, no setting of ssh, and no repository of this machine is read.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TerminalError } from '../../core/errors.ts';
import { OWN_AUTH, type WantedSource } from '../../core/apps/other-sources.ts';
import type { Chosen } from '../../core/sources/follow.ts';
import { isSameOrigin } from '../../core/sources/submodule-url.ts';
import type { GitSource } from '../../ports/git-source.ts';
import type { OtherRepositories, OtherRepository } from '../../ports/other-repositories.ts';
import { GitCredentials, splitCredentials } from './credentials.ts';
import { FETCHED_TAG } from './own-refs.ts';
import type { Nudges } from './nudges.ts';
import { openGitSource, type GitSourceOptions } from './source.ts';

/** Of one fetch of one of them, in bytes. */
const MAX_PACK_BYTES = 256 * 1024 * 1024;

/** Memory, where the machine has such a folder: keys touch no disk. */
const KEYS_DIR = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** The repository that is followed, and what its server lets in: for its submodules there. */
export type OwnRepository = Pick<GitSourceOptions, 'url' | 'credentials' | 'sshKey' | 'knownHosts'>;

/** `dir`: where what is fetched is kept; a webhook asks for a look at each of them. */
export function otherRepositories(dir: string, nudges?: Nudges, own?: OwnRepository): OtherRepositories {
  return {
    async open({ id, url, follows, auth }): Promise<OtherRepository> {
      if ('pullRequests' in follows) throw new TerminalError('GitUrlInvalid', `${url} is asked for no files`);
      const isOwn = own !== undefined && auth === OWN_AUTH && isSameOrigin(url, own.url);
      if (!isOwn && !/^(https?|ssh):\/\//.test(url))
        throw new TerminalError('GitUrlInvalid', `${url} is no URL of https or ssh`);
      const values = auth?.reveal() ?? new Map<string, string>();
      const options = {
        url,
        cacheDir: join(dir, id),
        maxPackBytes: MAX_PACK_BYTES,
        alone: true,
        ...('commit' in follows
          ? { branch: follows.branch ?? 'main', anyCommit: true }
          : 'branch' in follows
            ? { branch: follows.branch }
            : { follow: follows }),
        ...(nudges && { nudges }),
      };
      await mkdir(dir, { recursive: true, mode: 0o700 });
      if (isOwn) {
        const { credentials = splitCredentials(own.url).credentials } = own;
        return asOther(
          await openGitSource({ ...own, ...options, alone: false, ...(credentials && { credentials }) }),
          follows,
        );
      }
      if (!url.startsWith('ssh:')) {
        const [token, password] = [values.get('bearerToken'), values.get('password')];
        const ca = values.get('ca.crt');
        const credentials =
          token !== undefined
            ? GitCredentials.bearer(token)
            : password === undefined
              ? undefined
              : new GitCredentials(values.get('username') ?? 'git', password);
        return asOther(
          await openGitSource({ ...options, ...(credentials && { credentials }), ...(ca !== undefined && { ca }) }),
          follows,
        );
      }
      const keys = await mkdtemp(join(KEYS_DIR, 'plumbline-key-'));
      const removeKeys = (): Promise<void> => rm(keys, { recursive: true, force: true });
      try {
        const [sshKey, knownHosts] = [join(keys, 'identity'), join(keys, 'known_hosts')];
        await writeFile(sshKey, withNewline(values.get('identity') ?? ''), { mode: 0o600 });
        await writeFile(knownHosts, withNewline(values.get('known_hosts') ?? ''), { mode: 0o600 });
        const source = asOther(await openGitSource({ ...options, sshKey, knownHosts }), follows);
        return { ...source, close: () => source.close().finally(removeKeys) };
      } catch (error) {
        await removeKeys();
        throw error;
      }
    },
    async forgetAllBut(pins) {
      for (const name of await readdir(dir).catch(() => []))
        if (!pins.has(name.slice(0, 16))) await rm(join(dir, name), { recursive: true, force: true });
    },
  };
}

function asOther(git: GitSource, follows: Chosen): OtherRepository {
  const newest: OtherRepository['newest'] = async (signal) => {
    const head = await git.head(signal);
    return head.state === 'at' ? head.revision.sha : undefined;
  };
  return {
    ...git,
    newest,
    async bring(commit, signal) {
      if ('commit' in follows) await git.resolve(commit, signal);
      else await newest(signal);
    },
  };
}

/**
 * What was fetched into `dir` by whoever keeps it, at the commit that was newest then; nothing is asked, and nothing is
 * written. Throws TerminalError `RepositoryNotFound` or `RevisionNotFound` where there is none.
 */
export async function openFetched(
  dir: string,
  { id, follows }: Pick<WantedSource, 'id' | 'follows'>,
  signal: AbortSignal,
): Promise<{ readonly git: GitSource; readonly commit: string }> {
  const git = await openGitSource({ url: join(dir, id), branch: 'main' });
  try {
    if ('pullRequests' in follows) throw new TerminalError('RepositoryNotFound', 'a listing is no repository');
    const ref =
      'commit' in follows ? follows.commit : 'branch' in follows ? `refs/heads/${follows.branch}` : FETCHED_TAG;
    return { git, commit: (await git.resolve(ref, signal)).sha };
  } catch (error) {
    await git.close();
    throw error;
  }
}

/** OpenSSH reads no key whose last line does not end. */
function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
