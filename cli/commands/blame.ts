/** `plumb blame`: which commit made an object what it is. */
import type { BlameReport } from '../../reconciler/api/types.ts';
import { age, short } from '../../reconciler/core/kinds/columns.ts';
import { controlPlane } from '../control-plane.ts';
import { printData } from '../print/format.ts';
import { print } from '../print/terminal.ts';
import { parseObject } from './get.ts';

export async function blame(
  word: string,
  options: { readonly home?: string; readonly namespace: string; readonly output?: string },
): Promise<void> {
  const { kind, name } = parseObject(word, 'plumb blame deploy/web');
  const query = new URLSearchParams({ kind, namespace: options.namespace, name });
  const report = await controlPlane(options.home).get<BlameReport>(`/plumbline/v1/blame?${query.toString()}`);
  if (!(await printData(report, options.output))) await print(`${formatBlame(report, new Date())}\n`);
}

const VERB = { added: 'added by', changed: 'changed last by', older: 'not changed since' } as const;

/** The report for people. */
export function formatBlame({ object, owners, manifestOf, commit, origin, change }: BlameReport, now: Date): string {
  const { kind, namespace, name } = object;
  const lines = [
    `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
    ...owners.map((owner) => `  owned by   ${owner}`),
    `  manifest   ${origin.file}:${origin.line} (${manifestOf}), ${VERB[change]}`,
    `  commit     ${short(commit.revision)} ${commit.subject}`,
    `  author     ${commit.author}, ${age(commit.committedAt, now)} ago`,
  ];
  return lines.join('\n');
}
