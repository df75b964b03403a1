/** What an import reads, and what it gives back. */
import type { Diagnostic } from '../manifests/index.ts';

/** The files of a folder, as far as they were read. Paths are from its root, with `/`. */
export interface SourceTree {
  /** Files of text, by path. */
  readonly texts: ReadonlyMap<string, string>;
  /** Every file that is there, also those that were not read: too large, or no text. */
  readonly paths: ReadonlySet<string>;
}

export interface OutputFile {
  readonly path: string;
  readonly text: string;
}

export interface Imported {
  /** Files to write, ordered by path. Where an import keeps the tree that it read, these are added to it or replace a file. */
  readonly files: readonly OutputFile[];
  /** Files of the tree that the result does not have; only where an import keeps the tree. */
  readonly removed: readonly string[];
  /** What could not be carried over, and what became something else, in order of place. An error: something is missing that only a person can say. */
  readonly findings: readonly Diagnostic[];
}

export const IMPORT_CODES = [
  'NotCarriedOver',
  'CarriedOverChanged',
  'SecretLeftOut',
  'SourceMissing',
  'SourceInvalid',
  'SourceTooLarge',
] as const;
export type ImportCode = (typeof IMPORT_CODES)[number];
