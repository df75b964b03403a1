/** Apps whose files are in another repository: what they ask for, and what whoever has repositories answers. */
import { createHash } from 'node:crypto';
import {
  DEFAULT_NAMESPACE,
  objectKey,
  type App,
  type AppSource,
  type SourcePin,
} from '../../../contracts/objects/index.ts';
import type { TreeFile } from '../manifests/select-files.ts';
import type { Position } from '../manifests/types.ts';
import { chosenWords, type Chosen } from '../sources/follow.ts';
import { isNoValue, textsOf, type NoValue, type ValueObjects } from './object-values.ts';
import { UNOPENED } from './secret-variables.ts';

/** What a repository of files or of charts is opened with, in Flux' keys of a Secret. Prints as `[redacted]` wherever it is printed. */
export class SourceAuth {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** For the transport only. */
  reveal(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** Whether another one says the same. */
  equals(other: SourceAuth): boolean {
    const text = (auth: SourceAuth): string => JSON.stringify([...auth.#values].sort());
    return text(this) === text(other);
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

const AUTH_KEYS: ReadonlySet<string> = new Set([
  'username',
  'password',
  'bearerToken',
  'ca.crt',
  'identity',
  'known_hosts',
]);

/** One repository, and what is followed of it. Apps that say the same of it share it. */
export interface WantedSource {
  /**
   * 16 hex digits of what tells it from others: URL, what is followed, and the Secret's place. Of one commit the App in place of
   * that: another one is the next of the same source, and may be held as what is pushed to a branch.
   */
  readonly id: string;
  readonly url: string;
  readonly follows: Chosen;
  readonly auth: SourceAuth | undefined;
  /** It belongs to a tree that names its commit: no other one stands for it, whichever is in force. */
  readonly isPart?: true;
}

/** `left`: it is not to be read now; otherwise why it cannot be. */
export type SourceAnswer =
  | {
      readonly ok: true;
      readonly commit: string;
      readonly files: readonly TreeFile[];
      readonly read: (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;
    }
  | { readonly ok: false; readonly message: string };

/** Whoever has repositories. Rejects only when asking is over. */
export interface AppSources {
  open(wanted: WantedSource): Promise<SourceAnswer>;
}

function chosenOf({ branch, tag, semver, commit }: AppSource): Chosen {
  if (commit !== undefined) return { commit };
  return tag !== undefined ? { tag } : semver !== undefined ? { semver } : { branch: branch ?? 'main' };
}

/** What the App asks for; the values of its Secret are of the same commit. */
export function wantedSource(
  { metadata, spec }: App,
  source: AppSource,
  objects: ValueObjects,
  at: (...path: (string | number)[]) => Position,
): WantedSource | NoValue {
  const { url, secretRef } = source;
  const follows = chosenOf(source);
  const namespace = spec.namespace ?? DEFAULT_NAMESPACE;
  const id = createHash('sha256')
    .update(
      JSON.stringify([
        url,
        'commit' in follows ? { app: metadata.name } : follows,
        secretRef && [namespace, secretRef.name],
      ]),
    )
    .digest('hex')
    .slice(0, 16);
  if (!secretRef) return { id, url, follows, auth: undefined };
  const auth = authOf({ namespace, name: secretRef.name }, objects, at('spec', 'source', 'secretRef', 'name'));
  return isNoValue(auth) ? auth : { id, url, follows, auth };
}

/** What a Secret says; `place`: where it is named. */
export function authOf(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  objects: ValueObjects,
  place: Position,
): SourceAuth | NoValue {
  const found = objects.get(objectKey('Secret', namespace, name));
  if (!found)
    return {
      at: place,
      message: `Secret ${name} is in no manifest of the namespace ${namespace}`,
      hint: 'commit it, encrypted: `plumb secret encrypt`',
    };
  const values = new Map(textsOf(found.desired).filter(([key]) => AUTH_KEYS.has(key)));
  return [...values.values()].includes(UNOPENED) ? UNOPENED_AUTH : new SourceAuth(values);
}

/** Stands for what nobody here has the key to. */
export const UNOPENED_AUTH = new SourceAuth(new Map());

/** Stands for what the repository that is followed is read with; goes to its own server alone. */
export const OWN_AUTH = new SourceAuth(new Map());

/** Who reads it, for people: `App shop, blog`, `AppSet previews`. */
export function usersOf({ apps, sets = [] }: Pick<SourcePin, 'apps' | 'sets'>): string {
  return [
    ...(apps.length > 0 ? [`App ${apps.join(', ')}`] : []),
    ...(sets.length > 0 ? [`AppSet ${sets.join(', ')}`] : []),
  ].join(' and ');
}

/** Used by Apps and AppSets of a revision, in the order of their ids. */
export function usedSources(
  used: Iterable<{
    readonly app?: string;
    readonly set?: string;
    readonly wanted: WantedSource;
    readonly answer: SourceAnswer;
  }>,
): readonly SourcePin[] {
  const found = new Map<string, SourcePin>();
  for (const { app, set, wanted, answer } of used) {
    const { id, url, follows } = wanted;
    const apps = [...(found.get(id)?.apps ?? []), ...(app === undefined ? [] : [app])].sort();
    // What keeps one of them from being read keeps all where they are: they are of one commit.
    const problem = found.get(id)?.problem ?? (answer.ok ? undefined : answer.message);
    const sets = [...new Set([...(found.get(id)?.sets ?? []), ...(set === undefined ? [] : [set])])].sort();
    found.set(id, {
      id,
      url,
      follows: chosenWords(follows),
      apps,
      ...(sets.length > 0 && { sets }),
      ...(problem !== undefined ? { problem } : answer.ok && { commit: answer.commit }),
    });
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
