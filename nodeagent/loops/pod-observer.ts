/** Looks at one pod in the runtime. What cannot change any more is asked for once. */
import type { Container, Pod } from '../../contracts/objects/index.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import { ANNOTATION } from '../core/pod/identity.ts';
import type { ObservedContainer, ObservedPod } from '../core/pod/observed.ts';
import type { ContainerDetail, ContainerSummary, SandboxSummary } from '../core/pod/runtime-types.ts';
import { RuntimeError, type ContainerRuntime } from '../ports/container-runtime.ts';
import type { PodFiles } from '../ports/pod-files.ts';

export interface PodObserver {
  observe(pod: Pod | undefined, signal: AbortSignal): Promise<ObservedPod>;
}

export function createPodObserver(uid: string, runtime: ContainerRuntime, files: PodFiles): PodObserver {
  let details = new Map<string, ContainerDetail>();
  let addresses = new Map<string, string>();

  async function detailOf(
    container: ContainerSummary,
    spec: Container | undefined,
    signal: AbortSignal,
  ): Promise<ContainerDetail | undefined> {
    const known = details.get(container.id);
    if (known?.state === container.state) return known;
    const detail = await unlessGone(runtime.container(container.id, signal));
    return detail && detail.state === 'exited' ? withMessage(detail, container, spec) : detail;
  }

  async function withMessage(
    detail: ContainerDetail,
    container: ContainerSummary,
    spec: Container | undefined,
  ): Promise<ContainerDetail> {
    const path = container.annotations[ANNOTATION.terminationMessage];
    const written = path === undefined ? '' : await files.terminationMessage(path);
    if (written !== '') return { ...detail, message: written };
    const fallBack = spec?.terminationMessagePolicy === 'FallbackToLogsOnError' && detail.exitCode !== 0;
    return fallBack ? { ...detail, message: await files.logTail(detail.logPath) } : detail;
  }

  async function addressOf(sandbox: SandboxSummary | undefined, signal: AbortSignal): Promise<string> {
    if (!sandbox?.ready) return '';
    return addresses.get(sandbox.id) ?? (await unlessGone(runtime.sandboxAddress(sandbox.id, signal))) ?? '';
  }

  return {
    async observe(pod, signal) {
      const [sandboxes, summaries] = await Promise.all([
        runtime.listSandboxes(uid, signal),
        runtime.listContainers(uid, signal),
      ]);
      const specs = pod ? everyContainer(pod.spec) : [];
      const newestFirst = [...sandboxes].sort((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt);
      const containers: ObservedContainer[] = [];
      await Promise.all(
        summaries.map(async (container) => {
          const detail = await detailOf(
            container,
            specs.find((spec) => spec.name === container.name),
            signal,
          );
          // The list and the look at one may differ by a moment: the later one counts.
          if (detail) containers.push({ ...container, state: detail.state, detail });
        }),
      );
      const address = await addressOf(newestFirst[0], signal);
      details = new Map(containers.map((container) => [container.id, container.detail]));
      addresses = new Map(newestFirst[0] && address !== '' ? [[newestFirst[0].id, address]] : []);
      return {
        sandboxes: newestFirst,
        address,
        containers: containers.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
      };
    },
  };
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof RuntimeError && cause.failure === 'NotFound') return undefined;
    throw cause;
  }
}
