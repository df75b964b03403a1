/** What reading a revision gives: desired objects with where each was written, and what is wrong, as values. */
import {
  NO_CUSTOM_KINDS,
  type CustomKey,
  type KindRegistry,
  type KubeObject,
  type ObjectKey,
  type Unstructured,
  type UnstructuredJson,
} from '../../../contracts/objects/index.ts';
import type { JsonObject } from '../fields/json.ts';
import type { Places } from './places.ts';

export interface Position {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
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
}

export type CustomState = ReadonlyMap<CustomKey, DesiredCustom>;

/** All that a revision asks for. */
export interface Desired {
  readonly state: DesiredState;
  readonly custom: CustomState;
  /** The kinds that its definitions bring along. */
  readonly kinds: KindRegistry;
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
}

export interface Rendering extends Desired {
  readonly diagnostics: readonly Diagnostic[];
}
