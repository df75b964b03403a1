/** `plumb plan`: what would change, against a revision offline or against the live state. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Cluster } from '../../contracts/objects/index.ts';
import type { PlanReport } from '../../reconciler/api/types.ts';
import { checkPlan, formatPlan, planSync, type PlanFormat, type PlanInput } from '../../reconciler/core/diff/index.ts';
import { type DesiredState, type Diagnostic, formatDiagnostic, type Rendering } from '../../reconciler/core/manifests/index.ts';
import { pruneGuard } from '../../reconciler/core/revisions/prune-guard.ts';
import type { GitSource } from '../../reconciler/ports/git-source.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { escaped, print, progress } from '../print/terminal.ts';
import { isBare, openAround, renderFolder, renderRevision } from '../repository.ts';

export interface PlanOptions {
  readonly home?: string;
  readonly from?: string;
  readonly to?: string;
  readonly live?: boolean;
  readonly output?: string;
}

/** Stands for the Source's name in an offline plan. */
const SOURCE_NAME = 'main';

/** The plan between two renderings, and why it would be refused. */
export function offlinePlan(applied: DesiredState, desired: DesiredState): { readonly plan: ReturnType<typeof planSync>; readonly refusals: readonly Diagnostic[] } {
  const live = new Map([...applied].map(([key, { object }]) => [key, object] as const));
  const input: PlanInput = { sourceName: SOURCE_NAME, applied, desired, live };
  const plan = planSync(input);
  const cluster = [...applied.values()].map((d) => d.object).find((o): o is Cluster => o.kind === 'Cluster');
  return { plan, refusals: [...checkPlan(input, plan), ...pruneGuard(cluster, desired, live.size, plan)] };
}

export async function plan(dir: string, options: PlanOptions): Promise<void> {
  const format = (options.output ?? 'text') as PlanFormat;
  if (options.live) {
    if (options.from !== undefined) throw new CliFailure(2, '--live compares with the live state, so --from has no meaning');
    const query = new URLSearchParams({ format, ...(options.to !== undefined && { rev: options.to }) });
    const report = await controlPlane(options.home).get<PlanReport>(`/plumbline/v1/plan?${query.toString()}`);
    process.exitCode = report.refused ? 1 : 0;
    await show(report.plan, report.diagnostics, format);
    if (options.to === undefined) await noteUnpushed(dir, report.revision);
    return;
  }
  const folder = resolve(dir);
  if (!existsSync(folder)) throw new CliFailure(2, `there is no folder ${folder}`);
  const around = await openAround(folder);
  if (!around) throw new CliFailure(2, `${folder} is in no Git repository`, 'there is nothing to compare with; validate it with `plumb check`');
  try {
    const to = await renderTo(around.git, around.root, folder, options);
    if (to.diagnostics.some((d) => d.severity === 'error')) {
      process.exitCode = 1;
      await show(undefined, to.diagnostics, format);
      return;
    }
    const from = await renderFrom(around.git, folder, options);
    const { plan: found, refusals } = offlinePlan(from.state, to.state);
    process.exitCode = refusals.length > 0 ? 1 : 0;
    await show(formatPlan(found, format), [...refusals, ...to.diagnostics], format);
  } finally {
    await around.git.close();
  }
}

/** A live plan is of what was pushed. Whoever stands in a checkout that is elsewhere might think it is of that. */
async function noteUnpushed(dir: string, planned: string): Promise<void> {
  const signal = new AbortController().signal;
  const around = await openAround(dir);
  try {
    await around?.git.resolve(planned, signal);
    const head = await around?.git.resolve('HEAD', signal);
    if (head && head.sha !== planned) progress(`note: this is the plan of ${planned.slice(0, 12)}, which was pushed; HEAD here is ${head.sha.slice(0, 12)}: push it to a branch, and name that with --to`);
  } catch (error) {
    // Some other repository, or one without a commit.
    if ((error as { code?: unknown }).code !== 'RevisionNotFound') throw error;
  } finally {
    await around?.git.close();
  }
}

async function renderTo(git: GitSource, root: string, folder: string, options: PlanOptions): Promise<Rendering> {
  const signal = new AbortController().signal;
  if (options.to !== undefined || (isBare(root) && root === folder)) return renderRevision(git, (await git.resolve(options.to ?? 'HEAD', signal)).sha, signal);
  return renderFolder(root);
}

/** The revision to start from; a repository without a commit yet starts from nothing. */
async function renderFrom(git: GitSource, folder: string, options: PlanOptions): Promise<Pick<Rendering, 'state'>> {
  const signal = new AbortController().signal;
  const tries = options.from !== undefined ? [options.from] : isBare(folder) || options.to !== undefined ? [`${options.to ?? 'HEAD'}~1`] : [`refs/remotes/origin/${git.branch}`, 'HEAD'];
  for (const rev of tries) {
    try {
      return await renderRevision(git, (await git.resolve(rev, signal)).sha, signal);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'RevisionNotFound' || options.from !== undefined) throw error;
    }
  }
  return { state: new Map() };
}

async function show(text: string | undefined, diagnostics: readonly Diagnostic[], format: PlanFormat): Promise<void> {
  for (const diagnostic of diagnostics) progress(formatDiagnostic(diagnostic));
  if (text !== undefined) await print(`${format === 'json' ? escaped(text) : text}\n`);
}
