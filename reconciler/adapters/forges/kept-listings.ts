/**
 * Listings of pull requests as other repositories are: what was seen is known by its contents, and stays on disk for as
 * long as it is in force. Nothing in it is secret; strangers' words are in it.
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  listingFiles,
  listingId,
  listingText,
  MAX_LISTING_BYTES,
  MAX_PULL_REQUESTS,
} from '../../core/apps/pull-requests.ts';
import type { WantedSource } from '../../core/apps/other-sources.ts';
import { TerminalError } from '../../core/errors.ts';
import type { OtherRepositories, OtherRepository } from '../../ports/other-repositories.ts';
import type { PullRequests } from '../../ports/pull-requests.ts';

export interface KeptListingsOptions {
  /** A folder for each listing, a file for each of its states. */
  readonly dir: string;
  readonly forges: PullRequests;
  /** When to look, as for repositories. */
  readonly hints: OtherRepository['hints'];
}

/** Of a home. */
export const LISTINGS_FOLDER = 'pull-requests';
const ENDING = '.json';

export function keptListings({ dir, forges, hints }: KeptListingsOptions): OtherRepositories {
  /** What was seen last, by source. */
  const seen = new Map<string, string>();
  return {
    async open({ id, url, follows, auth }: WantedSource): Promise<OtherRepository> {
      if (!('pullRequests' in follows))
        throw new TerminalError('GitUrlInvalid', `${url} is asked for no pull requests`);
      const { forge, repository } = follows.pullRequests;
      const folder = join(dir, id);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      async function newest(signal: AbortSignal): Promise<string> {
        const text = listingText(await forges.open({ forge, url, repository, auth }, signal));
        if (text === undefined)
          throw new TerminalError(
            'ForgeRefused',
            `${repository} has more than ${MAX_PULL_REQUESTS} open pull requests that may be run`,
          );
        const known = listingId(text);
        await keep(folder, known, text);
        seen.set(id, known);
        return known;
      }
      return {
        url,
        newest,
        async bring(known, signal) {
          if ((await readKept(folder, known)) === undefined && (await newest(signal)) !== known) throw gone(known);
        },
        async files(known) {
          if ((await readKept(folder, known)) === undefined) throw gone(known);
          return listingFiles(known);
        },
        async blob(known) {
          const text = await readKept(folder, known);
          if (text === undefined) throw gone(known);
          return Buffer.from(text);
        },
        hints,
        close: () => Promise.resolve(),
      };
    },
    async forgetAllBut(pins) {
      for (const id of await readdir(dir).catch(() => [])) {
        if (!pins.has(id)) {
          seen.delete(id);
          await rm(join(dir, id), { recursive: true, force: true });
          continue;
        }
        const kept = new Set([pins.get(id), seen.get(id)].map((known) => `${known ?? ''}${ENDING}`));
        // Before it was looked at nobody knows which is the newest.
        if (!seen.has(id)) continue;
        for (const name of await readdir(join(dir, id)))
          if (!kept.has(name)) await rm(join(dir, id, name), { force: true });
      }
    },
  };
}

/** The newest of what a control plane kept in `dir`; undefined where there is none. */
export async function keptListing(
  dir: string,
  id: string,
): Promise<{ readonly id: string; readonly text: string } | undefined> {
  const folder = join(dir, id);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(ENDING));
  const dated = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  const [last] = dated.sort((a, b) => b.at - a.at);
  const known = last?.name.slice(0, -ENDING.length);
  const text = known === undefined ? undefined : await readKept(folder, known);
  return known === undefined || text === undefined ? undefined : { id: known, text };
}

/** Written anew each time: the newest file is what was seen last. */
async function keep(folder: string, known: string, text: string): Promise<void> {
  const path = join(folder, known + ENDING);
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Undefined where it is not there, or is not what was kept. */
async function readKept(folder: string, known: string): Promise<string | undefined> {
  const path = join(folder, known + ENDING);
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined || size > MAX_LISTING_BYTES) return undefined;
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text !== undefined && listingId(text) === known ? text : undefined;
}

function gone(known: string): TerminalError {
  return new TerminalError('RevisionNotFound', `the list ${known.slice(0, 12)} of pull requests is not kept any more`);
}
