/** What a session does first: with an empty store it rebuilds the state, and the others wait until it has. */
import type { Machine } from '../../contracts/objects/index.ts';
import { joinSignals } from '../../contracts/signals.ts';
import type { HeldLease, Membership } from '../controllers/runtime/membership.ts';
import { recover } from '../controllers/recovery.ts';
import { GitHistory } from '../controllers/recovery-history.ts';
import { RevisionReader } from '../controllers/sync/revision-reader.ts';
import type { OtherSources } from '../controllers/sync/other-sources.ts';
import type { Clock } from '../ports/clock.ts';
import type { GitSource } from '../ports/git-source.ts';
import type { Log } from '../ports/log.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { SecretDecryptor } from '../ports/secret-decryptor.ts';
import type { RenderEngines } from '../ports/render-engines.ts';

export interface TurnOptions {
  readonly membership: Membership;
  /** Opened, fresh. */
  readonly store: ObjectStore;
  readonly incarnation: string;
  readonly git: GitSource;
  readonly configKey?: Uint8Array;
  readonly decryptor?: SecretDecryptor;
  readonly engines?: RenderEngines;
  readonly otherSources?: OtherSources;
  readonly sourceName: string;
  readonly transport: NodeTransport;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: (line: string) => void;
}

/** The lease of whoever opens the store: until it is rebuilt, and what Git asks for is in it, nobody else begins. */
const TURN = 'opening';

/**
 * Waits for this control plane's turn to open the store, and rebuilds it where it is fresh: then the turn is kept until
 * {@link endTurn}. One that dies in between is expelled, its writes are refused, and the next one goes on. Throws LeaseLost
 * when this one is not a member any more, or loses the turn while it rebuilds.
 */
export async function takeTurn(options: TurnOptions, signal: AbortSignal): Promise<{ readonly fresh: boolean }> {
  const { store } = options;
  const turn = await waitForTurn(options, signal);
  // Whoever has lost it might not be the only one that rebuilds.
  using during = joinSignals(signal, turn.lost);
  const { fresh } = await store.open(during.signal);
  if (fresh) await rebuild(options, during.signal);
  // A count that was tampered with must not reach the agents: it is checked where the next epoch is asked for.
  else await store.nextEpoch(0, during.signal);
  return { fresh };
}

async function waitForTurn({ membership, clock, progress }: TurnOptions, signal: AbortSignal): Promise<HeldLease> {
  for (let told = false; ; told = true) {
    const [turn] = await membership.acquire([TURN], signal);
    if (turn) return turn;
    const holder = membership.view.holders.get(TURN);
    const { label } = membership.others.find(({ id }) => id === holder) ?? { label: 'another one' };
    if (!told) progress(`the control plane ${label} opens the state: waiting for it`);
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** Lets the others begin. */
export async function endTurn(membership: Membership, signal: AbortSignal): Promise<void> {
  await membership.release([TURN], signal);
}

const LOOK_AGAIN_MS = 100;
/** Newest commits looked at for one that renders. */
const RENDERABLE_WITHIN = 50;

/** Fills the store from Git and the machines' inventories and opens it for everyone. */
async function rebuild(options: TurnOptions, signal: AbortSignal): Promise<void> {
  const { store, incarnation, git, sourceName, transport, clock, log, progress } = options;
  const machines = await machinesInGit(options, signal);
  const { answered } = await recover({
    store,
    incarnation,
    machines,
    source: { name: sourceName, url: git.url, ...git.follows },
    history: new GitHistory(git, new RevisionReader(git, options)),
    transport,
    clock,
    log,
    signal,
  });
  if (machines.length > 0) progress(`recovered from ${answered.length} of ${machines.length} machines`);
}

/** Machines of the newest commit that renders: the one that is in force, or will be. */
async function machinesInGit({ git, engines }: TurnOptions, signal: AbortSignal): Promise<readonly Machine[]> {
  const head = await git.head(signal);
  if (head.state !== 'at') return [];
  const reader = new RevisionReader(git, engines && { engines });
  for (const revision of await git.log(head.revision.sha, RENDERABLE_WITHIN, signal)) {
    const { state, diagnostics } = await reader.read(revision.sha, signal);
    if (diagnostics.some((d) => d.severity === 'error')) continue;
    return [...state.values()].flatMap(({ object }) => (object.kind === 'Machine' ? [object] : []));
  }
  return [];
}
