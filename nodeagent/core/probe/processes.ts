/** Which processes of a container a command has started. Source: proc_pid_stat(5), credentials(7). */

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /**
   * Process id of the session's leader. A runtime makes each command that it runs a leader; what that starts stays in
   * the session unless it asks for its own.
   */
  readonly session: number;
  /** Clock ticks after boot: with `pid`, this names one process for good. */
  readonly startTime: number;
}

/** Undefined for what has ended and only waits for its parent, and for a text that is none of /proc/PID/stat. */
export function parseStat(text: string): Process | undefined {
  // The name is in parentheses, and the program chooses it: what counts is behind the last one.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const [pid, parent, session, startTime] = [text.slice(0, text.indexOf(' ')), fields[1], fields[3], fields[19]].map(
    Number,
  );
  const state = fields[0];
  if (
    end < 0 ||
    pid === undefined ||
    parent === undefined ||
    session === undefined ||
    startTime === undefined ||
    ![pid, parent, session, startTime].every(Number.isSafeInteger)
  )
    return undefined;
  return state === 'Z' || state === 'X' ? undefined : { pid, parent, session, startTime };
}

/**
 * The command itself (`leader`), its session, and all that descends from these. `known`: what was found before, whose
 * children may have lost their parent since. What left both the session and its parents (a daemon) is the container's
 * own from then on.
 */
export function startedBy(
  leader: number,
  processes: readonly Process[],
  known: ReadonlySet<number> = new Set(),
): readonly Process[] {
  const found = new Set<number>([leader, ...known]);
  const isIts = (one: Process): boolean => found.has(one.pid) || found.has(one.parent) || one.session === leader;
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const one of processes) if (isIts(one)) found.add(one.pid);
  }
  return processes.filter((one) => found.has(one.pid));
}
