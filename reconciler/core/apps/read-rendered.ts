/** What an App renders to desired objects: by the same rules as files, with the App and the place in its output. */
import { parseManifest } from '../manifests/parse-manifest.ts';
import { placeIn } from '../manifests/marks.ts';
import type { Diagnostic, ParsedFile, Position, RenderedPlace } from '../manifests/types.ts';
import type { Paced } from '../paced.ts';
import type { RenderedDocument } from './documents.ts';

export interface RenderedApp {
  readonly app: string;
  readonly engine: string;
  /** Where the App is written. */
  readonly position: Position;
  readonly namespace: string | undefined;
  readonly documents: readonly RenderedDocument[];
}

/** Each document as it stands, in the App's namespace. It pauses between documents. */
export function* parsingDocuments(path: string, oid: string, rendered: RenderedApp): Paced<ParsedFile[]> {
  const parsed: ParsedFile[] = [];
  for (const { text } of rendered.documents) {
    parsed.push(parseManifest(path, oid, new TextEncoder().encode(text), undefined, rendered.namespace));
    yield;
  }
  return parsed;
}

/** The documents as one file, with the App and with where each thing is. `path`: stands for it among other files. */
export function asOneFile(path: string, oid: string, rendered: RenderedApp, parsed: readonly ParsedFile[]): ParsedFile {
  const { app, namespace } = rendered;
  const starts = startLines(rendered.documents);
  const placed = parsed.map((file, i) => inApp(file, app, namespace, placeOf(rendered, i, starts[i] ?? 1)));
  return {
    path,
    oid,
    bytes: placed.reduce((sum, { bytes }) => sum + bytes, 0),
    objects: placed.flatMap(({ objects }) => objects),
    custom: placed.flatMap(({ custom }) => custom),
    diagnostics: placed.flatMap(({ diagnostics }) => diagnostics),
    refused: placed.flatMap(({ refused = [] }) => refused),
    ...(placed.some(({ sealed }) => sealed) && { sealed: placed.flatMap(({ sealed = [] }) => sealed) }),
  };
}

/** Where a document is told of: its file or the App, and its first line in what is rendered. */
export function placeOfDocument(rendered: RenderedApp, index: number): Position {
  return placeOf(rendered, index, startLines(rendered.documents.slice(0, index + 1))[index] ?? 1);
}

/** With a separator between two of them. */
function startLines(documents: readonly RenderedDocument[]): readonly number[] {
  let line = 1;
  return documents.map(({ text }) => {
    const start = line;
    line += text.split('\n').length;
    return start;
  });
}

function placeOf({ app, engine, position, documents }: RenderedApp, index: number, line: number): Position {
  const { file, line: fileLine, template } = documents[index] ?? { text: '' };
  const rendered: RenderedPlace = { app, engine, ...(template !== undefined && { template }), line };
  return file === undefined
    ? { file: position.file, line: position.line, column: position.column, rendered }
    : { file, line: fileLine ?? 1, column: 1, rendered };
}

/** The file as part of an App. `rendered`: of a document that was made, what is told of it instead of its own place. */
export function inApp(file: ParsedFile, app: string, namespace: string | undefined, rendered?: Position): ParsedFile {
  return {
    ...file,
    objects: file.objects.map((object) => ({ ...object, app, position: rendered ?? object.position })),
    custom: file.custom.map((manifest) => ({
      ...manifest,
      app,
      position: rendered ?? manifest.position,
      ...(namespace !== undefined && { namespace }),
    })),
    ...(file.sealed && rendered && { sealed: file.sealed.map((part) => ({ ...part, position: rendered })) }),
    diagnostics: file.diagnostics.map((diagnostic): Diagnostic =>
      rendered ? { ...diagnostic, ...placeIn(rendered, diagnostic.line, diagnostic.column) } : diagnostic,
    ),
  };
}
