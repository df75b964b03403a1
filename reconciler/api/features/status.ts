/** Is the newest commit in force and everything in it well? Answered now, or held until that changes. */
import { followedWords } from '../../core/sources/follow.ts';
import { z } from 'zod';
import { errorText } from '../../../contracts/errors.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import type { StoreView } from '../../controllers/runtime/controller.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GitSource } from '../../ports/git-source.ts';
import { type Feature, OWN_ROOT, read } from '../routes.ts';
import { type HeadAnswer, statusReport } from '../status.ts';
import type { ControlPlaneInfo } from '../types.ts';

export interface StatusNeeds {
  readonly view: StoreView;
  readonly git: GitSource;
  readonly sourceName: string;
  readonly info: ControlPlaneInfo;
  /** Why the live state cannot be read or written now; undefined while all is well. */
  readonly storeProblem: () => string | undefined;
  /** Calls back on any change of the live state; returns how to stop. */
  readonly onChange: (listener: () => void) => () => void;
  readonly clock: Clock;
}

const HEAD_MS = 5000;
/** The branch is not asked again sooner than this, in milliseconds, while someone waits for a status. */
const HEAD_FRESH_MS = 250;
const MAX_HOLD_SECONDS = 60;
/** Also without a change: what the branch points at is none. */
const LOOK_AGAIN_MS = 1000;
/** Changes that come together are looked at once, in milliseconds. */
const SETTLE_MS = 25;

/** `seen`: what was missing in the answer before. One that misses just the same is held for `wait` seconds. */
const Query = z.object({
  wait: z.coerce.number().min(0).max(MAX_HOLD_SECONDS).optional(),
  seen: z.string().optional(),
});

export function status(needs: StatusNeeds): Feature {
  const { view, git, sourceName, info, storeProblem, clock } = needs;
  const report = (head: HeadAnswer): ReturnType<typeof statusReport> =>
    statusReport({
      view,
      sourceName,
      url: git.url,
      follows: git.follows,
      controlPlane: info,
      head,
      storeProblem: storeProblem(),
    });
  return ({ app, signalOf }) => {
    app.get(`${OWN_ROOT}/status`, async (request, reply) => {
      const { wait, seen } = read(Query, request.query);
      const signal = signalOf(reply);
      const currentHead = headReader(needs, signal);
      const until = clock.monotonic() + (wait ?? 0) * 1000;
      for (;;) {
        const changed = nextChange(needs);
        try {
          const now = report(await currentHead());
          const left = until - clock.monotonic();
          if (left <= 0 || (now.synced && now.healthy) || seen === undefined || JSON.stringify(now.missing) !== seen)
            return now;
          using pause = clock.deadline(Math.min(left, LOOK_AGAIN_MS), signal);
          await unlessAborted(pause.signal, changed.happened).catch(() => undefined);
          signal.throwIfAborted();
        } finally {
          changed.stop();
        }
        await clock.sleep(SETTLE_MS, signal);
      }
    });
  };
}

/**
 * Asks Git for the branch: at once when it is first called, then not more often than {@link HEAD_FRESH_MS}. One for
 * each request, so that an answer is never older than its question. A failure is an answer too.
 */
function headReader(needs: StatusNeeds, signal: AbortSignal): () => Promise<HeadAnswer> {
  let last: { readonly at: number; readonly answer: Promise<HeadAnswer> } | undefined;
  async function ask(): Promise<HeadAnswer> {
    using limit = needs.clock.deadline(HEAD_MS, signal);
    try {
      const head = await needs.git.head(limit.signal);
      if (head.state === 'at') return { sha: head.revision.sha };
      return {
        problem:
          head.state === 'unborn'
            ? 'the repository has no commit yet'
            : `there is no ${followedWords(needs.git.follows)} (any more)`,
      };
    } catch (error) {
      return { problem: errorText(error) };
    }
  }
  return () => {
    signal.throwIfAborted();
    if (!last || needs.clock.monotonic() - last.at > HEAD_FRESH_MS)
      last = { at: needs.clock.monotonic(), answer: ask() };
    return last.answer;
  };
}

function nextChange(needs: StatusNeeds): { readonly happened: Promise<void>; stop(): void } {
  let stop = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    stop = needs.onChange(resolve);
  });
  return {
    happened,
    stop: () => {
      stop();
    },
  };
}
