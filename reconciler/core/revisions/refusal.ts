/** Why a revision is refused, in the words of a condition, an event and a history record. */
import { formatDiagnostic, type Diagnostic } from '../manifests/index.ts';

export const MAX_SHOWN = 20;
/** Characters: paths and values of a commit are as long as its author likes. */
const MAX_LINE = 500;

/** One line for each of the first {@link MAX_SHOWN} errors, then how many more there are. */
export function refusalMessage(errors: readonly Diagnostic[]): string {
  const lines = errors
    .slice(0, MAX_SHOWN)
    .map(formatDiagnostic)
    .map((line) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line));
  const rest = errors.length - lines.length;
  return [...lines, ...(rest > 0 ? [`and ${rest} more ${rest === 1 ? 'error' : 'errors'}`] : [])].join('\n');
}
