/** A sync controller over a real bare repository and a store in this process. */
import {
  hintsFrom,
  type Nudges,
  openGitPublisher,
  openGitSource,
  otherRepositories,
  type OwnRepository,
} from '../../../reconciler/adapters/git/index.ts';
import { HttpPullRequests, keptListings } from '../../../reconciler/adapters/forges/index.ts';
import { MemoryObjectStore } from '../../../reconciler/adapters/memory/object-store.ts';
import { MemoryWorkQueue } from '../../../reconciler/adapters/memory/work-queue.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import type { Condition, RevisionRecord, SourceStatus } from '../../../contracts/objects/index.ts';
import { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import { EventRecorder } from '../../../reconciler/controllers/runtime/event-recorder.ts';
import { Writer } from '../../../reconciler/controllers/runtime/writer.ts';
import { OtherSources } from '../../../reconciler/controllers/sync/other-sources.ts';
import { Publishing, SyncController } from '../../../reconciler/controllers/sync/index.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import type { GitPublisher } from '../../../reconciler/ports/git-publisher.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import type { RenderEngines } from '../../../reconciler/ports/render-engines.ts';
import type { SecretDecryptor } from '../../../reconciler/ports/secret-decryptor.ts';
import { type ScratchRepository, scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { whenOver } from '../../support/patience.ts';

const WAIT_MS = 15_000;

export interface SyncBench {
  readonly repository: ScratchRepository;
  readonly git: GitSource;
  readonly cache: StoreCache;
  readonly store: MemoryObjectStore;
  readonly queue: MemoryWorkQueue;
  readonly writer: Writer;
  readonly sync: SyncController;
  status(): SourceStatus | undefined;
  record(sha: string): RevisionRecord | undefined;
  synced(): Condition | undefined;
  /** Resolves once `what` holds, looking after every change; rejects with the Source's status after 15 s. */
  until(what: () => boolean, name: string): Promise<void>;
  close(): Promise<void>;
}

export interface SyncBenchOptions {
  readonly repository?: ScratchRepository;
  readonly store?: MemoryObjectStore;
  /** Opened already; closed with the bench. */
  readonly git?: GitSource;
  /** Stands between the controller and the repository. */
  readonly through?: (git: GitSource) => GitSource;
  readonly gitLimitMs?: number;
  /** Who tells of pushes to other repositories. */
  readonly nudges?: Nudges;
  readonly decryptor?: SecretDecryptor;
  /** Where other repositories are fetched into; Apps of such are left out when absent. */
  readonly othersDir?: string;
  /** What submodules at the server of the repository are opened with. */
  readonly own?: OwnRepository;
  /** What Apps are rendered with. */
  readonly engines?: RenderEngines;
  /** Writes outcomes; one on the repository itself when absent. */
  readonly publisher?: GitPublisher;
}

export async function syncBench(options: SyncBenchOptions = {}): Promise<SyncBench> {
  const repository = options.repository ?? scratchRepository();
  const clock = new SystemClock();
  const opened = options.git ?? (await openGitSource({ url: repository.dir, branch: 'main' }));
  const git = options.through?.(opened) ?? opened;
  const store = options.store ?? new MemoryObjectStore({ clock, ids: new CryptoIds() });
  const stop = new AbortController();
  await store.open(stop.signal);
  const cache = new StoreCache({ store, clock, log: SILENT_LOG });
  const running = cache.run(stop.signal);
  await cache.waitSynced(stop.signal);
  const recorder = new EventRecorder({ cache, clock, log: SILENT_LOG });
  const queue = new MemoryWorkQueue();
  const writer = new Writer({ cache, recorder, clock });
  const otherSources =
    options.othersDir === undefined
      ? undefined
      : new OtherSources({
          repositories: otherRepositories(options.othersDir, options.nudges, options.own),
          listings: keptListings({
            dir: `${options.othersDir}.listings`,
            forges: new HttpPullRequests({ clock }),
            hints: (seconds, signal) => hintsFrom({ folders: [], nudges: options.nudges }, seconds, signal),
          }),
          clock,
        });
  const sync = new SyncController('main', {
    git,
    view: cache,
    queue,
    clock,
    log: SILENT_LOG,
    ...(options.gitLimitMs !== undefined && { gitLimitMs: options.gitLimitMs }),
    ...(options.decryptor && { decryptor: options.decryptor }),
    ...(options.engines && { engines: options.engines }),
    ...(otherSources && { otherSources }),
    execute: (steps, component, signal) => writer.attempt(steps, component, signal),
  });
  const publisher =
    options.publisher ?? (await openGitPublisher({ url: repository.dir, cacheDir: `${repository.root}/published` }));
  const publishing = new Publishing('main', {
    git,
    publisher,
    reader: sync.reader,
    configKey: Buffer.alloc(32, 7),
    view: cache,
    queue,
    clock,
    log: SILENT_LOG,
    settleMs: 10,
    execute: (steps, component, signal) => writer.attempt(steps, component, signal),
  });
  const failures: unknown[] = [];
  queue.onFailure((failure) => failures.push(failure.error));
  const unsubscribe = cache.subscribe((type, object, previous) => {
    sync.changed(type, object, previous);
    publishing.changed(object, previous);
  });
  sync.start();
  publishing.start();
  const bench: SyncBench = {
    repository,
    git,
    cache,
    store,
    queue,
    writer,
    sync,
    status: () => cache.get('sources.plumbline.dev//main')?.status,
    record: (sha) => bench.status()?.history.find((r) => r.revision === sha),
    synced: () => bench.status()?.conditions?.find((c) => c.type === 'Synced'),
    until(what, name) {
      return new Promise((resolve, reject) => {
        let stopListening = (): void => undefined;
        const forget = whenOver(WAIT_MS, () => {
          stopListening();
          reject(
            new Error(
              `${name} did not happen: ${JSON.stringify(bench.status(), null, 1)} ${failures.map(String).join('\n')}`,
            ),
          );
        });
        const look = (): void => {
          if (!what()) return;
          forget();
          stopListening();
          resolve();
        };
        stopListening = cache.subscribe(look);
        look();
      });
    },
    async close() {
      await sync.close();
      await publishing.close();
      await publisher.close();
      await otherSources?.close();
      unsubscribe();
      await recorder.close();
      await queue.close();
      stop.abort();
      await running;
      await git.close();
      if (!options.repository) repository.remove();
    },
  };
  return bench;
}

export const CLUSTER =
  'apiVersion: plumbline.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: cluster\nspec:\n  sync:\n    pollSeconds: 3600\n';

export function deployment(name: string, image = 'registry.lab/web:1', replicas = 1): string {
  return [
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    `  replicas: ${replicas}`,
    '  selector:',
    '    matchLabels:',
    `      app: ${name}`,
    '  template:',
    '    metadata:',
    '      labels:',
    `        app: ${name}`,
    '    spec:',
    '      containers:',
    '        - name: web',
    `          image: ${image}`,
    '',
  ].join('\n');
}
