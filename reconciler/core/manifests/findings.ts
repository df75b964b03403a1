/** Collects what is wrong with one file. */
import type { LineCounter } from 'yaml';
import type { DiagnosticCode } from './codes.ts';
import type { Diagnostic, Position } from './types.ts';

/** More errors than this in one file help nobody. */
export const MAX_FINDINGS = 200;

export class Findings {
  readonly diagnostics: Diagnostic[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  get errors(): number {
    return this.diagnostics.filter((d) => d.severity === 'error').length;
  }

  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  error(code: DiagnosticCode, offset: number, message: string, hint?: string): void {
    this.#add('error', code, offset, message, hint);
  }

  warning(code: DiagnosticCode, offset: number, message: string, hint?: string): void {
    this.#add('warning', code, offset, message, hint);
  }

  #add(severity: Diagnostic['severity'], code: DiagnosticCode, offset: number, message: string, hint: string | undefined): void {
    if (this.diagnostics.length >= MAX_FINDINGS) return;
    this.diagnostics.push({ severity, code, ...this.position(offset), message, ...(hint !== undefined && { hint }) });
  }
}
