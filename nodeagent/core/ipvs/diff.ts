/** From the virtual servers that are there to those that are wanted: the fewest commands, and what is there then. */
import { sameData } from '../data-plane/equality.ts';
import { addressOfTarget, type ServerKey, type VirtualServer, type WantedServer } from './model.ts';

export type IpvsCommand =
  | { readonly do: 'add' | 'edit' | 'delete'; readonly server: VirtualServer }
  | {
      readonly do: 'add-target' | 'edit-target' | 'delete-target';
      readonly server: VirtualServer;
      readonly target: string;
      readonly weight: number;
    };

export interface IpvsPlan {
  /** What takes new connections comes before what gives them up. */
  readonly commands: readonly IpvsCommand[];
  readonly after: ReadonlyMap<ServerKey, VirtualServer>;
}

/**
 * `live`: servers that are ours; those that are not wanted go. A target that is wanted no more keeps its connections, with
 * weight 0, while it is known; one of UDP goes at once: its clients never say that they are done.
 */
export function planServers(
  wanted: ReadonlyMap<ServerKey, WantedServer>,
  live: ReadonlyMap<ServerKey, VirtualServer>,
): IpvsPlan {
  const more: IpvsCommand[] = [];
  const less: IpvsCommand[] = [];
  const after = new Map<ServerKey, VirtualServer>();
  for (const key of [...new Set([...wanted.keys(), ...live.keys()])].sort()) {
    const there = live.get(key);
    const want = wanted.get(key);
    const next = want && nextServer(want, there);
    if (next === undefined) {
      if (there) less.push({ do: 'delete', server: there });
      continue;
    }
    after.set(key, next);
    if (there === undefined) more.push({ do: 'add', server: next });
    else if (!sameData(choiceOf(there), choiceOf(next))) more.push({ do: 'edit', server: next });
    for (const [target, weight] of next.targets) {
      const before = there?.targets.get(target);
      if (before === undefined) more.push({ do: 'add-target', server: next, target, weight });
      else if (before !== weight) (weight > 0 ? more : less).push({ do: 'edit-target', server: next, target, weight });
    }
    for (const [target, weight] of there?.targets ?? [])
      if (!next.targets.has(target)) less.push({ do: 'delete-target', server: next, target, weight });
  }
  return { commands: [...more, ...less], after };
}

/** Undefined where nobody gets connections, and nobody has any. */
function nextServer(
  { targets, known, ...server }: WantedServer,
  there: VirtualServer | undefined,
): VirtualServer | undefined {
  const next = new Map(targets.map((target) => [target, 1]));
  if (server.protocol !== 'UDP')
    for (const target of there?.targets.keys() ?? [])
      if (!next.has(target) && known.includes(addressOfTarget(target))) next.set(target, 0);
  return next.size === 0 ? undefined : { ...server, targets: next };
}

function choiceOf({ scheduler, persistentSeconds }: VirtualServer): unknown {
  return [scheduler, persistentSeconds ?? 0];
}

/** How the servers that are there differ from those that were written, for a log line; undefined when they do not. */
export function describeDamage(
  written: ReadonlyMap<ServerKey, VirtualServer>,
  live: ReadonlyMap<ServerKey, VirtualServer>,
): string | undefined {
  for (const [key, server] of written) {
    const there = live.get(key);
    if (there === undefined) return `virtual server ${key} is gone`;
    if (!sameData(choiceOf(there), choiceOf(server))) return `virtual server ${key} chooses in another way`;
    for (const [target, weight] of server.targets)
      if (there.targets.get(target) !== weight) return `virtual server ${key} has not ${target} with weight ${weight}`;
    if (there.targets.size !== server.targets.size) return `virtual server ${key} has targets that nobody wrote`;
  }
  return live.size === written.size ? undefined : `there are ${live.size} virtual servers, not ${written.size}`;
}
