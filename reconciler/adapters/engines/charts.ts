/**
 * Charts of HTTP repositories and OCI registries, fetched by the real Helm and kept by what they are. A fetch has the
 * network, the credentials that the App names, and nothing else: its root folder is of its own, as that of every call.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ChartSource } from '../../../contracts/objects/index.ts';
import type { ChartAnswer } from '../../core/apps/engine.ts';
import { UNOPENED_AUTH, type SourceAuth } from '../../core/apps/other-sources.ts';
import { RetryableError } from '../../core/errors.ts';
import { shrink } from './bounded-folder.ts';
import { FETCH_HOME, fetchSandboxed, type Fetch, type Limits } from './sandbox.ts';

/** Of one archive. Helm's own bound is larger; ours is what an App may read. */
const MAX_CHART_BYTES = 16 * 1024 * 1024;
/** Of all that are kept; the one that was not asked for longest goes first, and is fetched again when it is. */
const MAX_KEPT_BYTES = 512 * 1024 * 1024;

export interface WantedChart {
  readonly source: ChartSource;
  readonly auth: SourceAuth | undefined;
  /** Of the Secret. */
  readonly namespace: string;
}

export class Charts {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Fetched now: of many Apps with one chart the first one fetches. */
  readonly #fetching = new Map<string, Promise<ChartAnswer>>();

  constructor(dir: string, maxBytes = MAX_KEPT_BYTES) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /**
   * The chart's archive: that of the digest, or of the version as it was when it was first fetched; what is kept needs no
   * credentials, and is for who names the Secret that it came by, in its namespace. Throws RetryableError `ChartUnavailable` where it cannot be fetched.
   */
  async get(
    wanted: WantedChart,
    program: string,
    callsDir: string,
    limits: Limits,
    signal: AbortSignal,
  ): Promise<ChartAnswer> {
    const { source, auth, namespace } = wanted;
    const asked = auth === undefined ? source : [source, namespace];
    const id = createHash('sha256').update(JSON.stringify(asked)).digest('hex');
    const running = this.#fetching.get(id);
    if (running) return running;
    const getting = this.#kept(id).then((kept) => kept ?? this.#fetch(id, wanted, program, callsDir, limits, signal));
    this.#fetching.set(id, getting);
    try {
      return await getting;
    } finally {
      this.#fetching.delete(id);
    }
  }

  /** Each is kept with its hash in front: a damaged one is fetched anew. */
  async #kept(id: string): Promise<ChartAnswer | undefined> {
    const path = join(this.#dir, id);
    const kept = await readFile(path).catch(() => undefined);
    if (!kept) return undefined;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    const archive = kept.subarray(32);
    return sha256(archive).equals(kept.subarray(0, 32)) ? { ok: true, archive, id: archiveId(archive) } : undefined;
  }

  async #fetch(
    id: string,
    { source, auth }: WantedChart,
    program: string,
    callsDir: string,
    limits: Limits,
    signal: AbortSignal,
  ): Promise<ChartAnswer> {
    const { repository, name, version, digest } = source;
    if (auth === UNOPENED_AUTH)
      return {
        ok: false,
        reason: 'locked',
        message: `the Secret for its chart ${name} ${version} of ${repository} cannot be opened here, and the chart is not kept here`,
      };
    const isOci = repository.startsWith('oci://');
    const { answer, file } = await fetchSandboxed(
      callsDir,
      { program, ...(isOci ? fromRegistry(source, auth) : fromRepository(source, auth)) },
      { ...limits, output: MAX_CHART_BYTES },
      signal,
    );
    if (!answer.ok || !file)
      throw new RetryableError(
        'ChartUnavailable',
        `the chart ${name} ${version} cannot be fetched from ${repository}: ${answer.ok ? 'nothing came' : withoutPassword(reasonOf(answer.message), auth).replaceAll(/\s+/g, ' ').trim().slice(0, 500)}`,
      );
    const told = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(new TextDecoder().decode(answer.output))?.[1];
    const found = isOci ? told : archiveId(file);
    if (digest !== undefined && digest !== found)
      return {
        ok: false,
        reason: 'mismatch',
        message: `it is another one than the commit names: it has the digest ${found ?? 'none'}`,
      };
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const fresh = join(this.#dir, `${id}.${randomUUID()}`);
    await writeFile(fresh, Buffer.concat([sha256(file), file]), { mode: 0o600 });
    await rename(fresh, join(this.#dir, id));
    await shrink(this.#dir, this.#maxBytes);
    return { ok: true, archive: file, id: archiveId(file) };
  }
}

type Asking = Pick<Fetch, 'steps' | 'settings'>;

const REGISTRY_LOGINS = 'registry.json';
const REPOSITORIES = 'repositories.json';
const AUTHORITY = 'ca.crt';

/** Logins are in the form of Docker's config.json. Source: helm.sh, "Use OCI-based registries". */
function fromRegistry({ repository, name, version }: ChartSource, auth: SourceAuth | undefined): Asking {
  const { login, ca } = credentialsOf(auth);
  const { host } = new URL(repository.replace(/^oci:/, 'http:'));
  const auths = login && { [host]: { auth: Buffer.from(`${login.username}:${login.password}`).toString('base64') } };
  return {
    steps: [
      [
        ...['pull', `${repository.replace(/\/+$/, '')}/${name}`, '--version', version],
        ...(auths ? ['--registry-config', `${FETCH_HOME}/${REGISTRY_LOGINS}`] : []),
        ...(ca === undefined
          ? isLoopback(host)
            ? ['--plain-http']
            : []
          : ['--ca-file', `${FETCH_HOME}/${AUTHORITY}`]),
      ],
    ],
    settings: {
      ...(auths && { [REGISTRY_LOGINS]: JSON.stringify({ auths }) }),
      ...(ca !== undefined && { [AUTHORITY]: ca }),
    },
  };
}

/**
 * With a Secret in two steps: only of a repository that is registered does Helm take the password from a file; as an option
 * all of the machine could read it. It goes to the repository's own host alone.
 */
function fromRepository({ repository, name, version }: ChartSource, auth: SourceAuth | undefined): Asking {
  if (!auth) return { steps: [['pull', name, '--repo', repository, '--version', version]], settings: {} };
  const { login, ca } = credentialsOf(auth);
  const registered = {
    apiVersion: '',
    repositories: [
      { name: 'charts', url: repository, ...login, ...(ca !== undefined && { caFile: `${FETCH_HOME}/${AUTHORITY}` }) },
    ],
  };
  const known = ['--repository-config', `${FETCH_HOME}/${REPOSITORIES}`, '--repository-cache', `${FETCH_HOME}/index`];
  return {
    steps: [
      ['repo', 'update', ...known],
      ['pull', `charts/${name}`, '--version', version, ...known],
    ],
    settings: { [REPOSITORIES]: JSON.stringify(registered), ...(ca !== undefined && { [AUTHORITY]: ca }) },
  };
}

function credentialsOf(auth: SourceAuth | undefined): {
  readonly login: { readonly username: string; readonly password: string } | undefined;
  readonly ca: string | undefined;
} {
  const values = auth?.reveal();
  const password = values?.get('password');
  return {
    login: password === undefined ? undefined : { username: values?.get('username') ?? '', password },
    ca: values?.get('ca.crt'),
  };
}

/** What `helm repo update` says of the one repository that there is; it ends with no reason. */
function reasonOf(words: string): string {
  return /chart repository \(.*\):\s+(.+)/.exec(words)?.[1] ?? words;
}

/** Helm names no password in what it says; nothing that it may do one day is to change that here. */
function withoutPassword(words: string, auth: SourceAuth | undefined): string {
  const { login } = credentialsOf(auth);
  return login && login.password !== '' ? words.replaceAll(login.password, '[redacted]') : words;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function archiveId(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes).toString('hex')}`;
}

/** A registry there has no certificate, unless its authority is named. */
function isLoopback(host: string): boolean {
  const hostname = host.replace(/:\d+$/, '');
  return hostname === 'localhost' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
