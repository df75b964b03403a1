/** A pod as the runtime shows it. */
import type { Container, Pod } from '../../../contracts/objects/index.ts';
import { isSidecar } from '../../../contracts/objects/pod-containers.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { ANNOTATION } from './identity.ts';
import type { ContainerDetail, ContainerSummary, SandboxSummary } from './runtime-types.ts';

export interface ObservedContainer extends ContainerSummary {
  readonly detail: ContainerDetail;
}

export interface ObservedPod {
  /** Newest first. */
  readonly sandboxes: readonly SandboxSummary[];
  /** Of the newest sandbox while it is ready; empty before. */
  readonly address: string;
  /** Its address of IPv6, where it has one beside. */
  readonly addressIPv6?: string | undefined;
  /** Newest first. */
  readonly containers: readonly ObservedContainer[];
}

/** What the prober found, by container id. */
export interface ProbeVerdict {
  readonly started: boolean;
  readonly ready: boolean;
  /** The container is to be killed: its liveness or startup probe failed too often. */
  readonly kill: { readonly message: string; readonly graceSeconds: number | undefined } | undefined;
}

export const NOTHING_OBSERVED: ObservedPod = { sandboxes: [], address: '', containers: [] };

export type Role = 'init' | 'sidecar' | 'app' | 'ephemeral';

/** One container of the spec with what is there of it. */
export interface ContainerView {
  readonly spec: Container;
  readonly role: Role;
  /** The newest in the pod's present sandbox. */
  readonly current: ObservedContainer | undefined;
  /** The newest that ended, other than `current`. */
  readonly previous: ObservedContainer | undefined;
  /** Newest of any sandbox. */
  readonly newest: ObservedContainer | undefined;
  readonly restarts: number;
}

export function presentSandbox(observed: ObservedPod): SandboxSummary | undefined {
  const newest = observed.sandboxes[0];
  return newest?.ready ? newest : undefined;
}

/** Init containers and sidecars first, what was put into the pod last, each in the spec's order. */
export function containerViews(pod: Pod, observed: ObservedPod): readonly ContainerView[] {
  const sandbox = presentSandbox(observed) ?? observed.sandboxes[0];
  const view =
    (roleOf: (spec: Container) => Role) =>
    (spec: Container): ContainerView => {
      const all = observed.containers.filter((c) => c.name === spec.name);
      const newest = all[0];
      const current = newest?.sandboxId === sandbox?.id ? newest : undefined;
      const previous = all.find((c) => c !== newest && isOver(c));
      return {
        spec,
        role: roleOf(spec),
        current,
        previous: current ? previous : newest,
        newest,
        restarts: annotated(newest, ANNOTATION.restarts),
      };
    };
  return [
    ...(pod.spec.initContainers ?? []).map(view((spec) => (isSidecar(spec) ? 'sidecar' : 'init'))),
    ...pod.spec.containers.map(view(() => 'app')),
    ...(pod.spec.ephemeralContainers ?? []).map(view(() => 'ephemeral')),
  ];
}

export function isOver(container: ObservedContainer): boolean {
  return container.state === 'exited' || container.state === 'unknown';
}

/**
 * When each container ended, by the monotonic clock: what was known, and for one newly seen to have ended what the wall
 * says, which may have been set since: no end is in the future, nor before the last look that did not show it
 * (undefined when nobody looked before).
 */
export function datedEnds(
  before: ReadonlyMap<string, number>,
  containers: readonly ObservedContainer[],
  clocks: { readonly now: number; readonly monotonic: number; readonly lookedAt: number | undefined },
): ReadonlyMap<string, number> {
  const { now, monotonic, lookedAt = Number.NEGATIVE_INFINITY } = clocks;
  return new Map(
    containers
      .filter(isOver)
      .map(({ id, detail }) => [
        id,
        before.get(id) ?? Math.min(monotonic, Math.max(lookedAt, monotonic - (now - detail.finishedAt))),
      ]),
  );
}

/** A number that was written on a container when it was made; 0 where there is none. */
export function annotated(container: ContainerSummary | undefined, name: string): number {
  const value = Number(readKey(container?.annotations, name) ?? 0);
  return Number.isFinite(value) ? value : 0;
}
