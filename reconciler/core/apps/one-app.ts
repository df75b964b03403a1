/** One App to parsed manifests: what it reads, what its engine is asked, and what the answer becomes. */
import { createHash } from 'node:crypto';
import { DEFAULT_NAMESPACE, type App } from '../../../contracts/objects/index.ts';
import { isLfsPointer } from '../manifests/parse-manifest.ts';
import { decodeUtf8 } from '../manifests/decode-text.ts';
import type { ManifestCache } from '../manifests/manifest-cache.ts';
import { placeIn, positionOf } from '../manifests/marks.ts';
import { MAX_FILE_BYTES, selectManifestFiles, type TreeFile } from '../manifests/select-files.ts';
import type { DesiredObject, Diagnostic, ParsedFile, Position } from '../manifests/types.ts';
import { RetryableError } from '../errors.ts';
import type { PacedRunner } from '../paced.ts';
import { isSealedInput } from '../secrets/opaque.ts';
import { lacksKeys, parseSealed, type OpenEnvelope } from '../revisions/parse-sealed.ts';
import {
  callFiles,
  callOf,
  callText,
  closureOf,
  engineOf,
  MADE,
  REPOSITORY,
  type AppCall,
  type AppEngine,
} from './app-call.ts';
import {
  lineOfObject,
  objectLines,
  splitDocuments,
  withoutOrigin,
  withoutSource,
  type ObjectLines,
  type RenderedDocument,
} from './documents.ts';
import { engineWords } from './engine-words.ts';
import type { AppTools, CallFile, ChartAnswer, EngineName } from './engine.ts';
import type { Closure } from './closure.ts';
import type { FileTree } from './file-tree.ts';
import { withoutIdleHooks } from './helm-hooks.ts';
import {
  helmValuesOf,
  isNoValue,
  variablesOf,
  type AppVariables,
  type NoValue,
  type ValueObjects,
} from './object-values.ts';
import { authOf, wantedSource, type AppSources, type SourceAnswer, type WantedSource } from './other-sources.ts';
import { isWithin } from './paths.ts';
import type { OtherPlaces, Place } from './place.ts';
import { asOneFile, inApp, parsingDocuments, placeOfDocument, type RenderedApp } from './read-rendered.ts';
import { withUnopened } from './secret-variables.ts';
import type { Submodules } from './submodules.ts';
import { isRefused, substituted, substitutionBudget } from './substituted-texts.ts';

/** What one App reads, all of it together. */
export const MAX_APP_BYTES = 16 * 1024 * 1024;
/** An App as a commit writes it. */
export interface DesiredApp {
  readonly desired: DesiredObject;
  readonly app: App;
}

export interface AppsInput {
  readonly apps: readonly DesiredApp[];
  readonly tree: FileTree;
  /** Of the tree, and what reads its files. */
  readonly submodules: Submodules;
  /** Who has other repositories; Apps of such are left out where nobody has. */
  readonly sources?: AppSources | undefined;
  /** Undefined where nothing is there to render with: each App with an engine is then refused. */
  readonly tools: AppTools | undefined;
  readonly cache: ManifestCache;
  /** Whether somebody looks at what engines made; else what was parsed of it once is enough. */
  readonly wantsDocuments: boolean;
  readonly open: OpenEnvelope | undefined;
  /** Files of the commit that AppSets read: none of them is a manifest, in an App's folder either. */
  readonly data: ReadonlySet<string>;
  /** Of the commit's plain files: values are taken from these. */
  readonly objects: ValueObjects;
  readonly run: PacedRunner;
}

/** What came of one App. */
export interface AppRendering {
  readonly app: string;
  readonly engine: string;
  /** Files that it reads. */
  readonly files: readonly TreeFile[];
  /** Empty where {@link diagnostics} has an error. */
  readonly parsed: readonly ParsedFile[];
  readonly diagnostics: readonly Diagnostic[];
  /** Of an engine: what it made, where that is wanted. */
  readonly documents: readonly RenderedDocument[];
  readonly objects: number;
  /** Something of it cannot be read here: nothing is known of its objects. */
  readonly isLeftOut: boolean;
  /** The other repository that it was rendered from, or was not for want of it. */
  readonly used?: { readonly app: string; readonly wanted: WantedSource; readonly answer: SourceAnswer };
}

/** What an engine is to make of an App, and the key under which that is kept. */
export interface EngineWork {
  readonly call: AppCall;
  readonly key: string;
}

const NO_VARIABLES: AppVariables = { values: new Map(), secret: new Set(), hasUnopened: false };

/** The way of one App: {@link prepare}, then {@link run} where its engine has to be asked, then {@link finish}. */
export class OneApp {
  readonly #app: App;
  readonly #desired: DesiredObject;
  readonly #input: AppsInput;
  readonly #others: OtherPlaces;

  #place: Place;
  #used: AppRendering['used'];
  #engine: AppEngine = 'yaml';
  #files: readonly TreeFile[] = [];
  #variables: AppVariables = NO_VARIABLES;
  #work: EngineWork | undefined;
  #made: readonly RenderedDocument[] | undefined;
  #parsed: ParsedFile | undefined;
  #failure: Failure | undefined;
  #isLeftOut = false;

  constructor({ app, desired }: DesiredApp, input: AppsInput, place: Place, others: OtherPlaces) {
    this.#app = app;
    this.#desired = desired;
    this.#input = input;
    this.#place = place;
    this.#others = others;
  }

  /**
   * Finds out what it reads and what its engine would be asked. Undefined where there is no more to do than
   * {@link finish}.
   */
  async prepare(): Promise<EngineWork | undefined> {
    const { objects } = this.#input;
    const at = (...path: (string | number)[]): Position => positionOf(this.#desired, ...path);
    const unread = await this.#otherPlace(at);
    if (unread) return this.#fails(unread);
    const { engine, files, diagnostics } = await this.#closure(at);
    this.#engine = engine;
    this.#files = files;
    const gone = diagnostics.find(({ code }) => code === 'SubmoduleUnread');
    if (gone && this.#used) return this.#fails(this.#sourceUnread(this.#used, gone.message, at));
    if (diagnostics.length > 0) return this.#fails({ diagnostics: diagnostics.map((each) => this.#shown(each)) });
    const variables = variablesOf(this.#app, objects, at);
    if (isNoValue(variables)) return this.#fails({ diagnostics: [noValue(variables)] });
    this.#variables = variables;
    const values = helmValuesOf(this.#app, objects, at);
    if (isNoValue(values)) return this.#fails({ diagnostics: [noValue(values)] });
    if (engine === 'yaml') return undefined;
    const work = await this.#workOf(engine, values);
    if ('diagnostics' in work) return this.#fails(work);
    this.#work = work;
    // What was made of it is known: it need not be read again.
    this.#parsed = this.#input.wantsDocuments ? undefined : this.#input.cache.get(this.#path, this.#oidOf(work));
    if (this.#parsed) return undefined;
    const kept = readKept(await this.#tools.kept(work.key));
    if (!kept) return work;
    this.#made = kept;
    return undefined;
  }

  /** What it reads, submodules among it: each that is in the way is opened. */
  async #closure(
    at: (...path: (string | number)[]) => Position,
  ): Promise<Pick<Closure, 'files' | 'diagnostics'> & { readonly engine: AppEngine }> {
    const { tree, kustomize, submodules } = this.#place;
    for (;;) {
      const engine = engineOf(this.#app, tree);
      const { files, diagnostics, submodules: closed } = await closureOf(this.#app, engine, tree, kustomize, at);
      if (closed.length === 0) return { engine, files, diagnostics };
      if (!(await submodules.open(closed.map(({ path }) => path))))
        return { engine, files, diagnostics: [...diagnostics, ...submodules.findings(closed)] };
    }
  }

  /** The repository is not to be read at this commit: its Apps stay at the one that is in force. */
  #sourceUnread(
    { app, wanted }: NonNullable<AppRendering['used']>,
    message: string,
    at: (...path: (string | number)[]) => Position,
  ): Failure {
    this.#used = { app, wanted, answer: { ok: false, message } };
    return this.#leftOut(message, at('spec', 'source', 'url'));
  }

  /** As people see it: with the repository, where it is about a file of another one. */
  #shown(diagnostic: Diagnostic): Diagnostic {
    const { prefix, tree } = this.#place;
    return prefix !== '' && tree.file(diagnostic.file) ? { ...diagnostic, file: prefix + diagnostic.file } : diagnostic;
  }

  /** Goes to the repository that it names, if it does; what keeps it from that. */
  async #otherPlace(at: (...path: (string | number)[]) => Position): Promise<Failure | undefined> {
    const { source } = this.#app.spec;
    if (!source) return undefined;
    const wanted = wantedSource(this.#app, source, this.#input.objects, at);
    if (isNoValue(wanted)) return { diagnostics: [noValue(wanted)] };
    const { answer, place } = await this.#others.of(wanted);
    const used = { app: this.#name, wanted, answer };
    this.#used = used;
    if (!answer.ok || !place) return this.#sourceUnread(used, answer.ok ? '' : answer.message, at);
    this.#place = place;
    return undefined;
  }

  /** What its engine made of these files: of the call's folders, and without lines. */
  async take(made: readonly RenderedDocument[], files: readonly CallFile[]): Promise<void> {
    const sources = new Map(files.map(({ path, bytes }) => [path, bytes]));
    this.#made = this.#work?.call.engine === 'helm' ? made : made.map((document) => withLine(document, sources));
    if (this.#work) await this.#tools.keep(this.#work.key, new TextEncoder().encode(JSON.stringify(this.#made)));
  }

  async finish(): Promise<AppRendering> {
    const { parsed, documents, diagnostics } = this.#failure
      ? { parsed: [], documents: [], ...this.#failure }
      : await this.#result();
    return {
      app: this.#name,
      engine: this.#engine,
      files: this.#files,
      parsed,
      documents,
      diagnostics,
      ...(this.#used && { used: this.#used }),
      isLeftOut: this.#isLeftOut,
      objects: parsed.reduce((sum, file) => sum + file.objects.length + file.custom.length, 0),
    };
  }

  async #result(): Promise<Result> {
    if (this.#engine === 'yaml') return this.#plain(this.#files, this.#variables);
    if (this.#parsed) return { parsed: [this.#parsed], documents: [], diagnostics: [] };
    const work = this.#work;
    const made = this.#made;
    if (!work || !made) throw new Error(`App ${this.#name} was not prepared`);
    const { prefix } = this.#place;
    return this.#rendered(
      work,
      prefix === ''
        ? made
        : made.map((each) => (each.file === undefined ? each : { ...each, file: prefix + each.file })),
    );
  }

  #fails(failure: Failure): undefined {
    this.#failure = failure;
    return undefined;
  }

  get #tools(): AppTools {
    const { tools } = this.#input;
    if (!tools) throw new Error('nothing is rendered here');
    return tools;
  }

  get #name(): string {
    return this.#app.metadata.name;
  }

  /** Tells apart what the same text becomes by other variables. */
  #variablesId({ values, secret }: AppVariables): string {
    const { substitute: spec } = this.#app.spec;
    return spec ? hash(JSON.stringify([spec.strict, ...values, [...secret]])) : '';
  }

  /** The folder's own manifests, in the App's namespace. */
  async #plain(files: readonly TreeFile[], variables: AppVariables): Promise<Result> {
    const { cache, open, run } = this.#input;
    const { namespace } = this.#app.spec;
    const { prefix } = this.#place;
    const own = prefix === '' ? files.filter(({ path }) => !this.#input.data.has(path)) : files;
    const { manifests, diagnostics } = selectManifestFiles(own);
    const wrong: Diagnostic[] = diagnostics.map((each) => this.#shown(each));
    const parsed: ParsedFile[] = [];
    const budget = substitutionBudget();
    const variablesId = this.#variablesId(variables);
    for (const file of manifests) {
      const oid = [file.oid, namespace ?? '', variablesId].join(' ').trim();
      const path = prefix + file.path;
      let known = cache.get(path, oid);
      if (!known) {
        const bytes = await this.#place.read(file, MAX_FILE_BYTES);
        const contents = bytes === 'too-large' ? new Uint8Array(MAX_FILE_BYTES + 1) : bytes;
        const said = substituted(this.#app, contents, variables, budget, (line) => ({ file: path, line, column: 1 }));
        if (isRefused(said)) {
          wrong.push(...said);
          continue;
        }
        known = await parseSealed(path, oid, said, open, namespace, false, run);
        if (variables.hasUnopened) known = withUnopened(known);
        if (!lacksKeys(known)) cache.set(known);
      }
      parsed.push(inApp(known, this.#name, namespace));
    }
    return { parsed, diagnostics: wrong, documents: [] };
  }

  async #workOf(engine: EngineName, values: readonly string[]): Promise<EngineWork | Failure> {
    const { tools } = this.#input;
    if (!tools) return this.#failed('NeedsRendering', `needs ${engine}, which is not run here`, 'render it elsewhere');
    const chart = await this.#chart(tools);
    if (chart && 'diagnostics' in chart) return chart;
    const call = callOf(this.#app, engine, values, chart);
    return { call, key: hash(callText(await tools.identity(engine), call, this.#files)) };
  }

  /** Rejects with RetryableError `ChartUnavailable` where the Secret is to be opened here and cannot be. */
  async #chart(tools: AppTools): Promise<Extract<ChartAnswer, { ok: true }> | Failure | undefined> {
    const { chart: source } = this.#app.spec.helm ?? {};
    if (!source) return undefined;
    const { secretRef } = source;
    const place = positionOf(this.#desired, 'spec', 'helm', 'chart', 'secretRef', 'name');
    const namespace = this.#app.spec.namespace ?? DEFAULT_NAMESPACE;
    const auth = secretRef && authOf({ namespace, name: secretRef.name }, this.#input.objects, place);
    if (auth && isNoValue(auth)) return { diagnostics: [noValue(auth)] };
    const chart = await tools.chart(source, namespace, auth);
    if (chart.ok) return chart;
    if (chart.reason === 'mismatch')
      return this.#failed('RenderFailed', `cannot have its chart: ${chart.message}`, 'look at it, and name its digest');
    if (this.#input.open) throw new RetryableError('ChartUnavailable', `App ${this.#name}: ${chart.message}`);
    return this.#leftOut(chart.message, place);
  }

  #leftOut(why: string, { file, line, column }: Position): Failure {
    this.#isLeftOut = true;
    const message = `App ${this.#name} is left out: ${why}`;
    return {
      diagnostics: [{ severity: 'warning', code: 'SourceUnread', file, line, column, message, hint: UNREAD_HINT }],
    };
  }

  async #rendered(work: EngineWork, made: readonly RenderedDocument[]): Promise<Result> {
    const { cache } = this.#input;
    const { engine } = work.call;
    const variables = this.#variables;
    const { position } = this.#desired;
    const { namespace } = this.#app.spec;
    const { documents: written, warnings } =
      engine === 'helm' ? withoutIdleHooks(made) : { documents: made, warnings: [] };
    const rendered = this.#inDocuments({ app: this.#name, engine, position, namespace, documents: written }, variables);
    if ('diagnostics' in rendered) return rendered;
    const oid = this.#oidOf(work);
    let parsed = cache.get(this.#path, oid);
    if (!parsed) {
      parsed = await this.#parse(this.#path, oid, rendered);
      const idle = warnings.map(({ document: { template }, message }): Diagnostic => {
        const { file, line, column } = position;
        const text = `App ${this.#name}, ${template ?? 'Helm'}: ${message}`;
        return { severity: 'warning', code: 'HelmHook', file, line, column, message: text, hint: HOOK_HINT };
      });
      if (idle.length > 0) parsed = { ...parsed, diagnostics: [...parsed.diagnostics, ...idle] };
      if (variables.hasUnopened) parsed = withUnopened(parsed);
      if (!lacksKeys(parsed)) cache.set(parsed);
    }
    return { parsed: [parsed], diagnostics: [], documents: rendered.documents };
  }

  /** Stands for what is rendered among other files. */
  get #path(): string {
    return `${this.#desired.position.file}#${this.#name}`;
  }

  /** Not only of the contents: an App that moves in its file tells of another place. */
  #oidOf({ key }: EngineWork): string {
    const { file, line, column } = this.#desired.position;
    return hash(
      JSON.stringify([
        key,
        file,
        line,
        column,
        this.#app.spec.namespace,
        this.#variablesId(this.#variables),
        ...(this.#place.prefix === '' ? [] : [this.#place.prefix]),
      ]),
    );
  }

  #inDocuments(rendered: RenderedApp, variables: AppVariables): RenderedApp | Result {
    if (!this.#app.spec.substitute) return rendered;
    const budget = substitutionBudget();
    const wrong: Diagnostic[] = [];
    const documents = rendered.documents.map((document, i) => {
      const place = (line: number): Position => placeIn(placeOfDocument(rendered, i), line, 1);
      const said = substituted(this.#app, new TextEncoder().encode(document.text), variables, budget, place);
      if (!isRefused(said)) return { ...document, text: new TextDecoder().decode(said) };
      wrong.push(...said);
      return document;
    });
    return wrong.length > 0
      ? { parsed: [], documents: rendered.documents, diagnostics: wrong }
      : { ...rendered, documents };
  }

  async #parse(path: string, oid: string, rendered: RenderedApp): Promise<ParsedFile> {
    const { run, open } = this.#input;
    const each = await run(parsingDocuments(path, oid, rendered));
    for (const [i, { text }] of rendered.documents.entries())
      if (open && each[i]?.sealed)
        each[i] = await parseSealed(path, oid, new TextEncoder().encode(text), open, rendered.namespace, true, run);
    return asOneFile(path, oid, rendered, each);
  }

  /** What it reads, with the call's own files; undefined where that is not to be given to an engine, which is told. */
  async read(work: EngineWork): Promise<readonly CallFile[] | undefined> {
    const contents = await this.#contents();
    if ('diagnostics' in contents) return this.#fails(contents);
    return callFiles(work.call, this.#files, contents);
  }

  /** Asks its engine, for it alone. */
  async run({ call }: EngineWork, files: readonly CallFile[]): Promise<void> {
    const { engine, args } = call;
    const answer = await this.#tools.run({ engine, args, files });
    if (!answer.ok) {
      this.#fails(this.#failed('RenderFailed', engineWords(engine, answer), FAILED_HINT[answer.reason]));
      return;
    }
    const decoded = decodeUtf8(answer.output);
    if (!decoded.ok) {
      this.#fails(this.#failed('RenderFailed', `${engine} printed what is no text`, FAILED_HINT.crashed));
      return;
    }
    const texts = splitDocuments(decoded.text);
    await this.take(
      engine === 'helm' ? texts.map(withoutSource) : texts.map((text) => withoutOrigin(text, MADE)),
      files,
    );
  }

  async #contents(): Promise<readonly Uint8Array[] | Failure> {
    const contents: Uint8Array[] = [];
    let room = MAX_APP_BYTES;
    for (const file of this.#files) {
      const bytes = await this.#place.read(file, room);
      if (bytes === 'too-large')
        return this.#failed(
          'AppTooLarge',
          `reads more than ${MAX_APP_BYTES / 1024 / 1024} MiB; ${file.path} is one file too many`,
          'name a smaller folder, or keep data out of it',
        );
      if (isLfsPointer(bytes))
        return this.#failed(
          'LfsPointer',
          `reads ${file.path}, which is in Git LFS: the commit has a pointer to its contents, and these are not fetched`,
          'take it out of LFS with `git lfs untrack`, `git add --renormalize`, and commit it again',
        );
      if (isSealedInput(bytes))
        return this.#failed(
          'EncryptedField',
          `reads ${file.path}, which is encrypted with SOPS, and no engine is given what is decrypted`,
          'put the values into an encrypted Secret, as a manifest',
        );
      room -= bytes.byteLength;
      contents.push(bytes);
    }
    return contents;
  }

  #failed(code: Diagnostic['code'], what: string, hint: string): Failure {
    const { file, line, column } = this.#desired.position;
    const message = `App ${this.#name} ${what}`;
    return { diagnostics: [{ severity: 'error', code, file, line, column, message, hint }] };
  }
}

type Result = Pick<AppRendering, 'parsed' | 'diagnostics' | 'documents'>;
type Failure = Pick<AppRendering, 'diagnostics'>;

function noValue({ at: { file, line, column }, message, hint }: NoValue): Diagnostic {
  return { severity: 'error', code: 'MissingReference', file, line, column, message, hint };
}

const UNREAD_HINT = 'docs/apps.md says who reads other repositories, and when';
const HOOK_HINT = 'docs/apps.md says what becomes of hooks';
const FAILED_HINT = {
  refused: 'the engine says so itself: see the files that it names',
  timeout: 'a chart that loops, or far too much for one App',
  output: 'split the App',
  crashed: 'most often it was out of memory: split the App',
};

/** The origin's path is of the call; here it is of the repository. */
function withLine(document: RenderedDocument, sources: ReadonlyMap<string, Uint8Array>): RenderedDocument {
  const { text, file } = document;
  if (file === undefined || file === REPOSITORY || !isWithin(file, REPOSITORY)) return { text };
  const bytes = sources.get(file);
  if (!bytes) return { text };
  const lines = linesOf.get(bytes) ?? objectLines(new TextDecoder().decode(bytes));
  linesOf.set(bytes, lines);
  return { text, file: file.slice(REPOSITORY.length + 1), line: lineOfObject(lines, text) };
}

/** Files never change: each is looked through once, whatever is made of it. */
const linesOf = new WeakMap<Uint8Array, ObjectLines>();

/** What was kept is this program's own, and was proved before: only its form may be of another time. */
function readKept(bytes: Uint8Array | undefined): readonly RenderedDocument[] | undefined {
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as RenderedDocument[]);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
