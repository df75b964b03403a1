/**
 * The proxy of a gateway node follows its ProxyConfig, the Secrets that names, and the endpoints of its backends, with or
 * without a control plane.
 */
import type { ProxyReport } from '../../contracts/agent/index.ts';
import { errorText } from '../../contracts/errors.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { ProxyConfig } from '../../contracts/objects/proxy-config.ts';
import type { AssignmentSource, AssignmentView } from '../core/assignment.ts';
import type { Target } from '../core/data-plane/plan.ts';
import { ownProxyAddress } from '../core/data-plane/policy/proxy-peer.ts';
import { ServiceIndex, type ServiceKey } from '../core/data-plane/service-index.ts';
import type { LocalPodSource } from '../core/local-pods.ts';
import { backendTargets, serviceOf } from '../core/proxy/endpoints.ts';
import type { ProxyPlan, ProxyProblem, ProxySecrets } from '../core/proxy/plan.ts';
import { editionOf } from '../core/proxy/render.ts';
import { assignedSecrets } from '../core/proxy/secrets.ts';
import { haveRoom, placesFor, serverChange, sizesOf } from '../core/proxy/servers.ts';
import { runningOf } from '../core/proxy/slots.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Proxy } from '../ports/proxy.ts';
import { createReloader, reloadPause, type InForce } from './proxy-reload.ts';
import type { NodeEvent } from './status-hub.ts';
import { createWaker } from './waker.ts';

export interface ProxySyncDeps {
  readonly assignment: AssignmentSource;
  readonly pods: LocalPodSource;
  readonly proxy: Proxy;
  readonly clock: Clock;
  readonly log: Log;
  /** Hears every change; undefined: the node has no ProxyConfig. */
  onState(state: ProxyReport | undefined): void;
  readonly onEvent?: (event: NodeEvent) => void;
  /**
   * Hears after each change which version's endpoints the proxy sends to at most: it sends to none that the version has
   * not, unless it failed to be told.
   */
  readonly onEndpoints?: (version: string) => void;
  /** Milliseconds from one reload to the next; when absent, a second and four times what the last one took. */
  readonly reloadPauseMs?: number;
}

export interface ProxySync {
  /** Stops following; the proxy runs on. */
  close(): Promise<void>;
}

/** Between looks whether the process is there. */
const LOOK_EVERY_MS = 1000;
/** Between looks at what the process really has, and at ports that others had. */
const VERIFY_EVERY_MS = 60_000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
const MOST_PROBLEMS = 100;
const LONGEST_MESSAGE = 1000;

/**
 * Endpoints and contents of certificates follow at once, by the runtime API; all else by a reload. A pass that failed is
 * tried again after a pause that doubles from 1 s to 60 s.
 */
export function startProxySync(deps: ProxySyncDeps): ProxySync {
  const { assignment, proxy, clock, log } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const waker = createWaker(clock);
  const index = new ServiceIndex();
  const reloader = createReloader();
  const pause = reloadPause(clock, deps.reloadPauseMs);
  /** Since the last pass. */
  let changed = new Set<ObjectKey>();
  let active = false;
  let stopped = false;
  let installed = false;
  /** Undefined: to be made. */
  let wanted: ProxyPlan | undefined;
  let inForce: InForce | undefined;
  let targets = new Map<string, readonly Target[]>();
  let source: string | undefined;
  let generation: number | null = null;
  let failure: string | undefined;
  let verifyAt = 0;
  let told: string | undefined;

  const ask = (keys: readonly ObjectKey[]): void => {
    for (const key of keys) changed.add(key);
    waker.wake();
  };
  const subscriptions = [assignment.onChange(ask), deps.pods.onChange(ask)];

  const ownConfig = (view: AssignmentView): ProxyConfig | undefined =>
    view.node === '' ? undefined : view.get(objectKey('ProxyConfig', undefined, view.node));

  const secretsOf = (view: AssignmentView): ProxySecrets => assignedSecrets(view);

  function tell(problems: readonly ProxyProblem[]): void {
    const report = { generation, problems: problems.slice(0, MOST_PROBLEMS).map((problem) => ({ ...problem })) };
    const text = JSON.stringify(report);
    if (text === told) return;
    told = text;
    deps.onState(report);
  }

  /** What runs, if anything does, runs on. */
  function fail(detail: string, reason: string): void {
    const message = detail.slice(0, LONGEST_MESSAGE);
    if (failure !== message) {
      log.warn('the proxy does not follow its configuration', { detail: message });
      deps.onEvent?.({ type: 'Warning', reason, message });
    }
    failure = message;
    tell([{ message }]);
  }

  /** Milliseconds until the next pass; undefined when only a change is waited for. */
  async function pass(view: AssignmentView): Promise<number | undefined> {
    const keys = changed;
    changed = new Set();
    if (view.version === null) return undefined;
    const config = ownConfig(view);
    if (config === undefined) return await rest();
    const touched = note(view, keys);
    if (!installed) {
      const missing = await proxy.missing(signal);
      if (missing !== undefined) {
        active = false;
        fail(missing, 'ProxyNotInstalled');
        return LAST_RETRY_MS;
      }
      installed = true;
    }
    await look();
    await followSource(view);
    const concerned = config.spec.backends.filter((backend) => touched === 'all' || touched.has(serviceOf(backend)));
    for (const backend of concerned) targets.set(backend.name, backendTargets(backend, view, index, deps.pods));
    const names = new Set(concerned.map(({ name }) => name));
    if (inForce) {
      await follow(inForce, (backend) => names.has(backend));
      // Whatever else is left to do, which may be a reload.
      deps.onEndpoints?.(view.version);
    }
    if (inForce && wanted === undefined) await followCertificates(inForce, secretsOf(view));
    wanted ??= reloader.plan({ config, secrets: secretsOf(view), source });
    return await settle(wanted, config, view);
  }

  /** Nothing is asked of this node: what runs of ours ends, also of an agent before this one. */
  async function rest(): Promise<undefined> {
    if (!stopped) await proxy.stop();
    stopped = true;
    active = false;
    wanted = undefined;
    inForce = undefined;
    generation = null;
    failure = undefined;
    if (told !== undefined) deps.onState(undefined);
    told = undefined;
  }

  /** Which Services are to be looked at. */
  function note(view: AssignmentView, keys: ReadonlySet<ObjectKey>): ReadonlySet<ServiceKey> | 'all' {
    const touched = active ? index.update(view, keys) : index.reset(view);
    const ofConfig = [...keys].some((key) => isKeyOf(key, 'ProxyConfig'));
    if (ofConfig) reloader.forget();
    if (ofConfig || [...keys].some((key) => isKeyOf(key, 'Secret'))) wanted = undefined;
    const all = !active || ofConfig;
    if (all) targets = new Map();
    active = true;
    stopped = false;
    return all ? 'all' : touched;
  }

  /** Notices an end of the process at once, and what others did to it some time. */
  async function look(): Promise<void> {
    if (inForce && !(await proxy.isAlive())) {
      inForce = undefined;
      pause.end();
      log.warn('the proxy ended; it is started again');
      deps.onEvent?.({ type: 'Warning', reason: 'ProxyRestarted', message: 'the proxy ended and is started again' });
    }
    if (!inForce || clock.monotonic() < verifyAt) return;
    verifyAt = clock.monotonic() + VERIFY_EVERY_MS;
    const running = await proxy.running(signal);
    if (running?.edition !== inForce.edition) inForce = undefined;
    else for (const [section, servers] of running.servers) inForce.servers.set(section, servers);
    if (inForce) await follow(inForce, () => true);
    if (await reloader.hasFreed(proxy)) wanted = undefined;
  }

  /** Policies of other nodes' pods know the proxy by its address, which the machine gets beside this loop. */
  async function followSource(view: AssignmentView): Promise<void> {
    const own = proxy.user === undefined ? undefined : ownProxyAddress(view);
    const next = own !== undefined && (await proxy.hasAddress(own)) ? own : undefined;
    if (next !== source) wanted = undefined;
    source = next;
  }

  async function follow(now: InForce, concerned: (backend: string) => boolean): Promise<void> {
    const { commands, slots } = serverChange(now.plan, now.servers, targets, concerned);
    if (commands.length === 0) return;
    await proxy.command(now.edition, commands, signal);
    for (const [name, places] of slots) now.servers.set(name, runningOf(places));
  }

  /** Those that can be used. The others are left out by the next plan, which tells of them. */
  async function followCertificates(now: InForce, secrets: ProxySecrets): Promise<void> {
    for (const { file, secret } of now.plan.certificates) {
      const next = secrets.certificate(secret);
      if ('problem' in next || next.pem === now.certificates.get(file)) continue;
      const refusal = await proxy.replaceCertificate(file, next.pem, signal);
      if (refusal === undefined) now.certificates.set(file, next.pem);
      else {
        reloader.refuse(next.pem, refusal);
        wanted = undefined;
      }
    }
  }

  /** Adopts or reloads where what runs is not what is wanted. */
  async function settle(plan: ProxyPlan, config: ProxyConfig, view: AssignmentView): Promise<number> {
    const inOrder = (): number => {
      failure = undefined;
      generation = config.metadata.generation ?? 0;
      tell(wanted?.problems ?? []);
      return LOOK_EVERY_MS;
    };
    if (inForce?.plan === plan && haveRoom(plan, inForce.servers, targets)) return inOrder();
    const running = inForce ?? (await proxy.running(signal));
    const now = {
      ports: inForce?.plan.ports ?? (running && 'ports' in running ? running.ports : []),
      servers: running?.servers ?? new Map<string, never>(),
      ...(running && { edition: running.edition }),
    };
    if (editionOf(plan, sizesOf(placesFor(plan, now.servers, targets)), proxy.places) === now.edition) {
      if (!inForce) log.info('the proxy runs already', { edition: now.edition });
      const certificates = inForce?.certificates ?? new Map<string, string>();
      inForce = { edition: now.edition, plan, servers: new Map(now.servers), certificates };
      await follow(inForce, () => true);
      await followCertificates(inForce, secretsOf(view));
      return inOrder();
    }
    const left = pause.left();
    if (left > 0) return left;
    const begun = clock.monotonic();
    const outcome = await reloader.reload(proxy, { config, secrets: secretsOf(view), targets, source }, now, signal);
    const took = clock.monotonic() - begun;
    pause.rest(took, 'failure' in outcome);
    if ('failure' in outcome) {
      fail(`the proxy does not take its configuration: ${outcome.failure}`, 'ProxyFailed');
      return LOOK_EVERY_MS;
    }
    inForce = outcome;
    wanted = outcome.plan;
    verifyAt = clock.monotonic() + VERIFY_EVERY_MS;
    log.info('the proxy has a new configuration', { edition: outcome.edition, ms: Math.round(took) });
    return inOrder();
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      let wait: number | undefined;
      const view = assignment.current();
      try {
        wait = await pass(view);
        failures = 0;
      } catch (cause) {
        if (signal.aborted) return;
        // What runs is not known any more, nor what was looked at.
        inForce = undefined;
        active = false;
        wait = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
        failures += 1;
        fail(errorText(cause), 'ProxyFailed');
      }
      // One that cannot be told holds up no pod.
      if (view.version !== null) deps.onEndpoints?.(view.version);
      await waker.until(wait === undefined ? undefined : clock.monotonic() + wait);
    }
  }

  const done = run();
  return {
    async close() {
      for (const unsubscribe of subscriptions) unsubscribe();
      closing.abort(new Error('the proxy loop is closed'));
      waker.wake();
      await done;
    },
  };
}
