/** How a diagnostic is written for people and scripts. */
import type { Diagnostic } from './types.ts';
import { visible } from './wording.ts';

/**
 * One line: `FILE:LINE:COL CODE message; hint`. A warning says so after its code, and characters that nobody sees are
 * written out. The format is stable.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, code, severity, message, hint } = diagnostic;
  const words = severity === 'warning' ? `warning: ${message}` : message;
  return visible(
    `${file}:${line}:${column} ${code} ${words}${hint === undefined ? '' : `; ${hint}`}`.replaceAll(
      /[ \t\r]*\n\s*/g,
      ' ',
    ),
  );
}
