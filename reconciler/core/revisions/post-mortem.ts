/**
 * How things stood when a newer revision took the place of the one in force: what is kept of it once its pods are gone.
 */
import type { ContainerStatus, FailedContainer, PostMortem, StoredPod } from '../../../contracts/objects/index.ts';
import type { CustomView } from '../kinds/custom.ts';
import { podsOf } from '../kinds/owners.ts';
import { customSourceObjects, type LiveReader, reportHealth, sourceObjects, unhealthySentences } from './health.ts';
import { shownText } from './history.ts';

/** Every record of a history may have one: together they must stay small beside what a Source otherwise holds. */
const MAX_CAUSES = 3;
const MAX_CAUSE = 200;
const MAX_CONTAINERS = 3;
const MAX_LINES = 400;

/** Reasons to wait that are no failure. Source: Kubernetes, pkg/kubelet/kubelet_pods.go. */
const STARTING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

interface Judged extends LiveReader {
  readonly custom: Pick<CustomView, 'list'>;
}

/**
 * Looks at all objects of the source, and at the pods of those that are not healthy. Bounded in size whatever
 * containers wrote.
 */
export function postMortem(view: Judged, sourceName: string): PostMortem {
  const judged = sourceObjects(view, sourceName).map((object) => ({ object, report: reportHealth(object, view) }));
  const unhealthy = judged.filter(({ report }) => report.health !== 'Healthy');
  const containers = unhealthy.flatMap(({ object }) => podsOf(view, object)).flatMap(failedContainers);
  const reports = [
    ...unhealthy.map(({ report }) => report),
    ...customSourceObjects(view.custom, sourceName).map((object) => reportHealth(object, view)),
  ];
  const broken = containers.length > 0 || reports.some(({ health }) => health === 'Degraded' || health === 'Missing');
  const sentences = unhealthySentences(reports);
  return {
    health: sentences.length === 0 ? 'Healthy' : broken ? 'Degraded' : 'Progressing',
    causes: [
      ...sentences.slice(0, MAX_CAUSES).map((cause) => cut(cause, MAX_CAUSE)),
      ...(sentences.length > MAX_CAUSES ? [`and ${sentences.length - MAX_CAUSES} more`] : []),
    ],
    containers: containers.slice(0, MAX_CONTAINERS),
    ...(containers.length > MAX_CONTAINERS && { moreContainers: containers.length - MAX_CONTAINERS }),
  };
}

function failedContainers(pod: StoredPod): FailedContainer[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].flatMap(
    (status) => failed(pod, status) ?? [],
  );
}

function failed(
  pod: StoredPod,
  { name, restartCount, state, lastState }: ContainerStatus,
): FailedContainer | undefined {
  const waiting = state.waiting && !STARTING.has(state.waiting.reason) ? state.waiting : undefined;
  const ended = state.terminated ?? lastState.terminated;
  if (!waiting && (state.terminated?.exitCode ?? 0) === 0) return undefined;
  const words = ended?.message ?? waiting?.message;
  return {
    pod: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`,
    container: name,
    reason: waiting?.reason ?? ended?.reason ?? '',
    restarts: restartCount,
    ...(ended && { exitCode: ended.exitCode }),
    ...(words !== undefined && words.trim() !== '' && { message: cutFront(words.trim(), MAX_LINES) }),
  };
}

function cut(text: string, length: number): string {
  const shown = shownText(text);
  return shown.length > length ? `${shown.slice(0, length - 1)}…` : shown;
}

/** The end of a log tells why. */
function cutFront(text: string, length: number): string {
  const shown = shownText(text);
  return shown.length > length ? `…${shown.slice(1 - length)}` : shown;
}
