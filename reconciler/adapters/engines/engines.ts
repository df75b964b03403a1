/** The port `RenderEngines` over the real kubectl and Helm. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { AppTools, EngineAnswer, EngineCall, EngineName } from '../../core/apps/engine.ts';
import type { RenderEngines } from '../../ports/render-engines.ts';
import { removeAbandoned } from './call-roots.ts';
import { Charts } from './charts.ts';
import { findProgram, type Program, type ProgramsOptions } from './programs.ts';
import { Renderings } from './renderings.ts';
import { LIMITS, runSandboxed, type Limits } from './sandbox.ts';

export interface EnginesOptions {
  /** Folder of programs and of calls that run. */
  readonly programs: ProgramsOptions;
  /** Folder of what was rendered. */
  readonly renderings: string;
  /** Folder of fetched charts. */
  readonly charts: string;
  readonly limits?: Partial<Limits>;
}

/** What stands before a call's own arguments. */
const COMMANDS: Readonly<Record<EngineName, readonly string[]>> = {
  kustomize: ['kustomize'],
  // What a chart makes depends on the commit alone, not on which version of the program came along.
  helm: ['template', '--kube-version', 'v1.35.0'],
};

export class Engines implements RenderEngines {
  readonly #options: EnginesOptions;
  readonly #renderings: Renderings;
  readonly #charts: Charts;
  readonly #calls: string;
  readonly #limits: Limits;
  readonly #programs = new Map<EngineName, Promise<Program>>();
  readonly #free: (() => void)[] = [];
  #room = availableParallelism();
  #sweeping: Promise<void> | undefined;

  constructor(options: EnginesOptions) {
    this.#options = options;
    this.#renderings = new Renderings(options.renderings);
    this.#charts = new Charts(options.charts);
    this.#calls = join(options.programs.dir, 'calls');
    this.#limits = { ...LIMITS, ...options.limits };
  }

  tools(signal: AbortSignal): AppTools {
    return {
      identity: async (engine) => (await this.#program(engine, signal)).identity,
      run: (call) => this.#run(call, signal),
      chart: async (source, namespace, auth) => {
        const { path } = await this.#program('helm', signal);
        return this.#charts.get({ source, auth, namespace }, path, this.#calls, this.#limits, signal);
      },
      kept: (key) => this.#renderings.get(key),
      keep: (key, value) => this.#renderings.set(key, value),
    };
  }

  /** Found once; a failure is tried again at the next call. */
  async #program(engine: EngineName, signal: AbortSignal): Promise<Program> {
    const finding = this.#programs.get(engine) ?? findProgram(engine, this.#options.programs, signal);
    this.#programs.set(engine, finding);
    try {
      return await finding;
    } catch (error) {
      this.#programs.delete(engine);
      throw error;
    }
  }

  async #run({ engine, args, files }: EngineCall, signal: AbortSignal): Promise<EngineAnswer> {
    const { path } = await this.#program(engine, signal);
    await (this.#sweeping ??= removeAbandoned(this.#calls, Date.now()));
    await this.#takeRoom();
    try {
      return await runSandboxed(
        this.#calls,
        { program: path, args: [...COMMANDS[engine], ...args], files, env: { HOME: '/', LANG: 'C.UTF-8' } },
        this.#limits,
        signal,
      );
    } finally {
      this.#giveRoom();
    }
  }

  /** As many at a time as there are cores, over all revisions and sources. */
  async #takeRoom(): Promise<void> {
    if (this.#room > 0) this.#room--;
    else
      await new Promise<void>((resolve) => {
        this.#free.push(resolve);
      });
  }

  #giveRoom(): void {
    const next = this.#free.shift();
    if (next) next();
    else this.#room++;
  }
}
