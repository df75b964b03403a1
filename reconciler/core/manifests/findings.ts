/** What is wrong: how it is told, collected and put in order. */
import type { LineCounter } from 'yaml';
import type { DiagnosticCode } from './codes.ts';
import { Suggestions } from './suggest.ts';
import type { Diagnostic, Position } from './types.ts';

/** Adds one diagnostic to a rendering. */
export type Tell = (
  severity: Diagnostic['severity'],
  code: DiagnosticCode,
  at: Position,
  message: string,
  hint?: string,
) => void;

/**
 * More errors than this in one file help nobody, nor do more warnings. That there are more is said: see
 * {@link Findings.sorted}.
 */
const MAX_FINDINGS = 199;

/** The order in which diagnostics are shown: file, line, column, code, message. */
export function byPosition(a: Diagnostic, b: Diagnostic): number {
  return (
    compare(a.file, b.file) ||
    a.line - b.line ||
    a.column - b.column ||
    compare(a.code, b.code) ||
    compare(a.message, b.message)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export class Findings {
  /** Each severity by itself: warnings hide no error, and make none. */
  readonly #kept: Record<Diagnostic['severity'], Diagnostic[]> = { error: [], warning: [] };
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #text: string;
  #errors = 0;
  readonly suggestions = new Suggestions();

  constructor(file: string, lines: LineCounter, text: string) {
    this.#file = file;
    this.#lines = lines;
    this.#text = text;
  }

  /** Errors found, also those that are no longer kept. */
  get errors(): number {
    return this.#errors;
  }

  /** Whether no more errors are kept: explaining further ones is wasted work. */
  get full(): boolean {
    return this.#kept.error.length >= MAX_FINDINGS;
  }

  /** Everything that was found, in the file's order; at its end whether that may not be all. */
  sorted(): Diagnostic[] {
    const { error, warning } = this.#kept;
    return [...[...error, ...warning].sort(byPosition), ...more(error, 'mistakes'), ...more(warning, 'warnings')];
  }

  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  /**
   * Where in the file character `at` of a text is that is written at `offset`, whether plain, in quotes or as a block.
   * What is between its characters in the file is indentation, and what YAML needs for quotes.
   */
  offsetWithin(offset: number, written: string, at: number): number {
    let place = offset;
    for (let i = 0; i <= at && i < written.length; i++) {
      const character = written.charAt(i);
      if (character.trim() === '') continue;
      const found = this.#text.indexOf(character, i === 0 ? offset : place + 1);
      if (found < 0) return offset;
      place = found;
    }
    return place;
  }

  error(code: DiagnosticCode, offset: number, message: string, hint?: string): void {
    this.#add('error', code, offset, message, hint);
  }

  warning(code: DiagnosticCode, offset: number, message: string, hint?: string): void {
    this.#add('warning', code, offset, message, hint);
  }

  #add(
    severity: Diagnostic['severity'],
    code: DiagnosticCode,
    offset: number,
    message: string,
    hint: string | undefined,
  ): void {
    if (severity === 'error') this.#errors++;
    const kept = this.#kept[severity];
    if (kept.length >= MAX_FINDINGS) return;
    kept.push({ severity, code, ...this.position(offset), message, ...(hint !== undefined && { hint }) });
  }
}

/** That there may be more of one severity, at the place of the last one. */
function more(kept: readonly Diagnostic[], word: string): Diagnostic[] {
  const last = kept.toSorted(byPosition).at(-1);
  if (!last || kept.length < MAX_FINDINGS) return [];
  const message = `only ${MAX_FINDINGS} ${word} of this file are shown; there may be more`;
  return [{ ...last, code: 'TooManyErrors', message, hint: 'mend these, and check again' }];
}
