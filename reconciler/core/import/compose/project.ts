/** What the services of a project share: names, claims, configuration, and which Secrets there have to be. */
import type { Position } from '../../manifests/index.ts';
import type { SecretPart } from '../located.ts';
import { dataKey, dnsLabel, folderOf, resolvePath } from '../names.ts';
import type { Report } from '../report.ts';
import { isSecretFile } from '../secret-names.ts';
import type { SourceTree } from '../types.ts';
import type { Manifest } from '../write-yaml.ts';
import type { ComposeModel } from './load.ts';

export interface ComposeOptions {
  /** The compose file; absent: the one that Compose would take. */
  readonly file?: string | undefined;
  /** Name of the project where the file gives it none: the folder's name. */
  readonly name: string;
  /** Services with a profile are left out, but for those of these; `*` is all. */
  readonly profiles?: readonly string[] | undefined;
  /** Write Secrets, with their values in plain text. */
  readonly plainSecrets?: boolean | undefined;
  /** What a claim asks for: volumes of Compose have no size. */
  readonly volumeSize?: string | undefined;
}

/** Of a ConfigMap that is made of files. Kubernetes takes 1 MiB. */
const MAX_CONFIG_BYTES = 512 * 1024;
const MAX_CONFIG_FILES = 100;
const DEFAULT_VOLUME_SIZE = '1Gi';
const SEAL_HINT = 'write it into Git encrypted: `plumb secret encrypt`';

/** The Secret that holds the variables of `.env`. */
export const ENV_SECRET = 'env';

export interface ConfigFiles {
  readonly name: string;
  /** Of a single file. */
  readonly key?: string | undefined;
  /** Set where a file is in a folder below: which file is of which key. */
  readonly items?: readonly { readonly key: string; readonly path: string }[];
  readonly secret: boolean;
}

export class Project {
  readonly name: string;
  readonly tree: SourceTree;
  readonly model: ComposeModel;
  readonly report: Report;
  readonly options: ComposeOptions;
  readonly #configs = new Map<string, Record<string, string>>();
  readonly #claims = new Map<string, Manifest>();
  readonly #secrets = new Map<string, Map<string, string | undefined>>();

  constructor(model: ComposeModel, tree: SourceTree, options: ComposeOptions, report: Report) {
    this.name = dnsLabel(model.name ?? options.name, 'project');
    this.model = model;
    this.tree = tree;
    this.report = report;
    this.options = options;
  }

  metadata(name: string, annotations?: Readonly<Record<string, string>>): Record<string, unknown> {
    return { name, namespace: this.name, ...(annotations && Object.keys(annotations).length > 0 && { annotations }) };
  }

  claim(name: string): string {
    if (!this.#claims.has(name))
      this.#claims.set(name, {
        object: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: this.metadata(name),
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: 'local',
            resources: { requests: { storage: this.options.volumeSize ?? DEFAULT_VOLUME_SIZE } },
          },
        },
        comments: ['Compose gives volumes no size: set what this one needs. Its data has to be copied.'],
      });
    return name;
  }

  /** Notes that a Secret has to have a key. Where that is not told yet, says so at `at`. */
  secretKey(
    name: string,
    { secret, value }: SecretPart,
    at: Position,
  ): { readonly name: string; readonly key: string } {
    const keys = this.#secrets.get(name) ?? new Map<string, string | undefined>();
    this.#secrets.set(name, keys);
    const key = dataKey(secret);
    const known = keys.get(key);
    if (!keys.has(key) && !(this.options.plainSecrets && value !== undefined))
      this.report.secret(at, `the key ${key} of Secret ${name} is needed, and its value was not written`, SEAL_HINT);
    keys.set(key, known ?? value);
    return { name, key };
  }

  configMap(name: string, data: Readonly<Record<string, string>>): string {
    this.#configs.set(name, { ...data });
    return name;
  }

  /**
   * A file or folder of the tree as a ConfigMap, or as a Secret where it looks so; undefined where it is not there, or is
   * no small text.
   */
  filesAt(path: string, at: Position): ConfigFiles | undefined {
    const { texts, paths } = this.tree;
    const single = texts.get(path);
    const inside = single === undefined ? [...paths].filter((file) => file.startsWith(`${path}/`)) : [path];
    if (inside.length === 0 || inside.length > MAX_CONFIG_FILES || path === '') return undefined;
    const files = inside.flatMap((file) => {
      const text = texts.get(file);
      return text === undefined
        ? []
        : [{ path: single === undefined ? file.slice(path.length + 1) : basename(file), text }];
    });
    const size = files.reduce((sum, { text }) => sum + text.length, 0);
    if (files.length < inside.length || size > MAX_CONFIG_BYTES) return undefined;
    const keyed = files.map((file) => ({ ...file, key: dataKey(file.path.replaceAll('/', '__')) }));
    const name = dnsLabel(path);
    const secret = files.some((file) => isSecretFile(file.path, file.text));
    if (secret) for (const { key, text } of keyed) this.secretKey(name, { secret: key, value: text }, at);
    else this.configMap(name, Object.fromEntries(keyed.map(({ key, text }) => [key, text])));
    const renamed = keyed.some(({ key, path: file }) => key !== file);
    return {
      name,
      key: keyed[0]?.key,
      secret,
      ...(renamed && { items: keyed.map(({ key, path: file }) => ({ key, path: file })) }),
    };
  }

  claims(): readonly Manifest[] {
    return [...this.#claims.values()];
  }

  configMaps(): readonly Manifest[] {
    return [...this.#configs].map(([name, data]) => ({
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: this.metadata(name), data },
    }));
  }

  /** Secrets with what is known of them; none unless they were asked for. */
  secrets(): readonly Manifest[] {
    if (!this.options.plainSecrets) return [];
    return [...this.#secrets].flatMap(([name, keys]) => {
      const known = [...keys].filter(([, value]) => value !== undefined);
      if (known.length === 0) return [];
      return [
        {
          object: {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: this.metadata(name),
            stringData: Object.fromEntries(known),
          },
          comments: ['In plain text: encrypt it before it is committed.'],
        },
      ];
    });
  }
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A path of a compose file, from the folder of the file that it is written in; undefined where it leads out of the tree. */
export function pathFrom(at: Position, written: string): string | undefined {
  return resolvePath(folderOf(at.file), written);
}
