/**
 * Charts of HTTP repositories and OCI registries, fetched by the real Helm and kept by what they are. A fetch has the
 * network and nothing else: no credentials, and a root folder of its own as every call.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ChartSource } from '../../../contracts/objects/index.ts';
import type { ChartAnswer } from '../../core/apps/engine.ts';
import { RetryableError } from '../../core/errors.ts';
import { fetchSandboxed, type Limits } from './sandbox.ts';

/** Of one archive. Helm's own bound is larger; ours is what an App may read. */
const MAX_CHART_BYTES = 16 * 1024 * 1024;

export class Charts {
  readonly #dir: string;
  /** Fetched now: of many Apps with one chart the first one fetches. */
  readonly #fetching = new Map<string, Promise<ChartAnswer>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * The chart's archive: that of the digest, or of the version as it was when it was first fetched. Throws RetryableError
   * `ChartUnavailable` where it cannot be fetched.
   */
  async get(
    source: ChartSource,
    program: string,
    callsDir: string,
    limits: Limits,
    signal: AbortSignal,
  ): Promise<ChartAnswer> {
    const id = createHash('sha256').update(JSON.stringify(source)).digest('hex');
    const running = this.#fetching.get(id);
    if (running) return running;
    const getting = this.#kept(id).then((kept) => kept ?? this.#fetch(id, source, program, callsDir, limits, signal));
    this.#fetching.set(id, getting);
    try {
      return await getting;
    } finally {
      this.#fetching.delete(id);
    }
  }

  /** Each is kept with its hash in front: a damaged one is fetched anew. */
  async #kept(id: string): Promise<ChartAnswer | undefined> {
    const kept = await readFile(join(this.#dir, id)).catch(() => undefined);
    if (!kept) return undefined;
    const archive = kept.subarray(32);
    return sha256(archive).equals(kept.subarray(0, 32)) ? { ok: true, archive, id: archiveId(archive) } : undefined;
  }

  async #fetch(
    id: string,
    source: ChartSource,
    program: string,
    callsDir: string,
    limits: Limits,
    signal: AbortSignal,
  ): Promise<ChartAnswer> {
    const { repository, name, version, digest } = source;
    const isOci = repository.startsWith('oci://');
    const from = isOci ? [`${repository.replace(/\/+$/, '')}/${name}`] : [name, '--repo', repository];
    const { answer, file } = await fetchSandboxed(
      callsDir,
      { program, args: ['pull', ...from, '--version', version, ...(isPlain(repository) ? ['--plain-http'] : [])] },
      { ...limits, output: MAX_CHART_BYTES },
      signal,
    );
    if (!answer.ok || !file)
      throw new RetryableError(
        'ChartUnavailable',
        `the chart ${name} ${version} cannot be fetched from ${repository}: ${answer.ok ? 'nothing came' : answer.message.replaceAll(/\s+/g, ' ').trim().slice(0, 500)}`,
      );
    const told = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(new TextDecoder().decode(answer.output))?.[1];
    const found = isOci ? told : archiveId(file);
    if (digest !== undefined && digest !== found)
      return { ok: false, message: `is another one than the commit names: it has the digest ${found ?? 'none'}` };
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const fresh = join(this.#dir, `${id}.${randomUUID()}`);
    await writeFile(fresh, Buffer.concat([sha256(file), file]), { mode: 0o600 });
    await rename(fresh, join(this.#dir, id));
    return { ok: true, archive: file, id: archiveId(file) };
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function archiveId(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes).toString('hex')}`;
}

/** A registry on this machine's loopback has no certificate. */
function isPlain(repository: string): boolean {
  if (!repository.startsWith('oci://')) return false;
  const { hostname } = new URL(repository.replace(/^oci:/, 'http:'));
  return hostname === 'localhost' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
