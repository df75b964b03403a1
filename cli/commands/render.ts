/** `plumb render`: what Apps are made into, as it is applied; to be looked at, and for other programs. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AppRendering } from '../../reconciler/core/apps/one-app.ts';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../reconciler/core/manifests/index.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { CommandSources } from '../other-repositories.ts';
import { isBareRepository, openAround, renderFolder, renderRevision } from '../repository.ts';

export interface RenderCommandOptions {
  readonly rev?: string;
  readonly output?: string;
}

/**
 * Prints the documents of one App, or of all. Lines are those that diagnostics name. What is wrong with an App goes to
 * stderr, and ends with 1, also where what was made of it can be shown.
 */
export async function render(name: string | undefined, dir: string, options: RenderCommandOptions): Promise<void> {
  const apps: AppRendering[] = [];
  const rendering = await read(dir, options.rev, (app) => apps.push(app));
  apps.sort((a, b) => (a.app < b.app ? -1 : 1));
  const wanted = name === undefined ? apps : apps.filter(({ app }) => app === name);
  const sets = rendering.diagnostics.filter(({ code }) => code === 'AppSetFailed');
  if (wanted.length === 0) {
    for (const diagnostic of sets) progress(formatDiagnostic(diagnostic));
    throw new CliFailure(
      1,
      name === undefined ? 'there is no App' : `there is no App ${name}`,
      apps.length > 0 ? `there are ${apps.map(({ app }) => app).join(', ')}` : 'docs/apps.md says how one is written',
    );
  }
  const about = rendering.diagnostics.filter(
    ({ code, rendered, severity, file }) =>
      severity === 'error' &&
      (name === undefined || code === 'AppSetFailed' || rendered?.app === name || isOf(wanted, file)),
  );
  process.exitCode = about.length > 0 ? 1 : 0;
  const shown = wanted.map(({ app, engine, documents, objects }) => ({
    app,
    engine,
    documents: documents.map(({ text }) => text),
    objects,
  }));
  if (!(await printData(shown, options.output))) {
    for (const [i, { app, engine, documents, objects }] of shown.entries()) {
      if (engine === 'yaml') progress(`${app}: ${objects} objects as they are in its folder`);
      else if (documents.length > 0) await print(`${i > 0 ? '---\n' : ''}${documents.join('---\n')}`);
    }
    for (const diagnostic of about) progress(formatDiagnostic(diagnostic));
  }
}

function isOf(apps: readonly AppRendering[], file: string): boolean {
  return apps.some(
    ({ diagnostics, files }) => diagnostics.some((d) => d.file === file) || files.some((f) => f.path === file),
  );
}

async function read(dir: string, rev: string | undefined, onApp: (app: AppRendering) => void): Promise<Rendering> {
  const folder = resolve(dir);
  if (!existsSync(folder)) throw new CliFailure(2, `there is no folder ${folder}`);
  const { signal } = new AbortController();
  const sources = new CommandSources(signal);
  try {
    if (rev === undefined && !isBareRepository(folder)) return await renderFolder(folder, { onApp, sources });
    const around = await openAround(folder);
    if (!around) throw new CliFailure(2, `${folder} is in no Git repository, so there is no revision ${rev}`);
    try {
      const { sha } = await around.git.resolve(rev ?? 'HEAD', signal);
      return await renderRevision(around.git, sha, signal, new ManifestCache(), { onApp, sources });
    } finally {
      await around.git.close();
    }
  } finally {
    await sources.close();
  }
}
