/** Does one step of a pod's plan. An expected failure is an outcome; the plan decides what follows from it. */
import { withDefaultTag } from '../../contracts/objects/image-name.ts';
import { errorText } from '../../contracts/errors.ts';
import type { Container, LifecycleHandler, Pod } from '../../contracts/objects/index.ts';
import { objectKey } from '../../contracts/objects/key.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import { signalNumber } from '../../contracts/objects/stop-signals.ts';
import { podBandwidth } from '../../contracts/objects/pod-bandwidth.ts';
import { joinSignals } from '../../contracts/signals.ts';
import { namesAddress, strayAddress } from '../core/pod/address.ts';
import { containerConfig, sandboxConfig, type NodeFacts } from '../core/pod/container-config.ts';
import { loginsFor } from '../core/image/keyring.ts';
import { ANNOTATION, cgroupParent, isLimited } from '../core/pod/identity.ts';
import { podLimits, type PodLimits } from '../core/pod/pod-limits.ts';
import { linuxResources } from '../core/pod/linux-resources.ts';
import { hostsFile, logFolder, terminationFile } from '../core/pod/layout.ts';
import type { StepOutcome } from '../core/pod/memory.ts';
import { hasHostsFile, hostsFileText, kernelHostname, podDns } from '../core/pod/names.ts';
import { handlerOf, type PodObjects } from '../core/pod/objects.ts';
import type { ObservedPod } from '../core/pod/observed.ts';
import { hasOwnUsers, noOwnUsers, userIdsOf } from '../core/pod/user-ids.ts';
import type { Resolved } from '../core/pod/resolved.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import type { PodStep } from '../core/pod/steps.ts';
import { imageVolumes } from '../core/pod/volumes/image.ts';
import { planVolumes, type VolumePlan } from '../core/pod/volumes/index.ts';
import { probeTarget } from '../core/probe/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { Log } from '../ports/log.ts';
import type { PodCgroups } from '../ports/pod-cgroups.ts';
import type { PodFiles } from '../ports/pod-files.ts';
import type { PodNetwork } from '../ports/pod-network.ts';
import type { ProbeRunner } from '../ports/probe-runner.ts';
import type { ImagePuller } from './image-puller.ts';
import type { PolicyGate } from './policy-gate.ts';
import type { Limiter } from './limiter.ts';
import type { PodEvent } from './status-hub.ts';
import type { HeldUserIds, UserIdHolder } from './user-ids.ts';

export interface StepDeps {
  readonly runtime: ContainerRuntime;
  readonly images: ImageStore;
  readonly puller: ImagePuller;
  readonly files: PodFiles;
  readonly cgroups: Pick<PodCgroups, 'limit' | 'remove'>;
  readonly probes: ProbeRunner;
  readonly sandboxes: Limiter;
  readonly userIds: UserIdHolder;
  readonly policies: Pick<PolicyGate, 'passed'>;
  readonly network: Pick<PodNetwork, 'limit'>;
  readonly clock: Clock;
  readonly log: Log;
  facts(): NodeFacts;
}

export interface StepContext {
  readonly identity: PodIdentity;
  /** Undefined for a pod that nobody tells of any more; only ending steps are made for it. */
  readonly pod: Pod | undefined;
  readonly observed: ObservedPod;
  readonly objects: PodObjects;
  readonly tell: (event: PodEvent) => void;
  /** Resolves when these containers, which the same plan ends, were ended or could not be. */
  readonly ended: (ids: readonly string[]) => Promise<unknown>;
  /** Ends pulls, hooks and graceful stops, when something more urgent came. */
  readonly hurry: AbortSignal;
  /** Ends everything, when the agent goes. */
  readonly closing: AbortSignal;
}

type Of<K extends PodStep['do']> = Extract<PodStep, { do: K }>;
type Performers = {
  readonly [K in PodStep['do']]: (deps: StepDeps, context: StepContext, step: Of<K>) => Promise<StepOutcome>;
};

const DONE: StepOutcome = { ok: true };
/**
 * A container gets at least this of its grace, in seconds, after its hook or an agent that was away used it up; as
 * kubelet gives it.
 */
const MIN_GRACE = 2;
const HOOK_SECONDS_WITHOUT_LIMIT = 3600;

const PERFORMERS: Performers = {
  async syncVolumes(deps, context) {
    const { pod, objects, tell, closing } = context;
    if (!pod) return DONE;
    const plans = planVolumes(pod, objects, deps.facts().folders);
    if (plans.ok) {
      const pulled = await pullVolumes(deps, context, pod, plans.value);
      if (!pulled.ok) return pulled;
    }
    const failed = plans.ok ? await reasonIfFails(deps.files.syncVolumes(plans.value, closing)) : plans.message;
    if (failed === undefined) return DONE;
    tell({ type: 'Warning', reason: 'FailedMount', message: failed });
    return { ok: false, reason: 'FailedMount', message: failed };
  },

  async ensureImage(deps, context, step) {
    return await pull(deps, context, step.image, step.policy);
  },

  async runSandbox(deps, context, step) {
    const { pod, objects, tell, closing } = context;
    if (!pod) return DONE;
    const { clusterDns, clusterDomain } = deps.facts();
    const hostname = kernelHostname(pod, clusterDomain);
    if (!hostname.ok) return sandboxFailed(tell, hostname.message);
    const handler = handlerOf(pod, objects);
    if (!handler.ok) return sandboxFailed(tell, handler.message);
    const ids = await userIds(deps, context, pod, handler.value);
    if (!ids.ok) return sandboxFailed(tell, ids.message);
    using users = ids.value;
    const dns = podDns(pod, { ...(await deps.files.ofHost()), clusterDns, clusterDomain });
    const config = sandboxConfig(pod, step.attempt, deps.facts(), {
      hostname: hostname.value,
      dns,
      runtimeHandler: handler.value,
      users: users?.ids,
    });
    const run = (address: string | undefined) =>
      reasonIfFails(deps.sandboxes.run(() => deps.runtime.runSandbox({ ...config, address }, closing)));
    let failed = await run(step.address);
    if (failed !== undefined && step.address !== undefined && namesAddress(failed, step.address)) {
      deps.log.info('a pod cannot keep its address', {
        pod: `${config.pod.namespace}/${config.pod.name}`,
        address: step.address,
        detail: failed,
      });
      failed = await run(undefined);
    }
    return failed === undefined ? DONE : sandboxFailed(tell, failed);
  },

  async startContainer(deps, context, step) {
    const { pod, tell } = context;
    const container = pod && specOf(pod, step.container);
    if (!pod || !container) return DONE;
    const stray = foreignAddressRefused(deps, context, pod);
    if (stray !== undefined) {
      tell({ type: 'Warning', reason: 'FailedCreatePodSandBox', message: stray });
      return { ok: false, reason: 'CreateContainerError', message: stray };
    }
    const created = await create(deps, context, pod, container, step);
    if ('reason' in created) {
      tell({ type: 'Warning', reason: 'Failed', message: `Error: ${created.message}` });
      return { ok: false, ...created };
    }
    tell({ type: 'Normal', reason: 'Created', message: `Created container ${container.name}` });
    const failed =
      (await reasonIfFails(guarded(deps, context, pod))) ??
      (await reasonIfFails(limited(deps, context, pod))) ??
      (await reasonIfFails(deps.runtime.startContainer(created.id, context.closing)));
    if (failed !== undefined) {
      tell({ type: 'Warning', reason: 'Failed', message: `Error: ${failed}` });
      return { ok: false, reason: 'RunContainerError', message: failed };
    }
    tell({ type: 'Normal', reason: 'Started', message: `Started container ${container.name}` });
    return container.lifecycle?.postStart ? postStart(deps, context, pod, container, created.id) : DONE;
  },

  async killContainer(deps, context, step) {
    const { pod, tell } = context;
    const container = pod && specOf(pod, step.container);
    tell({ type: 'Normal', reason: 'Killing', message: step.message });
    const whole = step.graceSeconds;
    const named = { name: step.container, id: step.id };
    const begun = deps.clock.monotonic();
    // Where it cannot be written down, the grace counts from now.
    const left =
      whole > 0
        ? (await deps.files.graceLeft(context.identity, named, whole * 1000).catch(() => whole * 1000)) / 1000
        : 0;
    if (pod && container && step.preStop && left > 0) {
      const failed = await runHook(deps, context, pod, container, step.id, sleptFor(step.preStop, whole - left), left);
      if (failed !== undefined) tell({ type: 'Warning', reason: 'FailedPreStopHook', message: failed });
    }
    if (left > 0) await context.ended(step.after);
    const grace = Math.max(Math.min(MIN_GRACE, whole), left - (deps.clock.monotonic() - begun) / 1000);
    using either = joinSignals(context.hurry, context.closing);
    return await outcome(
      'KillContainerError',
      deps.runtime.stopContainer(step.id, grace, either.signal, stopSignalOf(context, step.id)),
    );
  },

  async resizeContainer(deps, context, step) {
    const { pod, tell, closing } = context;
    if (!pod) return DONE;
    const { oomScoreAdj: _fixed, ...resources } = linuxResources({ resources: step.to });
    const failed =
      (await reasonIfFails(limitPod(deps, context, podLimits(pod), 'raise'))) ??
      (await reasonIfFails(deps.runtime.updateContainer(step.id, resources, closing)));
    if (failed === undefined) return DONE;
    tell({ type: 'Warning', reason: 'ResizeError', message: `Error resizing container ${step.container}: ${failed}` });
    return { ok: false, reason: 'ResizeError', message: failed };
  },

  limitPod: (deps, context, { limits }) => outcome('ResizeError', limitPod(deps, context, limits, 'set')),

  async removeContainer(deps, { identity, observed, closing }, step) {
    const removed = await outcome('RemoveContainerError', deps.runtime.removeContainer(step.id, closing));
    const gone = observed.containers.find(({ id }) => id === step.id);
    if (!removed.ok || !gone) return removed;
    const left = observed.containers.filter((one) => one.name === gone.name && one !== gone);
    return await outcome(
      'RemoveContainerError',
      deps.files.tidyAttempts(identity, gone.name, gone.attempt, new Set(left.map(({ attempt }) => attempt))),
    );
  },

  stopSandbox: (deps, { closing }, step) =>
    outcome(
      'KillPodSandboxError',
      deps.sandboxes.run(() => deps.runtime.stopSandbox(step.id, closing)),
    ),
  removeSandbox: (deps, { closing }, step) =>
    outcome('RemovePodSandboxError', deps.runtime.removeSandbox(step.id, closing)),
  async cleanUp(deps, { identity, closing }) {
    const removed = await outcome('CleanUpError', deps.files.remove(identity, closing));
    if (removed.ok) await deps.cgroups.remove(cgroupParent(identity.uid, deps.facts().systemdCgroup));
    return removed;
  },
};

/** Never rejects: a step that does would end its pass while the others of its plan go on, beside those of the next. */
export async function performStep<K extends PodStep['do']>(
  deps: StepDeps,
  context: StepContext,
  step: Of<K>,
): Promise<StepOutcome> {
  const perform = PERFORMERS[step.do] as unknown as (d: StepDeps, c: StepContext, s: Of<K>) => Promise<StepOutcome>;
  try {
    return await perform(deps, context, step);
  } catch (cause) {
    return { ok: false, reason: 'InternalError', message: errorText(cause) };
  }
}

async function pull(
  deps: StepDeps,
  { pod, objects, tell, hurry }: StepContext,
  image: string,
  policy: Container['imagePullPolicy'],
): Promise<StepOutcome> {
  const secrets = (pod?.spec.imagePullSecrets ?? []).flatMap(({ name }) => objects.secret(name) ?? []);
  const logins = policy === 'Never' ? [] : loginsFor(withDefaultTag(image), secrets);
  return await deps.puller.ensure(image, policy, logins, tell, hurry);
}

/** A volume that is there keeps the image it has. */
async function pullVolumes(
  deps: StepDeps,
  context: StepContext,
  pod: Pod,
  plans: readonly VolumePlan[],
): Promise<StepOutcome> {
  for (const { name, reference, pullPolicy } of imageVolumes(pod)) {
    const plan = plans.find((one) => one.name === name);
    if (plan && (await deps.files.isMounted(plan.path))) continue;
    const pulled = await pull(deps, context, reference, pullPolicy);
    if (!pulled.ok) return { ...pulled, message: `volume "${name}": ${pulled.message}` };
  }
  return DONE;
}

/** A pod in its machine's network is nothing to policies. */
async function guarded(deps: StepDeps, { identity, observed, closing }: StepContext, { spec }: Pod): Promise<void> {
  if (spec.hostNetwork === true || observed.address === undefined) return;
  const key = objectKey('Pod', identity.namespace, identity.name);
  const addresses = [observed.address, ...(observed.addressIPv6 === undefined ? [] : [observed.addressIPv6])];
  await deps.policies.passed(key, identity.uid, addresses, closing);
}

/** Why a pod may not run with the addresses that a CNI plugin of the user's gave it; undefined where it may. */
function foreignAddressRefused(deps: StepDeps, { observed }: StepContext, { spec }: Pod): string | undefined {
  const { foreignRanges } = deps.facts();
  if (spec.hostNetwork === true || foreignRanges === undefined) return undefined;
  const addresses = [observed.address, observed.addressIPv6].flatMap((one) => (one ? [one] : []));
  return strayAddress(addresses, foreignRanges);
}

/**
 * Before its first packet; of a pod in its machine's network nothing is limited, and with a CNI plugin of the user's that is
 * the plugin's work.
 */
async function limited(deps: StepDeps, { observed, closing }: StepContext, { metadata, spec }: Pod): Promise<void> {
  const rates = podBandwidth(metadata.annotations);
  if (rates === undefined || spec.hostNetwork === true || deps.facts().foreignRanges) return;
  if (typeof rates === 'string') throw new Error(rates);
  if (observed.address !== undefined) await deps.network.limit(observed.address, rates, closing);
}

function sandboxFailed(tell: StepContext['tell'], message: string): StepOutcome {
  tell({ type: 'Warning', reason: 'FailedCreatePodSandBox', message: `Failed to create pod sandbox: ${message}` });
  return { ok: false, reason: 'FailedCreatePodSandBox', message };
}

/** Held until its sandbox is there to tell of it; nothing for a pod whose users are the node's. */
async function userIds(
  deps: StepDeps,
  { observed, closing }: StepContext,
  pod: Pod,
  handler: string,
): Promise<Resolved<HeldUserIds | undefined>> {
  if (!hasOwnUsers(pod)) return { ok: true, value: undefined };
  const refused = noOwnUsers(handler, deps.facts().userNamespaces);
  if (refused !== undefined) return { ok: false, message: refused };
  try {
    return await deps.userIds.hold(observed.sandboxes, closing);
  } catch (cause) {
    return { ok: false, message: errorText(cause) };
  }
}

/** Of a pod that an agent made which set no limits, they stay unset. */
async function limitPod(
  deps: StepDeps,
  { identity, observed }: StepContext,
  limits: PodLimits,
  how: 'set' | 'raise',
): Promise<void> {
  if (observed.sandboxes.some((one) => one.ready && isLimited(one)))
    await deps.cgroups.limit(cgroupParent(identity.uid, deps.facts().systemdCgroup), limits, how);
}

type Created = { readonly id: string } | { readonly reason: string; readonly message: string };

async function create(
  deps: StepDeps,
  context: StepContext,
  pod: Pod,
  container: Container,
  step: Of<'startContainer'>,
): Promise<Created> {
  const facts = deps.facts();
  const podIP = podAddress(context, pod, facts);
  const podIPs = [podIP, secondAddress(context, pod, facts)].flatMap((one) =>
    one === undefined || one === '' ? [] : [one],
  );
  const target = targetOf(context, pod, container.name);
  if (!target.ok) return { reason: 'CreateContainerError', message: target.message };
  const within = context.observed.sandboxes.find(({ id }) => id === step.sandboxId);
  const users = within && userIdsOf(within);
  if (hasOwnUsers(pod) && !users)
    return { reason: 'CreateContainerConfigError', message: "the pod's sandbox has no users of its own" };
  const config = containerConfig({
    pod,
    users,
    container,
    attempt: step.attempt,
    objects: context.objects,
    podIP,
    podIPv6: secondAddress(context, pod, facts),
    facts,
    ...(target.value !== undefined && { pidTarget: target.value }),
  });
  if (!config.ok) return { reason: 'CreateContainerConfigError', message: config.message };
  const rootRefused = await refusedAsRoot(deps, context, pod, container);
  if (rootRefused !== undefined) return { reason: 'CreateContainerConfigError', message: rootRefused };
  const { uid } = context.identity;
  const sandbox = sandboxConfig(pod, step.sandboxAttempt, facts);
  // With each container, not once with the sandbox: a pod made by an agent that set no limits gets them as well.
  const isOurs = context.observed.sandboxes.some((one) => one.id === step.sandboxId && isLimited(one));
  const limits = isOurs ? podLimits(pod) : undefined;
  const limited = await reasonIfFails(deps.cgroups.limit(sandbox.cgroupParent, limits, 'set'));
  if (limited !== undefined) return { reason: 'CreateContainerConfigError', message: limited };
  const hosts = hostsFileText(
    pod,
    podIPs,
    pod.spec.hostNetwork ? (await deps.files.ofHost()).hosts : undefined,
    facts.clusterDomain,
  );
  const prepared = await reasonIfFails(
    deps.files.prepareContainer(
      {
        hostsFile: hasHostsFile(pod) ? { path: hostsFile(facts.folders, uid), text: hosts } : undefined,
        terminationFile: terminationFile(facts.folders, uid, container.name, step.attempt.number),
        logFolder: `${logFolder(facts.folders, context.identity)}/${container.name}`,
        subPaths: config.value.mounts.flatMap(({ partOf, hostPath }) =>
          partOf ? [{ ...partOf, target: hostPath }] : [],
        ),
      },
      context.closing,
    ),
  );
  if (prepared !== undefined) return { reason: 'CreateContainerConfigError', message: prepared };
  try {
    return { id: await deps.runtime.createContainer(step.sandboxId, config.value, sandbox, context.closing) };
  } catch (cause) {
    return { reason: 'CreateContainerError', message: errorText(cause) };
  }
}

/** The container whose processes another one is to see. Source: Kubernetes, kuberuntime_container.go (startContainer). */
function targetOf({ observed }: StepContext, { spec }: Pod, name: string): Resolved<string | undefined> {
  const target = spec.ephemeralContainers?.find((one) => one.name === name)?.targetContainerName;
  if (target === undefined) return { ok: true, value: undefined };
  const found = observed.containers.find((one) => one.name === target && one.state === 'running');
  return found
    ? { ok: true, value: found.id }
    : { ok: false, message: `unable to find target container ${JSON.stringify(target)}: it does not run` };
}

/** runAsNonRoot without a user of the pod's own: the image's counts. */
async function refusedAsRoot(
  deps: StepDeps,
  context: StepContext,
  pod: Pod,
  container: Container,
): Promise<string | undefined> {
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  if (nonRoot !== true || user !== undefined) return undefined;
  const image = await deps.images.find(withDefaultTag(container.image), context.closing);
  if (image?.username !== undefined && image.username !== '') {
    return `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`;
  }
  return (image?.uid ?? 0) === 0 ? 'container has runAsNonRoot and image will run as root' : undefined;
}

async function postStart(
  deps: StepDeps,
  context: StepContext,
  pod: Pod,
  container: Container,
  id: string,
): Promise<StepOutcome> {
  const handler = container.lifecycle?.postStart;
  const failed = handler && (await runHook(deps, context, pod, container, id, handler, HOOK_SECONDS_WITHOUT_LIMIT));
  if (failed === undefined) return DONE;
  context.tell({ type: 'Warning', reason: 'FailedPostStartHook', message: failed });
  using either = joinSignals(context.hurry, context.closing);
  const { terminationGracePeriodSeconds: grace } = pod.spec;
  await reasonIfFails(deps.runtime.stopContainer(id, grace, either.signal, numberOf(container.lifecycle?.stopSignal)));
  return { ok: false, reason: 'PostStartHookError', message: failed };
}

/** What was written on it: of a pod that nobody tells of any more there is nothing else. */
function stopSignalOf({ observed }: StepContext, id: string): number | undefined {
  return numberOf(observed.containers.find((one) => one.id === id)?.annotations[ANNOTATION.stopSignal]);
}

function numberOf(name: string | undefined): number | undefined {
  return name === undefined ? undefined : signalNumber(name);
}

/** A hook that sleeps, after an agent before this one has slept some of it. */
function sleptFor(handler: LifecycleHandler, seconds: number): LifecycleHandler {
  return handler.sleep ? { ...handler, sleep: { seconds: Math.max(0, handler.sleep.seconds - seconds) } } : handler;
}

/** Undefined when it went well. */
async function runHook(
  deps: StepDeps,
  context: StepContext,
  pod: Pod,
  container: Container,
  id: string,
  handler: LifecycleHandler,
  seconds: number,
): Promise<string | undefined> {
  using either = joinSignals(context.hurry, context.closing);
  if (handler.sleep)
    return await reasonIfFails(deps.clock.sleep(Math.min(handler.sleep.seconds, seconds) * 1000, either.signal));
  const target = probeTarget(handler, container, id, podAddress(context, pod, deps.facts()));
  if (!target) return 'the hook names a port that the container does not have';
  const answer = await deps.probes.run(target, Math.max(1, Math.ceil(seconds)), either.signal);
  return answer.outcome === 'success' ? undefined : answer.message;
}

function podAddress(context: StepContext, pod: Pod, facts: NodeFacts): string {
  return pod.spec.hostNetwork ? facts.hostIP : context.observed.address;
}

function secondAddress(context: StepContext, pod: Pod, facts: NodeFacts): string | undefined {
  return pod.spec.hostNetwork ? facts.hostIPv6 : context.observed.addressIPv6;
}

function specOf(pod: Pod, name: string): Container | undefined {
  return everyContainer(pod.spec).find((container) => container.name === name);
}

async function outcome(reason: string, work: Promise<unknown>): Promise<StepOutcome> {
  const failed = await reasonIfFails(work);
  return failed === undefined ? DONE : { ok: false, reason, message: failed };
}

async function reasonIfFails(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (cause) {
    return errorText(cause);
  }
}
