/** How a diagnostic is written for people and scripts. */
import type { Diagnostic } from './types.ts';

/** One line: `FILE:LINE:COL CODE message; hint`. A warning says so after its code. The format is stable. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, code, severity, message, hint } = diagnostic;
  const words = severity === 'warning' ? `warning: ${message}` : message;
  return `${file}:${line}:${column} ${code} ${words}${hint === undefined ? '' : `; ${hint}`}`.replaceAll(/\s*\n\s*/g, ' ');
}
