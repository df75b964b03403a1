/** YAML values that each know their place, also after values of several files were put together. */
import { LineCounter } from 'yaml';
import { Findings } from '../manifests/findings.ts';
import { MAX_FILE_BYTES, type Position } from '../manifests/index.ts';
import { readYaml } from '../manifests/read-yaml.ts';
import type { ScalarValue } from '../manifests/yaml-scalars.ts';
import type { YamlNode } from '../manifests/yaml-tree.ts';
import type { Report } from './report.ts';

/** A piece of a text: as it stands, or what a variable holds that is secret. */
export type TextPart = string | SecretPart;
export interface SecretPart {
  /** The variable's name. */
  readonly secret: string;
  /** Absent: nobody said it. */
  readonly value?: string | undefined;
}

export interface LocatedScalar {
  readonly kind: 'scalar';
  readonly at: Position;
  readonly value: ScalarValue;
  /** As written, without quotes. */
  readonly source: string;
  /** Set where a part of the text is secret; `source` is without those. */
  readonly parts?: readonly TextPart[] | undefined;
}
export interface LocatedField {
  /** Of the name. */
  readonly at: Position;
  readonly value: Located;
}
export interface LocatedMap {
  readonly kind: 'map';
  readonly at: Position;
  readonly fields: ReadonlyMap<string, LocatedField>;
}
export interface LocatedList {
  readonly kind: 'list';
  readonly at: Position;
  readonly items: readonly Located[];
}
export type Located = LocatedScalar | LocatedMap | LocatedList;

/** The documents of a file that could be read; of the others the report says why not. Never throws for its content. */
export function readLocated(file: string, text: string, report: Report): Located[] {
  const start = { file, line: 1, column: 1 };
  if (text.length > MAX_FILE_BYTES) {
    report.tooLarge(start, `${file} has more than ${MAX_FILE_BYTES / 1024 / 1024} MiB; it was not read`, 'split it');
    return [];
  }
  const lines = new LineCounter();
  const findings = new Findings(file, lines, text);
  const documents = readYaml(text, lines, findings, 'YAML')
    .filter(({ sound }) => sound)
    .map(({ root }) => locate(root, (offset) => findings.position(offset)));
  report.add(findings.sorted());
  return documents;
}

function locate(node: YamlNode, positionAt: (offset: number) => Position): Located {
  const at = positionAt(node.offset);
  if (node.kind === 'scalar') return { kind: 'scalar', at, value: node.value, source: node.source };
  if (node.kind === 'list') return { kind: 'list', at, items: node.items.map((item) => locate(item, positionAt)) };
  const fields = new Map<string, LocatedField>();
  for (const [name, { keyOffset, node: inner }] of node.fields)
    fields.set(name, { at: positionAt(keyOffset), value: locate(inner, positionAt) });
  return { kind: 'map', at, fields };
}

export function emptyMap(at: Position): LocatedMap {
  return { kind: 'map', at, fields: new Map() };
}

/** A text that is written at `at`. */
export function textAt(at: Position, source: string, parts?: readonly TextPart[]): LocatedScalar {
  return { kind: 'scalar', at, value: source, source, parts };
}

export function isNothing(value: Located | undefined): boolean {
  return value === undefined || (value.kind === 'scalar' && value.value === null && value.parts === undefined);
}

/** The value at some names below each other; undefined where there is none. */
export function within(root: Located | undefined, ...names: readonly string[]): Located | undefined {
  return names.reduce<Located | undefined>(
    (value, name) => (value?.kind === 'map' ? value.fields.get(name)?.value : undefined),
    root,
  );
}

/** The text there; undefined where there is none, or something else. */
export function textOf(value: Located | undefined): string | undefined {
  return value?.kind === 'scalar' && value.value !== null ? value.source : undefined;
}

/** The plain value, as Kubernetes reads it. A null field is a field that is not set. */
export function plainOf(value: Located): unknown {
  if (value.kind === 'scalar') return value.value;
  if (value.kind === 'list') return value.items.map(plainOf);
  return Object.fromEntries(
    [...value.fields].flatMap(([name, field]) =>
      isNothing(field.value) ? [] : [[name, plainOf(field.value)] as const],
    ),
  );
}
