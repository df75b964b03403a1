/** Collects what an import has to say. Never holds a value that is secret: callers pass names only. */
import { byPosition, type Diagnostic, type Position } from '../manifests/index.ts';
import type { ImportCode } from './types.ts';

/** More than this is read by nobody; that there is more is said. */
const MAX_FINDINGS = 2000;
const MAX_MESSAGE = 400;

export class Report {
  readonly #findings = new Map<string, Diagnostic>();
  #dropped: Diagnostic | undefined;

  /** The result lacks something that was asked for. */
  lost(at: Position, message: string, hint?: string): void {
    this.#tell('warning', 'NotCarriedOver', at, message, hint);
  }

  /** The result does it in another way, which somebody may have to know of. */
  changed(at: Position, message: string, hint?: string): void {
    this.#tell('warning', 'CarriedOverChanged', at, message, hint);
  }

  /** A value that belongs into a Secret, and was not written. */
  secret(at: Position, message: string, hint?: string): void {
    this.#tell('warning', 'SecretLeftOut', at, message, hint);
  }

  /** Something is named that is not there. */
  missing(at: Position, message: string, hint?: string): void {
    this.#tell('warning', 'SourceMissing', at, message, hint);
  }

  /** An input that cannot be read as what it should be: somebody has to mend it. */
  invalid(at: Position, message: string, hint?: string): void {
    this.#tell('error', 'SourceInvalid', at, message, hint);
  }

  tooLarge(at: Position, message: string, hint?: string): void {
    this.#tell('error', 'SourceTooLarge', at, message, hint);
  }

  /** What reading a file as YAML had to say. */
  add(diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) this.#keep(diagnostic);
  }

  sorted(): Diagnostic[] {
    const findings = [...this.#findings.values()].sort(byPosition);
    if (!this.#dropped) return findings;
    const message = `only ${MAX_FINDINGS} findings are shown; there are more`;
    return [...findings, { ...this.#dropped, severity: 'warning', code: 'TooManyErrors', message }];
  }

  #tell(
    severity: Diagnostic['severity'],
    code: ImportCode,
    at: Position,
    message: string,
    hint: string | undefined,
  ): void {
    const { file, line, column } = at;
    const told = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message;
    this.#keep({ severity, code, file, line, column, message: told, ...(hint !== undefined && { hint }) });
  }

  /** What aliases and shared parts of a file have told already is told once. */
  #keep(diagnostic: Diagnostic): void {
    const { file, line, column, code, message } = diagnostic;
    const key = JSON.stringify([file, line, column, code, message]);
    if (this.#findings.has(key)) return;
    if (this.#findings.size < MAX_FINDINGS) this.#findings.set(key, diagnostic);
    else this.#dropped ??= diagnostic;
  }
}
