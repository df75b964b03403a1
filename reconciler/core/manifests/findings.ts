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

/** More errors than this in one file help nobody. That there are more is said: see {@link Findings.sorted}. */
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
  readonly #diagnostics: Diagnostic[] = [];
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

  /** Whether nothing more is kept: explaining further errors is wasted work. */
  get full(): boolean {
    return this.#diagnostics.length >= MAX_FINDINGS;
  }

  /** Everything that was found, in the file's order; at its end whether that may not be all. */
  sorted(): Diagnostic[] {
    const sorted = this.#diagnostics.sort(byPosition);
    const last = sorted.at(-1);
    if (!last || !this.full) return sorted;
    return [
      ...sorted,
      {
        ...last,
        severity: 'error',
        code: 'TooManyErrors',
        message: `only ${MAX_FINDINGS} mistakes of this file are shown; there may be more`,
        hint: 'mend these, and check again',
      },
    ];
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
    if (this.full) return;
    this.#diagnostics.push({ severity, code, ...this.position(offset), message, ...(hint !== undefined && { hint }) });
  }
}
