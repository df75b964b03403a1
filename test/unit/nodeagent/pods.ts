/** Pods, containers and sandboxes for the tables of these tests. */
import type { Pod } from '../../../contracts/objects/index.ts';
import { PodManifest } from '../../../contracts/objects/pod.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { NO_MEMORY, type PodMemory } from '../../../nodeagent/core/pod/memory.ts';
import type { ObservedContainer, ObservedPod } from '../../../nodeagent/core/pod/observed.ts';
import type { PodObjects } from '../../../nodeagent/core/pod/objects.ts';
import type { PodInput } from '../../../nodeagent/core/pod/plan.ts';
import type { PodStep } from '../../../nodeagent/core/pod/steps.ts';
import type { SandboxSummary } from '../../../nodeagent/core/pod/runtime-types.ts';

export const NOW = Date.parse('2026-01-01T12:00:00Z');
export const UID = 'uid-1';

export function pod(spec: Record<string, unknown> = {}, meta: Record<string, unknown> = {}): Pod {
  const parsed = PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
  }) as unknown as Pod;
  return { ...parsed, metadata: { ...parsed.metadata, uid: UID, ...meta } };
}

export function sandbox(more: Partial<SandboxSummary> = {}): SandboxSummary {
  return {
    id: 'sandbox-0',
    pod: { namespace: 'default', name: 'app', uid: UID },
    attempt: 0,
    ready: true,
    createdAt: NOW - 60_000,
    annotations: {},
    ...more,
  };
}

interface ContainerFacts {
  readonly name?: string;
  readonly attempt?: number;
  readonly sandboxId?: string;
  readonly state?: ObservedContainer['state'];
  readonly exitCode?: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly restarts?: number;
  readonly backoffMs?: number;
  readonly reason?: string;
}

export function container(facts: ContainerFacts = {}): ObservedContainer {
  const { name = 'main', attempt = 0, state = 'running', exitCode = 0 } = facts;
  const ended = state === 'exited';
  return {
    id: `${name}-${attempt}`,
    sandboxId: facts.sandboxId ?? 'sandbox-0',
    podUid: UID,
    name,
    attempt,
    state,
    createdAt: NOW - 50_000 + attempt,
    image: 'app:1',
    imageRef: 'sha256:1',
    labels: {},
    annotations: {
      [ANNOTATION.restarts]: String(facts.restarts ?? attempt),
      [ANNOTATION.backoff]: String(facts.backoffMs ?? 0),
    },
    detail: {
      id: `${name}-${attempt}`,
      state,
      startedAt: facts.startedAt ?? NOW - 40_000,
      finishedAt: ended ? (facts.finishedAt ?? NOW - 1000) : 0,
      exitCode,
      reason: facts.reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
      message: '',
      logPath: '',
    },
  };
}

export function seen(parts: Partial<ObservedPod> = {}): ObservedPod {
  return { sandboxes: [sandbox()], address: '198.18.0.9', containers: [], ...parts };
}

/** Volumes are there and images are known, unless told otherwise. */
export function remembered(more: Partial<PodMemory> = {}, images: readonly string[] = ['main']): PodMemory {
  return {
    ...NO_MEMORY,
    volumes: { version: '', failure: undefined },
    images: new Map(images.map((name) => [name, { ready: true }])),
    ...more,
  };
}

export function input(more: Partial<PodInput> = {}): PodInput {
  const observed = more.observed ?? seen();
  const ends = new Map(observed.containers.map(({ id, detail }) => [id, detail.finishedAt]));
  return {
    pod: pod(),
    observed,
    memory: remembered(),
    probes: new Map(),
    previous: undefined,
    volumesVersion: '',
    ends,
    now: NOW,
    monotonic: NOW,
    ...more,
  };
}

export const NO_OBJECTS: PodObjects = {
  configMap: () => undefined,
  secret: () => undefined,
  claim: () => undefined,
  persistentVolume: () => undefined,
  runtimeClass: () => undefined,
  services: () => [],
  allocatable: () => undefined,
};

/** A step in a few words. */
export function brief(step: PodStep): string {
  switch (step.do) {
    case 'ensureImage':
      return `image ${step.container}`;
    case 'runSandbox':
      return `sandbox ${step.attempt}`;
    case 'startContainer':
      return `start ${step.container} #${step.attempt.number} restarts=${step.attempt.restarts} next-pause=${step.attempt.backoffMs}`;
    case 'killContainer':
      return `kill ${step.id} ${step.graceSeconds}s ${step.reason}${step.after.map((id) => ` after ${id}`).join('')}`;
    case 'resizeContainer':
      return `resize ${step.id} ${JSON.stringify(step.to)}`;
    case 'removeContainer':
    case 'stopSandbox':
    case 'removeSandbox':
      return `${step.do} ${step.id}`;
    case 'limitPod':
      return `limit pod ${JSON.stringify(step.limits)}`;
    case 'syncVolumes':
      return 'volumes';
    case 'cleanUp':
      return 'cleanUp';
  }
}
