/** What reading a revision gives: desired objects with where each was written, and what is wrong, as values. */
import {
  NO_CUSTOM_KINDS,
  type CustomKey,
  type KindRegistry,
  type KubeObject,
  type ObjectKey,
  type SourcePin,
  type Unstructured,
  type UnstructuredJson,
} from '../../../contracts/objects/index.ts';
import type { JsonObject } from '../fields/json.ts';
import type { Envelope } from '../secrets/envelope.ts';
import type { Places } from './places.ts';

export interface Position {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** Of what an App's engine made: the place above is the one to mend it at, this one where to look at it. */
  readonly rendered?: RenderedPlace;
}

/** A place in what an engine printed. */
export interface RenderedPlace {
  readonly app: string;
  readonly engine: string;
  /** The chart's template, where the engine tells it. */
  readonly template?: string;
  /** In what `plumb render APP` prints, 1-based. Of an object: the first line of its document. */
  readonly line: number;
}

export interface Diagnostic extends Position {
  readonly severity: 'error' | 'warning';
  /** Stable; listed in docs/errors.md. */
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export interface DesiredObject {
  readonly key: ObjectKey;
  /** Parsed, defaults filled, namespace filled. */
  readonly object: KubeObject;
  /** What the manifest itself says of the object: no defaults. Values are as `object` has them. */
  readonly written: JsonObject;
  readonly position: Position;
  /** Line and column of the fields that are compared with other objects, by path (`spec.clusterIP`). See positionOf. */
  readonly marks?: Readonly<Record<string, readonly [line: number, column: number]>>;
  /** The App that it was made by. */
  readonly app?: string;
}

export type DesiredState = ReadonlyMap<ObjectKey, DesiredObject>;

/** As {@link DesiredObject}, of a kind that a definition in the same revision brings along. */
export interface DesiredCustom {
  readonly key: CustomKey;
  readonly object: Unstructured;
  readonly written: JsonObject;
  readonly position: Position;
  /** As in {@link DesiredObject}. */
  readonly marks?: DesiredObject['marks'];
  readonly app?: string;
}

export type CustomState = ReadonlyMap<CustomKey, DesiredCustom>;

/** All that a revision asks for. */
export interface Desired {
  readonly state: DesiredState;
  readonly custom: CustomState;
  /** The kinds that its definitions bring along. */
  readonly kinds: KindRegistry;
  /** Apps that are there for as long as a pull request is open: whoever closes it means what goes then. */
  readonly previews?: ReadonlySet<string>;
}

export const NOTHING_DESIRED: Desired = { state: new Map(), custom: new Map(), kinds: NO_CUSTOM_KINDS };

/**
 * An object of a kind that is not built in, as it is written: what it is of, and whether it is right, is known when all
 * files of the revision are read.
 */
export interface CustomManifest {
  readonly object: UnstructuredJson;
  readonly position: Position;
  readonly places: Places;
  /** Where it is when it says no namespace and is of a namespaced kind; `default` where this is absent. */
  readonly namespace?: string;
  readonly app?: string;
}

/** What somebody has to open, and where it is written. */
export interface SealedPart {
  readonly envelope: Envelope;
  readonly position: Position;
}

/** One file's parse, reused for as long as the blob id stays the same. */
export interface ParsedFile {
  readonly path: string;
  readonly oid: string;
  /** Size of the file. */
  readonly bytes: number;
  readonly objects: readonly DesiredObject[];
  readonly custom: readonly CustomManifest[];
  readonly diagnostics: readonly Diagnostic[];
  /** Keys of objects that are written in the file but were refused: other objects may still refer to them. */
  readonly refused?: readonly ObjectKey[];
  /** What has to be opened for the values of its encrypted Secrets. */
  readonly sealed?: readonly SealedPart[];
  /** Of a file that an AppSet reads: what it holds, and no objects. */
  readonly data?: JsonObject;
}

export interface Rendering extends Desired {
  readonly diagnostics: readonly Diagnostic[];
  /** What is encrypted in the files. */
  readonly sealed?: readonly SealedPart[];
  /** Other repositories that Apps were rendered from. */
  readonly sources?: readonly SourcePin[];
  /** Ids of what submodules were read as: they last as long as the commit that has them. */
  readonly submodules?: readonly string[];
  /** Apps of which something could not be read: nothing is known of their objects. */
  readonly leftOut?: readonly string[];
  /** What Apps made, and AppSets, as a cache of parsed files knows it: it lasts as long as it is told to keep these. */
  readonly rendered?: readonly { readonly path: string; readonly oid: string }[];
}
