/** One machine: connected, with the right agent, heard. Reconnects for as long as it lives. */
import { errorText } from '../../../contracts/errors.ts';
import { objectKey, type ObjectKey, type StoredMachine } from '../../../contracts/objects/index.ts';
import { HEARTBEAT_SECONDS, type AgentInfo } from '../../../contracts/agent/index.ts';
import { joinSignals, unlessAborted } from '../../../contracts/signals.ts';
import { PlumbError, reasonOf, RetryableError, TerminalError } from '../../core/errors.ts';
import type { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import { EPOCH_SLACK } from '../../core/nodes/epoch.ts';
import { ASSIGNMENT_SYNCED } from '../../core/nodes/node-status.ts';
import { reconnectDelayMs } from '../../core/nodes/reconnect.ts';
import { isUnheard, PODS_KNOWN } from '../../core/workloads/unheard.ts';
import type { AgentPayloads, NodeArch } from '../../ports/agent-payloads.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeConnection, NodeTransport } from '../../ports/node-transport.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { EventRecorder } from '../runtime/event-recorder.ts';
import { turns } from '../runtime/slices.ts';
import { AgentClient } from './agent-client.ts';
import { installAgent } from './agent-install.ts';
import { pushAssignment } from './assignment-push.ts';
import { ConnectedCondition } from './connected-condition.ts';
import { importLate } from './late-import.ts';
import { OneAtATime } from './one-at-a-time.ts';
import type { Places } from './places.ts';
import { tellRetired } from './retirement.ts';
import { StatusIntake, type StatusIntakeDeps } from './status-intake.ts';
import type { StatusWriter } from './status-writer.ts';

export interface NodeSessionDeps {
  readonly cache: StoreCache;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly recorder: EventRecorder;
  readonly transport: NodeTransport;
  readonly payloads: AgentPayloads;
  readonly tracker: AssignmentTracker;
  readonly writer: StatusWriter;
  /** Told of each sign of life. */
  readonly heard: (node: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly epoch: number;
  /** Between 0 and 1, for jitter. */
  readonly random: () => number;
  /** Of those that connect, and learn where an agent stands. */
  readonly openings: Places;
  /** Asks for a pass of the `nodes` queue. */
  readonly requestPush: (node: string) => void;
  /** Told which static pods a node has files of. */
  readonly staticPods: StatusIntakeDeps['staticPods'];
}

interface Live {
  readonly connection: NodeConnection;
  readonly client: AgentClient;
  readonly takesGzip: boolean;
  /** As it said when it was met; not known any more once it was sent something. */
  holdsNothing: boolean;
}

/** Beats that may be missing before the agent is asked itself, and later before the connection is given up. */
const MISSED_BEATS = 3;
const RETIRE_TIMEOUT_MS = 10_000;
/** How long an agent that went away may take to come back by itself. */
const RESTART_MS = 4_000;
const RESTART_POLL_MS = 50;
/** A status stream that lasts shorter than this was none: the next one is asked for after a pause. */
const SHORT_STREAM_MS = 1_000;
/**
 * Said nothing for so long: whether it takes an assignment is not worth a worker's time. It is asked for when the agent
 * is heard again.
 */
const QUIET_MS = MISSED_BEATS * HEARTBEAT_SECONDS * 1000;

export class NodeSession {
  readonly name: string;
  readonly #deps: NodeSessionDeps;
  readonly #stop = new AbortController();
  #machine: StoredMachine;
  #running: Promise<void> | undefined;
  /** Ends the present attempt or connection, and the pause after it. */
  #attempt = new AbortController();
  #failures = 0;
  #live: Live | undefined;
  readonly #pushes = new OneAtATime();
  /** Whether the Machine is gone: whoever still knows the session, as a sweep does, has nothing to bring. */
  #isRetired = false;
  /** Whether another session has the name: nothing that this one hears is said of it any more. */
  #isSuperseded = false;
  /** How often in a row the agent was started and did not answer. */
  #misses = 0;
  /** Last sign of life: on the monotonic clock, and as it is shown. */
  #heardAt = 0;
  #heardTime = '';
  readonly #intake: StatusIntake;
  readonly #condition: ConnectedCondition;

  constructor(machine: StoredMachine, deps: NodeSessionDeps) {
    this.name = machine.metadata.name;
    this.#machine = machine;
    this.#deps = deps;
    this.#condition = new ConnectedCondition(this.name, deps);
    this.#intake = new StatusIntake(
      {
        name: this.name,
        machine: () => this.#machine,
        reachedAt: () => this.connection?.remoteAddress,
        heardTime: () => this.#heardTime,
      },
      deps,
    );
  }

  /** The connection to a node whose agent answers. */
  get connection(): NodeConnection | undefined {
    return this.#live?.connection;
  }

  /** How its agent is asked, for as long as it answers. */
  get client(): AgentClient | undefined {
    return this.#live?.client;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Takes a changed Machine in; connects anew when where or how changed. */
  update(machine: StoredMachine): void {
    const before = this.#machine.spec;
    const { address, port, user, hostKey } = machine.spec;
    this.#machine = machine;
    if (before.address !== address || before.port !== port || before.user !== user || before.hostKey !== hostKey) {
      this.#failures = 0;
      this.#attempt.abort(new RetryableError('ConnectionLost', 'the Machine was changed'));
    } else {
      this.#intake.beat();
    }
  }

  /** A push that runs leaves nothing behind, and where nobody is heard there is nobody to push to. */
  get isBusy(): boolean {
    return this.#pushes.isRunning || this.#isRetired || !this.#live || this.#isQuiet();
  }

  /**
   * Brings the agent up to date; one at a time. Does nothing while there is no agent to talk to, or none that is heard:
   * then it is asked for again when there is.
   */
  push(signal: AbortSignal): Promise<void> {
    return this.#pushes.run(async () => {
      using joined = joinSignals(signal, this.#stop.signal);
      await this.#push(joined.signal);
    });
  }

  async #push(signal: AbortSignal): Promise<void> {
    const live = this.#live;
    if (!live || signal.aborted || this.#isRetired || this.#isQuiet()) return;
    const { tracker, store, epoch } = this.#deps;
    const { client, takesGzip, holdsNothing } = live;
    live.holdsNothing = false;
    try {
      const options = { node: this.name, client, tracker, store, epoch, takesGzip, holdsNothing, signal };
      const { sent } = await pushAssignment(options);
      if (this.#isSuperseded) return;
      if (sent > 0 || !tracker.isBehind(this.name)) {
        this.#deps.writer.condition(this.#nodeKey, {
          type: ASSIGNMENT_SYNCED,
          status: 'True',
          reason: 'Delivered',
          message: 'the agent has the newest assignment',
        });
      }
      if (tracker.isBehind(this.name)) this.#deps.requestPush(this.name);
    } catch (error) {
      if (signal.aborted || this.#live !== live || this.#isSuperseded) return;
      this.#deps.writer.condition(this.#nodeKey, {
        type: ASSIGNMENT_SYNCED,
        status: 'False',
        reason: reasonOf(error),
        message: errorText(error),
      });
      throw error;
    }
  }

  /** Ends the session; the agent goes on alone with what it has. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the session is being closed'));
    this.#attempt.abort(this.#stop.signal.reason);
    await Promise.all([this.#running, this.#intake.end(), this.#pushes.settled()]);
  }

  /**
   * The server is the cluster's no more: its pods are being replaced elsewhere, so the agent is told to stop them once
   * nobody sends to them (`withdrawn`), unless `hurry` aborts. Then as {@link close}. Says whether the agent heard of it.
   */
  async retire(withdrawn: Promise<void>, hurry: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#deps;
    const live = this.#live;
    this.#isRetired = true;
    let told = false;
    if (live) await unlessAborted(hurry, withdrawn).catch(() => undefined);
    if (live && !hurry.aborted) {
      using limit = clock.deadline(RETIRE_TIMEOUT_MS, hurry);
      try {
        await tellRetired(this.#machine, live.client, this.#deps, limit.signal);
        told = true;
      } catch (error) {
        log.warn('machine removed, but its agent could not be told to stop its pods', {
          node: this.name,
          error: errorText(error),
        });
      }
    }
    await this.close();
    return told;
  }

  /** Another session has the name from now on. This one's agent is still told, and believed nothing more. */
  supersede(): void {
    if (this.#isSuperseded) return;
    this.#isSuperseded = true;
    void this.#intake.end();
    this.#deps.writer.left(this.name);
  }

  get machine(): StoredMachine {
    return this.#machine;
  }

  get #nodeKey(): ObjectKey<'Node'> {
    return objectKey('Node', undefined, this.name);
  }

  async #run(): Promise<void> {
    const { clock, log, random } = this.#deps;
    while (!this.#stop.signal.aborted) {
      this.#attempt = new AbortController();
      const { signal } = this.#attempt;
      let error: unknown;
      try {
        await this.#connected(signal);
      } catch (cause) {
        error = cause;
      }
      if (this.#stop.signal.aborted) return;
      // Set from outside: the Machine changed.
      if (signal.aborted) continue;
      this.#failures += 1;
      const pauseMs = reconnectDelayMs(this.#failures, error, random());
      log.debug('node connection ended', { node: this.name, error: errorText(error), pauseMs });
      if (!this.#isSuperseded) this.#condition.notConnected(this.#machine, error);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  /** From connecting to the loss of the connection; always ends with an error. */
  async #connected(signal: AbortSignal): Promise<never> {
    const { transport, clock, writer, openings } = this.#deps;
    const opened = await openings.enter(signal);
    if (turns.isOver) await turns.next();
    const { address, port, user, hostKey } = this.#machine.spec;
    const connection = await transport
      .connect({ name: this.name, address, port, user, hostKey }, signal)
      .catch((error: unknown) => {
        opened();
        throw error;
      });
    const ended = new AbortController();
    using joined = joinSignals(signal, ended.signal);
    const over = joined.signal;
    void connection.closed.then((why) =>
      ended.abort(why ?? new RetryableError('ConnectionLost', 'the connection was closed')),
    );
    const client = new AgentClient(connection, clock);
    const watching = this.#watch(client, connection, over);
    let shortStreams = 0;
    try {
      for (;;) {
        // Of many nodes that connect at once all come this far in one round.
        if (turns.isOver) await turns.next();
        over.throwIfAborted();
        const info = await this.#bringUp(connection, over);
        await this.#adopt(client, info, over);
        this.#live = {
          connection,
          client,
          takesGzip: info.encodings?.includes('gzip') === true,
          holdsNothing: info.objects === 0,
        };
        opened();
        this.#deps.requestPush(this.name);
        const began = clock.monotonic();
        await this.#listen(client, over);
        // The stream ended but the connection did not: the agent was restarted. It is looked for, and brought up if
        // need be.
        this.#live = undefined;
        shortStreams = clock.monotonic() - began < SHORT_STREAM_MS ? shortStreams + 1 : 0;
        if (shortStreams > 1) await clock.sleep(reconnectDelayMs(shortStreams, undefined, this.#deps.random()), over);
        for (
          const end = clock.monotonic() + RESTART_MS;
          clock.monotonic() < end && !(await this.#answers(client, RESTART_MS, over));
        )
          await clock.sleep(RESTART_POLL_MS, over);
      }
    } finally {
      opened();
      this.#live = undefined;
      this.#intake.forget();
      if (!this.#isSuperseded) writer.silent(this.name);
      ended.abort(new RetryableError('ConnectionLost', 'the session ended'));
      await connection.close();
      await watching;
    }
  }

  async #bringUp(connection: NodeConnection, signal: AbortSignal): Promise<AgentInfo> {
    const { payloads, clock, log } = this.#deps;
    try {
      const { info } = await installAgent(connection, {
        nodeName: this.name,
        arch: this.#arch(),
        payloads,
        clock,
        log,
        misses: this.#misses,
        signal,
      });
      this.#misses = 0;
      return info;
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'AgentNotAnswering') this.#misses += 1;
      throw error;
    }
  }

  #arch(): NodeArch | undefined {
    const architecture = this.#deps.cache.get(this.#nodeKey)?.status?.nodeInfo?.architecture;
    if (architecture === 'x64' || architecture === 'amd64' || architecture === 'x86_64') return 'x64';
    return architecture === 'arm64' || architecture === 'aarch64' ? 'arm64' : undefined;
  }

  /**
   * Learns where the agent stands, and what it has where a recovery did not hear it. One that knows our version but an
   * older epoch is told ours, so that it refuses older senders.
   */
  async #adopt(client: AgentClient, info: AgentInfo, signal: AbortSignal): Promise<void> {
    const { tracker, epoch, clock, cache, writer, log } = this.#deps;
    this.#heard();
    if (this.#isSuperseded) return;
    if (info.epoch > epoch + EPOCH_SLACK) {
      throw new TerminalError(
        'EpochImplausible',
        `the agent of ${this.name} claims epoch ${info.epoch}, which no control plane gave it: take the machine out of the cluster, look at it, and bring it back with plumb node clean and add`,
      );
    }
    const node = cache.get(this.#nodeKey);
    if (node && isUnheard(node)) {
      const imported = await importLate(this.name, await client.inventory(signal, { parts: 'unread' }), {
        cache,
        clock,
        signal,
      });
      writer.condition(this.#nodeKey, {
        type: PODS_KNOWN,
        status: 'True',
        reason: 'InventoryRead',
        message: `${imported} pods were found on it after the state had been rebuilt`,
      });
      log.info('a node that was not heard when the state was rebuilt told its inventory', {
        node: this.name,
        imported,
      });
    }
    tracker.agentHolds(this.name, info.assignmentVersion);
    if (info.epoch === epoch || info.assignmentVersion === null || tracker.isBehind(this.name)) return;
    const answer = await client.assign(
      { epoch, node: this.name, from: info.assignmentVersion, to: info.assignmentVersion, upsert: [], remove: [] },
      signal,
    );
    if (answer.outcome === 'mismatch') tracker.forget(this.name);
  }

  /** Reads the status stream to its end. */
  async #listen(client: AgentClient, signal: AbortSignal): Promise<void> {
    try {
      for await (const lines of client.status(signal)) {
        this.#heard();
        if (turns.isOver) {
          await turns.next();
          signal.throwIfAborted();
        }
        this.#isConnected();
        for (const line of lines) this.#intake.take(line);
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.log.debug('status stream broke', { node: this.name, error: errorText(error) });
    }
    signal.throwIfAborted();
  }

  /** However it is heard, by its beats or as it answers: what was not pushed meanwhile is asked for. */
  #heard(): void {
    if (this.#live && this.#isQuiet()) this.#deps.requestPush(this.name);
    this.#heardAt = this.#deps.clock.monotonic();
    this.#heardTime = this.#deps.clock.now().toISOString();
    if (!this.#isSuperseded) this.#deps.heard(this.name);
  }

  #isQuiet(): boolean {
    return this.#deps.clock.monotonic() - this.#heardAt > QUIET_MS;
  }

  /**
   * Beats at the pace that the grace period asks for. An agent that said nothing for that long is asked; one that does
   * not answer for some beats is given up, so that the connection is made anew.
   */
  async #watch(client: AgentClient, connection: NodeConnection, signal: AbortSignal): Promise<void> {
    const { clock, writer, log } = this.#deps;
    while (!signal.aborted) {
      const periodMs = Math.max(100, writer.heartbeatMs());
      await clock.sleep(periodMs, signal).catch(() => undefined);
      if (signal.aborted || !this.#live) continue;
      if (clock.monotonic() - this.#heardAt > periodMs && (await this.#answers(client, periodMs, signal)))
        this.#heard();
      const silentMs = Math.round(clock.monotonic() - this.#heardAt);
      if (silentMs <= periodMs) this.#intake.beat();
      else if (silentMs > Math.max(MISSED_BEATS * HEARTBEAT_SECONDS * 1000, MISSED_BEATS * periodMs)) {
        log.warn('the agent is silent: connecting anew', { node: this.name, silentMs });
        await connection.close();
      }
    }
  }

  async #answers(client: AgentClient, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return client.info(signal, timeoutMs).then(
      () => true,
      () => false,
    );
  }

  #isConnected(): void {
    if (this.#isSuperseded) return;
    this.#failures = 0;
    this.#condition.connected();
  }
}
