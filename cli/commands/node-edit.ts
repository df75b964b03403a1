/** `plumb node cordon|uncordon|drain|rm`: edits of the Machine's file. The file's comments and layout stay. */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { type Document, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { errorText } from '../../contracts/errors.ts';
import { DRAIN_TAINT } from '../../contracts/objects/index.ts';
import { CliFailure } from '../failure.ts';
import { print } from '../print/terminal.ts';
import { checkoutRoot } from '../repository.ts';

export type NodeEdit = 'cordon' | 'uncordon' | 'drain' | 'rm';

interface MachineFile {
  /** Absolute. */
  readonly path: string;
  readonly documents: readonly Document[];
  readonly index: number;
}

export async function nodeEdit(
  edit: NodeEdit,
  name: string,
  options: { readonly repoDir?: string; readonly commit?: boolean },
): Promise<void> {
  const root = checkoutRoot(options.repoDir);
  const file = await findMachine(root, name);
  if (!file)
    throw new CliFailure(
      1,
      `no file in ${root} has a Machine named ${name}`,
      'look at `plumb node ls` and at machines/',
    );
  const shown = relative(root, file.path);
  const machine = file.documents[file.index];
  if (edit === 'rm') {
    const rest = file.documents.filter((_, i) => i !== file.index);
    if (rest.length === 0) await rm(file.path);
    else await writeFile(file.path, rest.map(printed).join(''));
  } else if (machine) {
    editMachine(machine, edit);
    await writeFile(file.path, file.documents.map(printed).join(''));
  }
  if (options.commit) await commit(root, file.path, `${TITLES[edit]} ${name}`);
  await print(
    `${edit === 'rm' ? 'removed' : 'changed'} ${shown}${options.commit ? ', committed' : ''}; it takes effect with the push: ${options.commit ? '' : `git commit -am "${TITLES[edit]} ${name}" && `}git push\n`,
  );
  if (edit === 'drain') await print(`then wait until its pods are gone: plumb node drain ${name} --wait\n`);
  if (edit === 'rm')
    await print(
      'its pods move to other machines. After the push, take Plumbline off the machine with: plumb node clean USER@HOST\n',
    );
}

/** Long lines stay as long as they are: a host key is one. */
export function printed(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

const TITLES: Readonly<Record<NodeEdit, string>> = {
  cordon: 'Cordon',
  uncordon: 'Uncordon',
  drain: 'Drain',
  rm: 'Remove machine',
};

/** Applies the edit to a parsed Machine. Doing it twice changes nothing more. */
export function editMachine(machine: Document, edit: Exclude<NodeEdit, 'rm'>): void {
  if (edit === 'uncordon') machine.deleteIn(['spec', 'unschedulable']);
  else machine.setIn(['spec', 'unschedulable'], true);
  if (edit === 'cordon') return;
  const taints = machine.getIn(['spec', 'taints']);
  const at = isSeq(taints) ? taints.items.findIndex((item) => isMap(item) && item.get('key') === DRAIN_TAINT) : -1;
  if (edit === 'drain' && at < 0) {
    const taint = machine.createNode({ key: DRAIN_TAINT, effect: 'NoExecute' });
    if (isSeq(taints)) taints.add(taint);
    else machine.setIn(['spec', 'taints'], machine.createNode([{ key: DRAIN_TAINT, effect: 'NoExecute' }]));
  }
  if (edit === 'uncordon' && at >= 0 && isSeq(taints)) {
    taints.delete(at);
    if (taints.items.length === 0) machine.deleteIn(['spec', 'taints']);
  }
}

async function findMachine(root: string, name: string): Promise<MachineFile | undefined> {
  for (const path of await yamlFiles(root)) {
    const text = await readFile(path, 'utf8');
    if (!text.includes('Machine')) continue;
    const documents = parseAllDocuments(text, { keepSourceTokens: true });
    if (!Array.isArray(documents)) continue;
    const index = documents.findIndex(
      (d) => scalar(d, ['kind']) === 'Machine' && scalar(d, ['metadata', 'name']) === name,
    );
    if (index >= 0) return { path, documents, index };
  }
  return undefined;
}

function scalar(document: Document, path: readonly string[]): unknown {
  const node = document.getIn(path, true);
  return isScalar(node) ? node.value : undefined;
}

async function yamlFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (
      entry.isFile() &&
      /\.ya?ml$/i.test(entry.name) &&
      !relative(root, path)
        .split('/')
        .some((part) => part.startsWith('.') || part === 'node_modules')
    )
      found.push(path);
  }
  return found.sort();
}

/** Commits one path with the user's own git, so that identity, signing and hooks are the user's. */
export async function commit(root: string, path: string, message: string): Promise<void> {
  const run = promisify(execFile);
  try {
    await run('git', ['-C', root, 'add', '-A', '--', path]);
    await run('git', ['-C', root, 'commit', '--quiet', '-m', message, '--', path]);
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw new CliFailure(
      1,
      `git could not commit: ${said ?? errorText(error)}`,
      `the file is changed; commit it yourself in ${root}`,
    );
  }
}
