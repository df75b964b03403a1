/** `plumb import`: what another program reads, as a repository of ours. What is not carried over is told line by line. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  importArgo,
  importCompose,
  importFlux,
  importHelm,
  type Imported,
  type SourceTree,
} from '../../reconciler/core/import/index.ts';
import { type Diagnostic, formatDiagnostic } from '../../reconciler/core/manifests/index.ts';
import { CliFailure } from '../failure.ts';
import { readText, readTree } from '../import/read-tree.ts';
import { writeResult } from '../import/write-result.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { renderFolder } from '../repository.ts';
import { FIRST_FILES } from '../templates/first-app.ts';

export interface ImportOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly output?: string;
}

export interface ImportComposeOptions extends ImportOptions {
  readonly name?: string;
  readonly profile?: readonly string[];
  readonly volumeSize?: string;
  readonly plainSecrets?: boolean;
}

/** `source`: a folder, or the compose file itself. */
export async function importComposeFile(source: string, options: ImportComposeOptions): Promise<void> {
  const { folder, file } = folderOf(source);
  const imported = importCompose(await readTree(folder), {
    file,
    name: options.name ?? basename(folder),
    profiles: options.profile,
    volumeSize: options.volumeSize,
    plainSecrets: options.plainSecrets,
  });
  await deliver(imported, options);
}

/** The tree stays as it is, but for what Flux alone reads; with `--out` naming the same folder it is changed in its place. */
export async function importFluxFolder(
  source: string,
  options: ImportOptions & { readonly cluster?: string },
): Promise<void> {
  const root = folderNamed(source);
  const tree = await readTree(root);
  await deliver(importFlux(tree, { cluster: options.cluster }), options, { root, tree });
}

/** As for Flux. */
export async function importArgoFolder(source: string, options: ImportOptions): Promise<void> {
  const root = folderNamed(source);
  const tree = await readTree(root);
  await deliver(importArgo(tree), options, { root, tree });
}

export interface ImportHelmOptions extends ImportOptions {
  readonly chart?: string;
  readonly chartVersion?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** `source`: values, or what `helm get` printed. */
export async function importHelmFile(source: string, options: ImportHelmOptions): Promise<void> {
  const { folder, file } = folderOf(source);
  if (file === undefined)
    throw new CliFailure(2, `${resolve(source)} is a folder`, 'name a file of values, or of manifests');
  if (options.chart !== undefined && !/^(https?|oci):\/\/[^/]+\/.+/.test(options.chart))
    throw new CliFailure(
      2,
      `${options.chart} is no place of a chart`,
      'write --chart https://HOST/PATH/NAME or oci://HOST/PATH/NAME',
    );
  const text = await readText(join(folder, file));
  const { chart, chartVersion: version, name, namespace } = options;
  const tree = { texts: new Map(text === undefined ? [] : [[file, text]]), paths: new Set([file]) };
  await deliver(importHelm(tree, { file, chart, version, name, namespace }), options);
}

function folderNamed(source: string): string {
  const { folder, file } = folderOf(source);
  if (file !== undefined) throw new CliFailure(2, `${resolve(source)} is a file`, 'name the folder of the repository');
  return folder;
}

function folderOf(source: string): { readonly folder: string; readonly file: string | undefined } {
  const path = resolve(source);
  if (!existsSync(path)) throw new CliFailure(2, `there is no ${path}`);
  return statSync(path).isDirectory()
    ? { folder: path, file: undefined }
    : { folder: dirname(path), file: basename(path) };
}

/**
 * Writes the result and checks it, or without `--out` shows it. Exits 1 where something has to be mended: in what was
 * imported, or in the result.
 */
async function deliver(
  imported: Imported,
  { out, force = false, output }: ImportOptions,
  kept?: { readonly root: string; readonly tree: SourceTree },
): Promise<void> {
  const { findings } = imported;
  process.exitCode = hasErrors(findings) || imported.files.length === 0 ? 1 : 0;
  const target = out === undefined ? undefined : resolve(out);
  const whole = target === undefined ? imported : withCluster(imported, target);
  if (!(await printData(whole, output))) for (const finding of findings) progress(formatDiagnostic(finding));
  if (imported.files.length === 0)
    throw new CliFailure(1, 'there is nothing to write', 'the folder has nothing that this import reads');
  if (target === undefined) {
    if (output === undefined) for (const { path, text } of whole.files) await print(`# ${path}\n${text}---\n`);
    if (output === undefined) progress(`${told(findings)}; nothing was written: add --out DIR`);
    return;
  }
  const written = await writeResult(whole, {
    out: target,
    force,
    ...(kept && { kept: { root: kept.root, paths: [...kept.tree.paths] } }),
  });
  if (output === undefined) for (const path of written) await print(`${path}\n`);
  if (output === undefined) for (const path of whole.removed) progress(`removed ${path}`);
  progress(`${told(findings)}; ${written.length} files written to ${target}`);
  // Last: a chart that cannot be fetched now is no reason to be silent about what was written.
  const { diagnostics } = await renderFolder(target);
  for (const diagnostic of diagnostics) progress(`${out}: ${formatDiagnostic(diagnostic)}`);
  if (hasErrors(diagnostics)) process.exitCode = 1;
  progress(`plumb check: ${hasErrors(diagnostics) ? 'it has to be mended' : 'ok'}`);
}

/** The settings of the cluster, where the folder has none. */
function withCluster(imported: Imported, target: string): Imported {
  const path = 'plumbline.yaml';
  const text = FIRST_FILES[path];
  if (text === undefined || existsSync(join(target, path)) || imported.files.some((file) => file.path === path))
    return imported;
  return { ...imported, files: [...imported.files, { path, text }] };
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

function told(findings: readonly Diagnostic[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return `${errors} to mend, ${findings.length - errors} to know of`;
}
