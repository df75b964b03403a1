/**
 * How a check says what is wrong. `path` leads to the field; the message continues the field's name ("must be ...").
 * `at`: which character of the field's text is meant, where it is one.
 */
import type { z } from 'zod';
import type { DiagnosticCode } from '../codes.ts';
import type { FieldPath } from '../yaml-tree.ts';

export type Report = (code: DiagnosticCode, path: FieldPath, message: string, hint?: string, at?: number) => void;

export interface CheckContext {
  readonly error: Report;
  readonly warning: Report;
  /** Whether the manifest itself has the field (not a default). */
  readonly has: (path: FieldPath) => boolean;
  /** The name that was meant, where one is close. */
  readonly closest: (word: string, names: () => readonly string[]) => string | undefined;
  /** Holds the value at `path` against a schema of its own. */
  readonly shape: (path: FieldPath, schema: z.ZodType) => void;
}

/** Calls `report` for every entry whose name an earlier entry has. Entries without a name are passed over. */
export function eachDuplicate<T>(
  entries: readonly T[],
  nameOf: (entry: T) => string | undefined,
  report: (entry: T, name: string, index: number, first: number) => void,
): void {
  const seen = new Map<string, number>();
  entries.forEach((entry, index) => {
    const name = nameOf(entry);
    if (name === undefined) return;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, index);
    else report(entry, name, index, first);
  });
}

/**
 * Kubernetes' form of a port's name (IANA service name): at most 15 characters, at least one letter, no doubled hyphen.
 */
export function isPortName(name: string): boolean {
  return (
    name.length <= 15 && /^[a-z0-9-]+$/.test(name) && /[a-z]/.test(name) && !name.includes('--') && !/^-|-$/.test(name)
  );
}
