/** `plumb net check`: nodes, pods, names and Services tried against each other. */
import type { NetCheckReport } from '../../reconciler/api/types.ts';
import { controlPlane } from '../control-plane.ts';
import { printData } from '../print/format.ts';
import { print } from '../print/terminal.ts';

/** Lines of what was not tried that are shown; `-o json` has all. */
const SHOWN_NOT_TRIED = 10;

export async function netCheck(options: { readonly home?: string; readonly output?: string }): Promise<void> {
  const report = await controlPlane(options.home).send<NetCheckReport>('POST', '/plumbline/v1/net-check');
  if (!(await printData(report, options.output === 'text' ? undefined : options.output)))
    await print(`${formatNetCheck(report)}\n`);
  process.exitCode = report.findings.length > 0 ? 1 : 0;
}

/** What is broken, each with where to look; then what was not tried, and a count. */
export function formatNetCheck({ tried, well, findings, notTried }: NetCheckReport): string {
  const more = notTried.length - SHOWN_NOT_TRIED;
  return [
    ...findings.flatMap(({ text, hint }) => [`broken: ${text}`, ...(hint === undefined ? [] : [`  ${hint}`])]),
    ...notTried.slice(0, SHOWN_NOT_TRIED).map((what) => `not tried: ${what}`),
    ...(more > 0 ? [`not tried: ${more} more, see -o json`] : []),
    findings.length === 0 && tried > 0
      ? `Nothing is broken: ${tried} of ${tried} connections and names.`
      : `${well} of ${tried} connections and names were well.`,
  ].join('\n');
}
