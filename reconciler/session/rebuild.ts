/** What a session does first with an empty store. */
import type { Machine } from '../../contracts/objects/index.ts';
import { recover } from '../controllers/recovery.ts';
import { GitHistory } from '../controllers/recovery-history.ts';
import { RevisionReader } from '../controllers/sync/revision-reader.ts';
import type { Clock } from '../ports/clock.ts';
import type { GitSource } from '../ports/git-source.ts';
import type { Log } from '../ports/log.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore } from '../ports/object-store.ts';

export interface RebuildOptions {
  /** Opened, fresh. */
  readonly store: ObjectStore;
  readonly incarnation: string;
  readonly git: GitSource;
  readonly sourceName: string;
  readonly transport: NodeTransport;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: (line: string) => void;
}

/** Newest commits looked at for one that renders. */
const RENDERABLE_WITHIN = 50;

/** Fills the store from Git and the machines' inventories and opens it for everyone; answers the new epoch. */
export async function rebuild(options: RebuildOptions, signal: AbortSignal): Promise<number> {
  const { store, incarnation, git, sourceName, transport, clock, log, progress } = options;
  const machines = await machinesInGit(git, signal);
  const { epoch, answered } = await recover({
    store,
    incarnation,
    machines,
    source: { name: sourceName, url: git.url, branch: git.branch },
    history: new GitHistory(git, new RevisionReader(git)),
    transport,
    clock,
    log,
    signal,
  });
  if (machines.length > 0) progress(`recovered from ${answered.length} of ${machines.length} machines`);
  return epoch;
}

/** Machines of the newest commit that renders: the one that is in force, or will be. */
async function machinesInGit(git: GitSource, signal: AbortSignal): Promise<readonly Machine[]> {
  const head = await git.head(signal);
  if (head.state !== 'at') return [];
  const reader = new RevisionReader(git);
  for (const revision of await git.log(head.revision.sha, RENDERABLE_WITHIN, signal)) {
    const { state, diagnostics } = await reader.read(revision.sha, signal);
    if (diagnostics.some((d) => d.severity === 'error')) continue;
    return [...state.values()].flatMap(({ object }) => (object.kind === 'Machine' ? [object] : []));
  }
  return [];
}
