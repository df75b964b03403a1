/** What becomes of a push, told line by line to whoever pushed. */
import type { StatusReport } from '../reconciler/api/types.ts';
import { short } from '../reconciler/core/kinds/columns.ts';
import { hopeless, summary } from './commands/status.ts';
import type { ControlPlaneClient } from './control-plane.ts';

/** The control plane holds an answer back so long, in seconds, while nothing changes. */
const HOLD_SECONDS = 5;
/** Between two lines: a rollout has many small steps. */
const PAUSE_MS = 500;
/** For a terminal; a rollout that says more is followed with `plumb status --wait`. */
const MOST_LINES = 200;

export interface FollowOptions {
  readonly revision: string;
  readonly limitMs: number;
  readonly say: (line: string) => void;
  /** Of a clock that never steps, in milliseconds. */
  readonly monotonic: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Ends when the revision is healthy, when waiting is of no use, or at the limit. Throws what the client throws. */
export async function followRollout(client: Pick<ControlPlaneClient, 'get'>, options: FollowOptions): Promise<void> {
  const { revision, limitMs, say, monotonic, sleep } = options;
  const until = monotonic() + limitMs;
  let shown = '';
  let lines = 0;
  let query = '';
  while (monotonic() < until && lines < MOST_LINES) {
    const report = await client.get<StatusReport>(`/plumbline/v1/status${query}`);
    const end = endOf(report, revision);
    const line = end ?? summary(report);
    if (line !== shown) {
      say(line);
      lines++;
    }
    if (end !== undefined) return;
    shown = line;
    query = `?wait=${HOLD_SECONDS}&seen=${encodeURIComponent(JSON.stringify(report.missing))}`;
    await sleep(PAUSE_MS);
  }
  say('it goes on; follow it with: plumb status --wait');
}

/** The last line; undefined while there is something to wait for. */
function endOf(report: StatusReport, revision: string): string | undefined {
  const { head, newest } = report.source;
  if (head !== undefined && head !== revision) return `${short(revision)} is overtaken by ${short(head)}`;
  if (newest?.revision !== revision) return undefined;
  if (newest.outcome === 'Refused' || newest.outcome === 'Failed')
    return `${short(revision)} is ${newest.outcome.toLowerCase()}: ${newest.message ?? 'see plumb status'}`;
  if (report.synced && report.healthy)
    return `${short(revision)} is healthy: ${report.objects.length} of ${report.objects.length} objects`;
  const why = hopeless(report);
  return why === undefined ? undefined : `${summary(report)}\n${why}`;
}
