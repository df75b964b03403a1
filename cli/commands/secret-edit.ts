/** `plumb secret edit`: the plain text in an editor, on memory-backed storage alone. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errorText } from '../../contracts/errors.ts';
import { CliFailure } from '../failure.ts';
import { progress } from '../print/terminal.ts';
import {
  checkManifests,
  identitiesFile,
  openFile,
  readText,
  recipientsFor,
  replaceFile,
  sealAgain,
  sealInline,
} from '../secret-files.ts';

export interface EditOptions {
  readonly home?: string;
  readonly ageKey?: string;
}

const MEMORY = '/dev/shm';
/** statfs(2), f_type of tmpfs. */
const TMPFS = 0x01021994;

export async function secretEdit(file: string, options: EditOptions): Promise<void> {
  const before = await readText(file);
  const opened = await openFile(file, before, identitiesFile(options));
  const text = await edited(basename(file), opened.text);
  if (text === opened.text) {
    progress(`${file}: nothing changed`);
    return;
  }
  const sealed =
    sealAgain(text, opened) ?? (await sealInline(text, (await recipientsFor(file, [])).rule.recipients, opened.kept));
  checkManifests(file, sealed);
  if ((await readText(file)) !== before)
    throw new CliFailure(1, `${file} was changed by somebody else meanwhile; it was left as it is`);
  await replaceFile(file, sealed);
  progress(`${file}: encrypted again`);
}

/** What is left of the text when the editor ends and it is a manifest; the folder is gone whatever happens. */
async function edited(name: string, text: string): Promise<string> {
  if (!isMemory())
    throw new CliFailure(1, `${MEMORY} is no memory-backed file system: plain text is not put on a disk`);
  const folder = mkdtempSync(join(MEMORY, 'plumb-secret-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  let editor: ChildProcess | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    editor?.kill(signal);
    remove();
    process.removeListener(signal, onSignal);
    process.kill(process.pid, signal);
  };
  // Ctrl-C is the editor's: it is sent to both.
  const ignore = (): void => undefined;
  process.on('exit', remove).on('SIGTERM', onSignal).on('SIGHUP', onSignal).on('SIGINT', ignore);
  try {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    editor = startEditor(path);
    await untilEnded(editor);
    const after = readFileSync(path, 'utf8');
    if (after !== text) checkManifests(name, after);
    return after;
  } finally {
    remove();
    process.removeListener('exit', remove);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.removeListener(signal, onSignal);
    process.removeListener('SIGINT', ignore);
  }
}

function isMemory(): boolean {
  try {
    return statfsSync(MEMORY).type === TMPFS;
  } catch {
    return false;
  }
}

function startEditor(path: string): ChildProcess {
  const [program = 'vi', ...args] = (process.env['VISUAL'] || process.env['EDITOR'] || 'vi').trim().split(/\s+/);
  return spawn(program, [...args, path], { stdio: 'inherit' });
}

async function untilEnded(editor: ChildProcess): Promise<void> {
  const [code, signal] = (await once(editor, 'exit').catch((cause: unknown) => {
    throw new CliFailure(2, `the editor cannot be run: ${errorText(cause)}`, 'name one in EDITOR');
  })) as [number | null, NodeJS.Signals | null];
  if (code !== 0)
    throw new CliFailure(1, `the editor ended with ${signal ?? `exit code ${code ?? '?'}`}; nothing was changed`);
}
