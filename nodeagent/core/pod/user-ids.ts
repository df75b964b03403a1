/**
 * Which of the node's users and groups those of a pod with `hostUsers: false` are. Source: Kubernetes, KEP-127;
 * pkg/kubelet/userns/userns_manager.go (size, alignment, never the node's own first range).
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { ANNOTATION } from './identity.ts';
import type { Resolved } from './resolved.ts';
import type { SandboxSummary, UserIds } from './runtime-types.ts';

/** Ids of a pod: all that 16 bits can name. */
export const IDS_OF_POD = 65_536;
const LAST_ID = 2 ** 32 - 1;

/** What a sandbox was made with; undefined where its users are the node's. */
export function userIdsOf({ annotations }: Pick<SandboxSummary, 'annotations'>): UserIds | undefined {
  const first = Number(annotations[ANNOTATION.userIds] ?? '');
  return Number.isInteger(first) && first >= IDS_OF_POD && first % IDS_OF_POD === 0 ? { first } : undefined;
}

/** The first range that no sandbox has. */
export function freeUserIds(sandboxes: readonly Pick<SandboxSummary, 'annotations'>[]): Resolved<UserIds> {
  const taken = new Set(sandboxes.map((sandbox) => userIdsOf(sandbox)?.first));
  for (let first = IDS_OF_POD; first + IDS_OF_POD - 1 <= LAST_ID; first += IDS_OF_POD)
    if (!taken.has(first)) return { ok: true, value: { first } };
  return { ok: false, message: 'could not find an empty slot to allocate a user namespace' };
}

export function hasOwnUsers({ spec }: Pod): boolean {
  return spec.hostUsers === false;
}

/** Why a pod cannot have users of its own; undefined where it can. `able`: handlers that know how to. */
export function noOwnUsers(handler: string, able: readonly string[]): string | undefined {
  if (able.includes(handler)) return undefined;
  const who = handler === '' ? 'runtime' : `RuntimeClass handler ${JSON.stringify(handler)}`;
  return `can't set \`spec.hostUsers: false\`, ${who} does not support user namespaces`;
}
