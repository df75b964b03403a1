/** What an engine printed, as documents with where each comes from. */
import { resolvePath } from './paths.ts';

export interface RenderedDocument {
  /** YAML of one document, without a separator, with a line end. */
  readonly text: string;
  /** The file of the repository that it was read from, as far as the engine tells. */
  readonly file?: string;
  /** In {@link file}; 1 where it is not known. */
  readonly line?: number;
  /** The chart's template, as Helm tells: `web/templates/service.yaml`. */
  readonly template?: string;
}

/** A line of its own that ends a document. Within a document such text is indented. */
const SEPARATOR = /^---(?:[ \t].*)?$/;

/** Documents without anything but comments are left out. */
export function splitDocuments(output: string): string[] {
  const documents: string[] = [];
  let lines: string[] = [];
  const end = (): void => {
    if (lines.some((line) => line.trim() !== '' && !line.startsWith('#'))) documents.push(`${lines.join('\n')}\n`);
    lines = [];
  };
  for (const line of output.split('\n')) {
    if (SEPARATOR.test(line)) end();
    else if (line !== '' || lines.length > 0) lines.push(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
  end();
  return documents.map((text) => `${text.trimEnd()}\n`);
}

/** The annotation that Kustomize writes for `buildMetadata: [originAnnotations]`. */
const ORIGIN = 'config.kubernetes.io/origin';
const METADATA = 'metadata:';
const ANNOTATIONS = '  annotations:';

/**
 * Takes the origin off again that Kustomize noted in an object. It prints two spaces a level and a block for the note, so
 * that lines say what is the note's. `from`: the folder that the note's path is relative to.
 */
export function withoutOrigin(text: string, from: string): RenderedDocument {
  const lines = text.split('\n');
  const metadata = lines.indexOf(METADATA);
  const note = metadata < 0 ? -1 : lines.findIndex((line, i) => i > metadata && line.startsWith(`    ${ORIGIN}: |`));
  const annotations = note < 0 ? -1 : lines.lastIndexOf(ANNOTATIONS, note);
  if (annotations < metadata || lines.slice(metadata + 1, note).some((line) => /^\S/.test(line))) return { text };
  let end = note + 1;
  while (lines[end]?.startsWith('      ') === true) end++;
  const noted = lines.slice(note + 1, end).map((line) => line.slice(6));
  const wasAlone = annotations === note - 1 && lines[end]?.startsWith('    ') !== true;
  lines.splice(wasAlone ? annotations : note, wasAlone ? end - annotations : end - note);
  const field = (name: string): string | undefined =>
    noted.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const path = field('path') ?? field('configuredIn');
  const file = path === undefined || field('repo') !== undefined ? undefined : resolvePath(from, path);
  return { text: lines.join('\n'), ...(file !== undefined && { file }) };
}

/** Takes off the comment by which Helm tells a document's template. */
export function withoutSource(text: string): RenderedDocument {
  const match = /^# Source: (.+)\n/.exec(text);
  return match?.[1] === undefined ? { text } : { text: text.slice(match[0].length), template: match[1] };
}

/** Where a file has its objects, by kind: each name's first line, and its last one, in the order of the file. */
export type ObjectLines = ReadonlyMap<string, ReadonlyMap<string, { readonly first: number; readonly last: number }>>;

export function objectLines(file: string): ObjectLines {
  const lines = new Map<string, Map<string, { readonly first: number; readonly last: number }>>();
  let line = 1;
  for (const document of file.split(/^---.*$/m)) {
    const { kind, name } = namesIn(document);
    if (kind !== undefined && name !== undefined) {
      const begin = document.search(/^[^\s#]/m);
      const last = line + document.slice(0, Math.max(0, begin)).split('\n').length - 1;
      const names = lines.get(kind) ?? new Map<string, { readonly first: number; readonly last: number }>();
      lines.set(kind, names.set(name, { first: names.get(name)?.first ?? last, last }));
    }
    line += document.split('\n').length - 1;
  }
  return lines;
}

/**
 * The line at which a file has the object of this kind and name, as far as plain looking tells; a name that got a
 * prefix or a suffix is found too. 1 where nothing fits.
 */
export function lineOfObject(lines: ObjectLines, text: string): number {
  const { kind = '', name: wanted = '' } = namesIn(text);
  const names = lines.get(kind);
  const exact = names?.get(wanted);
  if (exact || !names) return exact?.first ?? 1;
  let best = 1;
  for (const [name, { last }] of names) if (last > best && wanted.includes(name)) best = last;
  return best;
}

/** By the lines alone, in time that grows with the text: it comes from strangers. */
function namesIn(text: string): { readonly kind: string | undefined; readonly name: string | undefined } {
  let kind: string | undefined;
  let name: string | undefined;
  let indentation: string | undefined;
  let inMetadata = false;
  for (const line of text.split('\n')) {
    const isTop = /^[^\s#]/.test(line);
    if (isTop) [inMetadata, indentation] = [line.startsWith('metadata:'), undefined];
    if (line.startsWith('kind:')) kind ??= plain(line.slice('kind:'.length));
    if (!inMetadata || name !== undefined) continue;
    // `metadata: {name: web}`, or the first level below.
    if (!isTop) indentation ??= /^ +(?=[^ #])/.exec(line)?.[0];
    const rest = isTop ? /[{,] *name: *([^\s,}]+)/.exec(line)?.[1] : undefined;
    if (rest !== undefined) name = plain(rest);
    else if (indentation !== undefined && line.startsWith(`${indentation}name:`))
      name = plain(line.slice(indentation.length + 'name:'.length));
  }
  return { kind, name };
}

function plain(value: string): string {
  return value.trim().replace(/^(["'])(.*)\1$/, '$2');
}
