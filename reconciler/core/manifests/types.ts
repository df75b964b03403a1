/** What reading a revision gives: desired objects with where each was written, and what is wrong, as values. */
import type { KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import type { JsonObject } from '../fields/json.ts';

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

/** One file's parse, reused for as long as the blob id stays the same. */
export interface ParsedFile {
  readonly path: string;
  readonly oid: string;
  /** Size of the file. */
  readonly bytes: number;
  readonly objects: readonly DesiredObject[];
  readonly diagnostics: readonly Diagnostic[];
  /** Keys of objects that are written in the file but were refused: other objects may still refer to them. */
  readonly refused?: readonly ObjectKey[];
}

export interface Rendering {
  readonly state: DesiredState;
  readonly diagnostics: readonly Diagnostic[];
}
