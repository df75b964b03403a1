/** What many nodes say of a pod, in few lines. */
import { groupBy } from '../group-by.ts';
import type { NodeVerdict } from './candidates.ts';

/** Different details that are told of one reason. */
const DETAILS = 3;
/** Names that are told of one detail. */
const NAMES = 5;

/**
 * A line for each reason with the number of nodes that give it, and under it the numbers, indented by two: those that
 * most nodes share first. What is left out is counted.
 */
export function verdictLines(verdicts: readonly NodeVerdict[]): string[] {
  const byReason = grouped(verdicts, ({ reasons }) => reasons.map(({ reason }) => reason).join(', '));
  return byReason.flatMap(({ text, members }) => {
    const byDetail = grouped(members, ({ reasons }) => reasons.map(({ detail }) => detail).join('; '));
    const told = byDetail.slice(0, DETAILS);
    const left = members.length - told.reduce((sum, detail) => sum + detail.members.length, 0);
    return [
      `${count(members.length)} ${text}`,
      ...told.map((detail) => `  ${nodeNames(detail.members.map(({ node }) => node))}: ${detail.text}`),
      ...(left > 0 ? [`  and ${count(left)} more`] : []),
    ];
  });
}

/** `n1, n2 and 4,996 more`. */
export function nodeNames(names: readonly string[]): string {
  const told = names.slice(0, names.length === NAMES + 1 ? NAMES + 1 : NAMES);
  return names.length > told.length
    ? `${told.join(', ')} and ${count(names.length - told.length)} more`
    : told.join(', ');
}

export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The largest group first, then by text. */
function grouped(
  verdicts: readonly NodeVerdict[],
  textOf: (verdict: NodeVerdict) => string,
): { readonly text: string; readonly members: readonly NodeVerdict[] }[] {
  return [...groupBy(verdicts, textOf)]
    .map(([text, members]) => ({ text, members }))
    .sort((a, b) => b.members.length - a.members.length || (a.text < b.text ? -1 : 1));
}
