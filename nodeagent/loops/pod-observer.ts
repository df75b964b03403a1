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
  let known: { readonly sandbox: string; readonly addresses: readonly string[] } | undefined;

  async function detailOf(
    container: ContainerSummary,
    spec: Container | undefined,
    signal: AbortSignal,
  ): Promise<ContainerDetail | undefined> {
    const before = details.get(container.id);
    const same = before?.state === container.state;
    const detail = same ? before : await unlessGone(runtime.container(container.id, signal));
    if (detail?.state !== 'exited' || (same && !fallsBack(detail, spec))) return detail;
    return await withMessage(detail, container, spec);
  }

  async function withMessage(
    detail: ContainerDetail,
    container: ContainerSummary,
    spec: Container | undefined,
  ): Promise<ContainerDetail> {
    const path = container.annotations[ANNOTATION.terminationMessage];
    const written = path === undefined ? '' : await files.terminationMessage(path);
    if (written !== '') return { ...detail, message: written };
    return fallsBack(detail, spec) ? { ...detail, message: await files.logTail(detail.logPath) } : detail;
  }

  async function addressesOf(sandbox: SandboxSummary | undefined, signal: AbortSignal): Promise<readonly string[]> {
    if (!sandbox?.ready) return [];
    if (known?.sandbox === sandbox.id) return known.addresses;
    return (await unlessGone(runtime.sandboxAddresses(sandbox.id, signal))) ?? [];
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
      const addresses = await addressesOf(newestFirst[0], signal);
      const [address = '', addressIPv6] = addresses;
      details = new Map(containers.map((container) => [container.id, container.detail]));
      known = newestFirst[0] && addresses.length > 0 ? { sandbox: newestFirst[0].id, addresses } : undefined;
      return {
        sandboxes: newestFirst,
        address,
        ...(addressIPv6 !== undefined && { addressIPv6 }),
        containers: containers.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
      };
    },
  };
}

/** If the end of its log is its message: read at each look, as the runtime writes the last lines after it tells of the end. */
function fallsBack(detail: ContainerDetail, spec: Container | undefined): boolean {
  return spec?.terminationMessagePolicy === 'FallbackToLogsOnError' && detail.exitCode !== 0;
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof RuntimeError && cause.failure === 'NotFound') return undefined;
    throw cause;
  }
}
