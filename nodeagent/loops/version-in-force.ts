/**
 * The version of the assignment that the node reports as in force. Both the packet filter and the proxy send to
 * endpoints, each at its own pace, and the control plane has a pod end once no node sends to it: what counts is the one
 * that is behind.
 */
import type { AssignmentSource, NetworkState } from '../core/assignment.ts';

export interface VersionInForce {
  /** What the network loop tells of itself. */
  noteNetwork(state: NetworkState): void;
  /** The proxy sends to endpoints of this version, or sends nothing. */
  noteProxy(version: string): void;
}

interface Reached {
  readonly version: string;
  readonly place: number;
}

/** Create before the loops, so that it hears of each version before they do. `onState` hears what is to be reported. */
export function createVersionInForce(
  assignment: AssignmentSource,
  onState: (state: NetworkState) => void,
): VersionInForce {
  /** Versions by their place in the order in which they came; none that all are past. */
  const places = new Map<string, number>();
  let last = 0;
  let newest: string | undefined;
  let state: NetworkState = { version: null, error: null };
  let rules: Reached | undefined;
  let proxy: Reached | undefined;

  const placeOf = (version: string): number => {
    const known = places.get(version);
    if (known !== undefined) return known;
    last += 1;
    places.set(version, last);
    return last;
  };
  assignment.onChange(() => {
    const { version } = assignment.current();
    if (version === null || version === newest) return;
    newest = version;
    // One that was there before is the newest again.
    places.delete(version);
    placeOf(version);
  });

  const tell = (error: string | null): void => {
    const behind = rules && proxy && (proxy.place < rules.place ? proxy : rules);
    if (behind) for (const [version, place] of places) if (place < behind.place) places.delete(version);
    const version = behind?.version ?? null;
    if (version === state.version && error === state.error) return;
    state = { version, error };
    onState(state);
  };

  return {
    noteNetwork({ version, error }) {
      if (version !== null && version !== rules?.version) rules = { version, place: placeOf(version) };
      tell(error);
    },
    noteProxy(version) {
      if (version === proxy?.version) return;
      proxy = { version, place: placeOf(version) };
      tell(state.error);
    },
  };
}
