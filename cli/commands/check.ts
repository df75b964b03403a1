/**
 * `plumb check`: every error and warning, with its place. A place without any manifest is most likely the wrong one,
 * and an error.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatDiagnostic, MANIFEST_FILES, type Rendering } from '../../reconciler/core/manifests/index.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { CommandSources } from '../other-repositories.ts';
import { isBareRepository, openAround, renderFolder, renderRevision } from '../repository.ts';

export async function check(dir: string, options: { readonly rev?: string; readonly output?: string }): Promise<void> {
  const rendering = await read(dir, options.rev);
  const errors = rendering.diagnostics.filter((d) => d.severity === 'error').length;
  const empty = rendering.state.size === 0 && rendering.diagnostics.length === 0;
  // Set before anything is printed: a reader that goes away in the middle (`| head`) changes nothing about it.
  process.exitCode = errors > 0 || empty ? 1 : 0;
  if (
    !(await printData(
      { ok: errors === 0 && !empty, objects: rendering.state.size, diagnostics: rendering.diagnostics },
      options.output,
    ))
  ) {
    for (const diagnostic of rendering.diagnostics) await print(`${formatDiagnostic(diagnostic)}\n`);
    const warnings = rendering.diagnostics.length - errors;
    if (!empty)
      progress(
        errors > 0
          ? `${count(errors, 'error')}, ${count(warnings, 'warning')}`
          : `ok: ${count(rendering.state.size, 'object')}, ${count(warnings, 'warning')}`,
      );
  }
  if (empty) throw new CliFailure(1, `${options.rev ?? resolve(dir)} has no manifest`, `looked for ${MANIFEST_FILES}`);
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

async function read(dir: string, rev: string | undefined): Promise<Rendering> {
  const folder = resolve(dir);
  if (!existsSync(folder)) throw new CliFailure(2, `there is no folder ${folder}`);
  // The files of a folder need no repository around them, nor one that can be read.
  const { signal } = new AbortController();
  const sources = new CommandSources(signal);
  try {
    if (rev === undefined && !isBareRepository(folder)) return await renderFolder(folder, { sources });
    const around = await openAround(folder);
    if (!around) throw new CliFailure(2, `${folder} is in no Git repository, so there is no revision ${rev}`);
    try {
      const { sha } = await around.git.resolve(rev ?? 'HEAD', signal);
      return await renderRevision(around.git, sha, signal, undefined, { sources });
    } finally {
      await around.git.close();
    }
  } finally {
    await sources.close();
  }
}
