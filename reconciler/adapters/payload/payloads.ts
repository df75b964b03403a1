/** The port `AgentPayloads` over files of this machine. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TerminalError } from '../../core/errors.ts';
import type { AgentPayload, AgentPayloads, NodeArch } from '../../ports/agent-payloads.ts';
import { cachedRuntime, npmPack, type FetchTarball } from './runtime-cache.ts';
import { RUNTIME_PINS, type RuntimePin } from './runtime-pins.ts';

export interface FilePayloadsOptions {
  /**
   * Folder of fetched runtimes; `.cache/runtime` of the project unless given. Shared by all control planes of this
   * machine.
   */
  readonly cacheDir?: string;
  /** Where runtimes are fetched to when that folder may not be written, as in an installation of the machine's. */
  readonly ownCacheDir?: string;
  /** The agent's bundle; `dist/agent.mjs` of the project unless given. */
  readonly bundlePath?: string;
  readonly pins?: Readonly<Record<NodeArch, RuntimePin>>;
  readonly fetchTarball?: FetchTarball;
}

export class FilePayloads implements AgentPayloads {
  readonly #options: FilePayloadsOptions;
  readonly #known = new Map<NodeArch, Promise<AgentPayload>>();

  constructor(options: FilePayloadsOptions = {}) {
    this.#options = options;
  }

  /** Reads and fetches once; a failure is tried again at the next call. */
  async get(arch: NodeArch, signal: AbortSignal): Promise<AgentPayload> {
    const known = this.#known.get(arch);
    if (known) return known;
    const loading = this.#load(arch, signal);
    this.#known.set(arch, loading);
    try {
      return await loading;
    } catch (error) {
      this.#known.delete(arch);
      throw error;
    }
  }

  async #load(arch: NodeArch, signal: AbortSignal): Promise<AgentPayload> {
    const bundle = await readBundle(this.#options.bundlePath ?? projectFile('dist/agent.mjs'));
    const pin = (this.#options.pins ?? RUNTIME_PINS)[arch];
    const { cacheDir, ownCacheDir } = this.#options;
    const runtime = await cachedRuntime(
      pin,
      [cacheDir ?? projectFile('.cache/runtime'), ...(ownCacheDir === undefined ? [] : [ownCacheDir])],
      this.#options.fetchTarball ?? npmPack,
      signal,
    );
    return {
      arch,
      bundle,
      bundleHash: createHash('sha256').update(bundle).digest('hex'),
      runtimeHash: runtime.hash,
      runtimePath: runtime.path,
      runtime: (form) =>
        createReadStream(form === 'gzip' ? runtime.gzipPath : runtime.path, { highWaterMark: 256 * 1024 }),
    };
  }
}

async function readBundle(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new TerminalError('BundleMissing', `the node agent's bundle is missing at ${path}; run 'npm run build'`, {
      cause,
    });
  }
}

/** A path of this project, from the sources as well as from the built file. */
function projectFile(path: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, path);
  }
  return path;
}
