/** A project's compose files to one model: variables replaced, `extends` and `include` followed, overrides laid on top. */
import type { Position } from '../../manifests/index.ts';
import { Fields } from '../fields.ts';
import { emptyMap, isNothing, readLocated, textOf, within, type Located, type LocatedMap } from '../located.ts';
import { folderOf, resolvePath } from '../names.ts';
import type { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';
import { readEnvironmentFile } from './dotenv.ts';
import { interpolated, type Variables } from './interpolate.ts';
import { merged, mergedMaps } from './merge.ts';

/** In the order in which Compose looks for them. Source: compose-go, cli/options.go. */
const FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];
const SECTIONS = ['services', 'volumes', 'networks', 'configs', 'secrets'] as const;
type Section = (typeof SECTIONS)[number];
const KNOWN: ReadonlySet<string> = new Set([...SECTIONS, 'version', 'name', 'include']);
const MAX_FILES = 50;
const MAX_EXTENDS = 20;

export interface ComposeModel {
  readonly file: string;
  /** Absent: the file names no project. */
  readonly name: string | undefined;
  readonly sections: Readonly<Record<Section, ReadonlyMap<string, LocatedMap>>>;
  readonly variables: Variables;
}

export function loadCompose(tree: SourceTree, report: Report, file: string | undefined): ComposeModel | undefined {
  const main = file ?? FILES.find((name) => tree.texts.has(name));
  if (main === undefined || !tree.texts.has(main)) {
    const at = { file: main ?? FILES[0] ?? '', line: 1, column: 1 };
    report.missing(at, 'there is no compose file', `looked for ${main ?? FILES.join(', ')}`);
    return undefined;
  }
  const loader = new Loader(tree, report);
  const variables = loader.variablesIn(folderOf(main), undefined);
  const override = file === undefined ? OVERRIDES.find((name) => tree.texts.has(name)) : undefined;
  let whole = loader.load(main, variables);
  if (override !== undefined) whole = mergedSections(whole, loader.load(override, variables));
  const sections = Object.fromEntries(SECTIONS.map((section) => [section, mapsIn(whole, section, report)]));
  return { file: main, name: textOf(within(whole, 'name')), sections: sections as ComposeModel['sections'], variables };
}

class Loader {
  readonly #tree: SourceTree;
  readonly #report: Report;
  readonly #read = new Map<string, LocatedMap>();
  readonly #open = new Set<string>();

  constructor(tree: SourceTree, report: Report) {
    this.#tree = tree;
    this.#report = report;
  }

  /** Of the folder's `.env`. What the shell had when Compose ran is not known. */
  variablesIn(folder: string, named: string | undefined, outer: Variables = new Map()): Variables {
    const path = named ?? (folder === '' ? '.env' : `${folder}/.env`);
    const text = this.#tree.texts.get(path);
    if (text === undefined) return outer;
    return new Map([...readEnvironmentFile(path, text, outer, this.#report).variables, ...outer]);
  }

  /** The file with what it includes; services have no `extends` any more. */
  load(file: string, variables: Variables): LocatedMap {
    const root = this.#parse(file, variables);
    this.#open.add(file);
    const included = this.#included(root, variables);
    this.#open.delete(file);
    const services = within(root, 'services');
    if (services?.kind !== 'map') return mergedSections(included, root);
    const fields = new Map(
      [...services.fields].map(([name, field]) => [
        name,
        { ...field, value: this.#extended(field.value, file, variables, [`${file} ${name}`]) },
      ]),
    );
    const own = { ...root, fields: new Map(root.fields) };
    own.fields.set('services', { at: services.at, value: { ...services, fields } });
    return mergedSections(included, own);
  }

  #parse(file: string, variables: Variables): LocatedMap {
    const known = this.#read.get(file);
    if (known) return known;
    const at = { file, line: 1, column: 1 };
    if (this.#read.size >= MAX_FILES) {
      this.#report.tooLarge(at, `more than ${MAX_FILES} compose files`);
      return emptyMap(at);
    }
    const [document, ...others] = readLocated(file, this.#tree.texts.get(file) ?? '', this.#report);
    for (const other of others)
      this.#report.invalid(other.at, 'a compose file is one document', 'remove what follows ---');
    if (document && document.kind !== 'map') this.#report.invalid(document.at, 'a compose file is a map of sections');
    const root =
      document?.kind === 'map' ? (interpolated(document, variables, this.#report) as LocatedMap) : emptyMap(at);
    for (const [name, { at: place }] of root.fields)
      if (!KNOWN.has(name) && !name.startsWith('x-'))
        this.#report.lost(place, `the section ${name} is not carried over`);
    this.#read.set(file, root);
    return root;
  }

  #included(root: LocatedMap, variables: Variables): LocatedMap {
    const include = within(root, 'include');
    let whole = emptyMap(root.at);
    for (const item of include?.kind === 'list' ? include.items : []) {
      const fields = new Fields(
        item.kind === 'map'
          ? item
          : { kind: 'map', at: item.at, fields: new Map([['path', { at: item.at, value: item }]]) },
        'include',
        this.#report,
      );
      const envFile = fields.texts('env_file')[0];
      fields.ignore('project_directory');
      for (const { at, source } of fields.scalars('path')) {
        const path = this.#fileNamed(source, at);
        if (path === undefined) continue;
        if (this.#open.has(path)) {
          this.#report.invalid(at, `${path} includes itself`);
          continue;
        }
        const named = envFile === undefined ? undefined : resolvePath(folderOf(at.file), envFile);
        whole = mergedSections(whole, this.load(path, this.variablesIn(folderOf(path), named, variables)));
      }
      fields.rest();
    }
    return whole;
  }

  #fileNamed(written: string, at: Position): string | undefined {
    const path = resolvePath(folderOf(at.file), written);
    if (path !== undefined && this.#tree.texts.has(path)) return path;
    this.#report.missing(at, `the file ${written} is not there, or could not be read`, 'import the folder that has it');
    return undefined;
  }

  /** A service without its `extends`: what it extends, with the service laid over it. */
  #extended(service: Located, file: string, variables: Variables, chain: readonly string[]): Located {
    const extending = within(service, 'extends');
    if (service.kind !== 'map' || !extending) return service;
    const own: LocatedMap = { ...service, fields: new Map([...service.fields].filter(([name]) => name !== 'extends')) };
    const name = textOf(extending.kind === 'map' ? within(extending, 'service') : extending);
    const written = textOf(within(extending, 'file'));
    const from = written === undefined ? file : this.#fileNamed(written, extending.at);
    if (from === undefined) return own;
    const step = `${from} ${name ?? ''}`;
    if (chain.includes(step) || chain.length > MAX_EXTENDS) {
      this.#report.invalid(extending.at, `a service that extends itself: ${chain.join(', ')}`);
      return own;
    }
    const base = name === undefined ? undefined : within(this.#parse(from, variables), 'services', name);
    if (base?.kind !== 'map') {
      this.#report.missing(extending.at, `${from} has no service ${name ?? ''} to extend`);
      return own;
    }
    return merged(this.#extended(base, from, variables, [...chain, step]), own);
  }
}

/** Two whole files: services are laid over each other, of all else the later definition goes first. */
function mergedSections(base: LocatedMap, over: LocatedMap): LocatedMap {
  const fields = new Map([...base.fields, ...over.fields]);
  for (const section of SECTIONS) {
    const [below, above] = [within(base, section), within(over, section)];
    if (below?.kind !== 'map' || above?.kind !== 'map') continue;
    const inner = new Map(below.fields);
    for (const [name, field] of above.fields) {
      const before = inner.get(name)?.value;
      const both = before?.kind === 'map' && field.value.kind === 'map';
      inner.set(name, both ? { ...field, value: mergedMaps(before, field.value) } : field);
    }
    fields.set(section, { at: above.at, value: { ...above, fields: inner } });
  }
  return { ...over, fields };
}

function mapsIn(root: LocatedMap, section: Section, report: Report): ReadonlyMap<string, LocatedMap> {
  const found = within(root, section);
  const maps = new Map<string, LocatedMap>();
  if (found?.kind !== 'map') {
    if (!isNothing(found)) report.invalid(root.fields.get(section)?.at ?? root.at, `${section} must be a map`);
    return maps;
  }
  for (const [name, { at, value }] of found.fields) {
    if (value.kind === 'map') maps.set(name, { ...value, at });
    else if (value.kind === 'scalar' && value.value === null && section !== 'services') maps.set(name, emptyMap(at));
    else report.invalid(at, `${section}.${name} must be a map`);
  }
  return maps;
}
