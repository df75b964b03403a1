/** Says whether a machine is connected, where people look: conditions of Machine and Node, Events, the log. */
import { errorText } from '../../../contracts/errors.ts';
import { objectKey, type StoredMachine } from '../../../contracts/objects/index.ts';
import { reasonOf } from '../../core/errors.ts';
import { CONNECTED } from '../../core/nodes/node-status.ts';
import type { Log } from '../../ports/log.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { EventRecorder } from '../runtime/event-recorder.ts';
import type { StatusWriter } from './status-writer.ts';

export interface ConnectedConditionDeps {
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly writer: StatusWriter;
  readonly log: Log;
}

const COMPONENT = 'node-sync';

export class ConnectedCondition {
  readonly #name: string;
  readonly #deps: ConnectedConditionDeps;
  /** `connected`, or the code of what was in the way; undefined before the first word. */
  #said: string | undefined;

  constructor(name: string, deps: ConnectedConditionDeps) {
    this.#name = name;
    this.#deps = deps;
  }

  connected(): void {
    if (this.#said === 'connected') return;
    this.#said = 'connected';
    this.#deps.log.info('node connected', { node: this.#name });
    this.#tell({ status: 'True', reason: 'AgentAnswers', message: 'the agent answers over SSH' });
  }

  /** Events and a line of the log tell of a trouble once, however often it is met again. */
  notConnected(machine: StoredMachine, error: unknown): void {
    const { cache, recorder, log } = this.#deps;
    const [code, message] = [reasonOf(error), errorText(error)];
    this.#tell({ status: 'False', reason: code, message });
    if (this.#said === code) return;
    this.#said = code;
    log.warn('node not connected', { node: this.#name, code, error: message });
    for (const regarding of [machine, cache.get(objectKey('Node', undefined, this.#name))])
      if (regarding) recorder.record({ regarding, type: 'Warning', reason: code, message, component: COMPONENT });
  }

  #tell(condition: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string }): void {
    for (const kind of ['Machine', 'Node'] as const)
      this.#deps.writer.condition(objectKey(kind, undefined, this.#name), { type: CONNECTED, ...condition });
  }
}
