/** How a diagnostic is written for people and scripts. */
import type { Diagnostic, RenderedPlace } from './types.ts';
import { visible } from './wording.ts';

/**
 * One line: `FILE:LINE:COL CODE message; hint`. A warning says so after its code, and characters that nobody sees are
 * written out. What an App made is told with the place in what `plumb render` prints. The format is stable.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, code, severity, message, hint, rendered } = diagnostic;
  const where = rendered ? ` (${renderedWords(rendered)})` : '';
  const words = `${severity === 'warning' ? `warning: ${message}` : message}${where}`;
  return visible(
    `${file}:${line}:${column} ${code} ${words}${hint === undefined ? '' : `; ${hint}`}`.replaceAll(
      /[ \t\r]*\n\s*/g,
      ' ',
    ),
  );
}

function renderedWords({ app, engine, template, line }: RenderedPlace): string {
  const from = template === undefined ? '' : `, ${template}`;
  return `App ${app}, ${engine}${from}: line ${line} of plumb render ${app}`;
}
