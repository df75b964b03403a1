/**
 * The objects of a revision as files, one for each, so that the difference between two revisions is one that Git shows. The
 * same objects give the same bytes, whatever files or Apps they came from.
 */
import { createHash, createHmac } from 'node:crypto';
import { groupOf, isCustomKey, isKind, type RevisionRecord } from '../../../contracts/objects/index.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import { manifestsText } from '../import/write-yaml.ts';
import { REDACTED, redactedAt } from '../kinds/sealed.ts';
import type { Desired, DesiredCustom, DesiredObject } from '../manifests/index.ts';
import type { Paced } from '../paced.ts';
import { blobId } from '../sources/blob-id.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

/** Where objects in no namespace are: no namespace has such a name. */
const NO_NAMESPACE = '_cluster';
/** Characters of one part of a path: with what follows it, a file system holds it. */
const MAX_PART = 200;
const DIGEST = 32;

type Rendered = DesiredObject | DesiredCustom;

export interface RenderedFile {
  /** Git's, of its contents. */
  readonly id: string;
  readonly of: Rendered;
}

/** Of one key: what did not change since the last revision is not written out again. */
export class RenderedTree {
  readonly #key: Uint8Array | undefined;
  readonly #known = new WeakMap<Rendered, { readonly path: string; readonly id: string }>();

  /** `key`: what stands for a value of a Secret is made with it; without one, nothing tells two values apart. */
  constructor(key: Uint8Array | undefined) {
    this.#key = key && createHmac('sha256', key).update('rendered').digest();
  }

  /** Paths, with the id that Git gives to the contents, and the object that they are of. */
  *files({ state, custom }: Pick<Desired, 'state' | 'custom'>): Paced<ReadonlyMap<string, RenderedFile>> {
    const files = new Map<string, RenderedFile>();
    for (const one of [...state.values(), ...custom.values()]) {
      yield;
      let known = this.#known.get(one);
      if (!known) this.#known.set(one, (known = { path: pathOf(one), id: blobId(this.content(one)) }));
      files.set(known.path, { id: known.id, of: one });
    }
    return files;
  }

  /** Contents of the files that are others than `before`, ids by path. */
  *changed(
    files: ReadonlyMap<string, RenderedFile>,
    before: ReadonlyMap<string, string> | undefined,
  ): Paced<ReadonlyMap<string, Uint8Array>> {
    const changed = new Map<string, Uint8Array>();
    for (const [path, { id, of }] of files) {
      if (before?.get(path) === id) continue;
      yield;
      changed.set(path, this.content(of));
    }
    return changed;
  }

  /** YAML, with the names of fields in order. Values of Secrets are not in it. */
  content(one: Rendered): Uint8Array {
    const { object, written } = one;
    const { apiVersion, kind, metadata } = object;
    const { namespace, name } = metadata;
    const named = {
      ...(isObject(written['metadata']) ? written['metadata'] : {}),
      name,
      ...(namespace !== undefined && { namespace }),
    };
    const { apiVersion: _version, kind: _kind, metadata: _metadata, ...rest } = this.#shown(one);
    return Buffer.from(
      manifestsText([{ object: { apiVersion, kind, metadata: inOrder(named), ...(inOrder(rest) as JsonObject) } }]),
    );
  }

  #shown({ key, object, written }: Rendered): JsonObject {
    if (isCustomKey(key) || !isKind(object.kind)) return written;
    const shown = redactedAt(object.kind, [], written) as JsonObject;
    const { data } = written;
    if (object.kind !== 'Secret' || !isObject(data)) return shown;
    const { namespace = '', name } = object.metadata;
    return {
      ...shown,
      data: Object.fromEntries(
        Object.entries(data).map(([field, value]) => [field, this.#stand([namespace, name, field], value)]),
      ),
    };
  }

  /** The same text stands for the same value, and at another place for none: equal passwords are not seen to be. */
  #stand(place: readonly string[], value: unknown): string {
    if (!this.#key) return REDACTED;
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64').toString('base64') : value;
    const mac = createHmac('sha256', this.#key)
      .update(canonicalJson([place, bytes]))
      .digest('hex');
    return `[hmac-sha256 ${mac.slice(0, DIGEST)}]`;
  }
}

function pathOf({ object: { apiVersion, kind, metadata } }: Rendered): string {
  const group = groupOf(apiVersion);
  const folder = group === '' ? kind : `${kind}.${group}`;
  return [metadata.namespace ?? NO_NAMESPACE, part(folder), `${part(metadata.name)}.yaml`].join('/');
}

/** Names may have what file systems, shells and Git take for something else. */
function part(name: string): string {
  const safe = name.replace(/^\.|[^A-Za-z0-9._-]/gu, (found) => encodeURIComponent(found).replace(/^\.$/, '%2E'));
  if (safe.length <= MAX_PART) return safe;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST);
  return `${safe.slice(0, MAX_PART - DIGEST - 1)}-${digest}`;
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, below]) => [name, inOrder(below)]),
  );
}

const RENDERED_FROM = 'Rendered-From';

/** Of the commit that has the files of that revision. */
export function renderedMessage(
  { revision, subject, author }: Pick<RevisionRecord, 'revision' | 'subject' | 'author'>,
  sourceName: string,
): string {
  const title = subject === '' ? revision.slice(0, 12) : subject;
  return `${title}\n\nWhat was applied of ${revision.slice(0, 12)}, by ${author}.\n\n${RENDERED_FROM}: ${revision}\nSource: ${sourceName}\n`;
}

/** The revision whose files a commit of ours has; undefined of one that is somebody else's. */
export function renderedFrom(message: string): string | undefined {
  return new RegExp(`^${RENDERED_FROM}: ([0-9a-f]{40})$`, 'm').exec(message)?.[1];
}
