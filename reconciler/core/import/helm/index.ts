/** A release of Helm: its values as an App, or what it made as manifests. Source: Helm, `helm get`. */
import { isObject, type JsonObject } from '../../fields/json.ts';
import { Apps } from '../apps.ts';
import { chartOf, ociChart } from '../chart.ts';
import { dataKey, dnsLabel } from '../names.ts';
import { plainOf, readLocated, textOf, within, type Located } from '../located.ts';
import { Report } from '../report.ts';
import { isSecretVariable } from '../secret-names.ts';
import { sortedFiles } from '../stray-files.ts';
import type { Imported, SourceTree } from '../types.ts';
import { manifestsText, type Manifest } from '../write-yaml.ts';

export interface HelmOptions {
  /** Values, or what `helm get values|manifest|all` printed. */
  readonly file: string;
  /** `https://HOST/PATH/NAME` or `oci://HOST/PATH/NAME`; of manifests alone it is not needed. */
  readonly chart?: string | undefined;
  readonly version?: string | undefined;
  /** Of the release; absent: what the file says, or its name. */
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Never throws for what the file holds. Secrets of a release are not written. */
export function importHelm(tree: SourceTree, options: HelmOptions): Imported {
  const report = new Report();
  const { file } = options;
  const text = tree.texts.get(file);
  const start = { file, line: 1, column: 1 };
  if (text === undefined) {
    report.missing(start, `${file} is not there, or is no text`);
    return { files: [], removed: [], findings: report.sorted() };
  }
  const dump = sectionsOf(text);
  const name = dnsLabel(options.name ?? dump.name ?? file.replace(/\.[^.]*$/, ''));
  const namespace = options.namespace ?? dump.namespace;
  const written = dump.values ?? dump.manifest ?? text;
  const documents = readLocated(file, written, report);
  const isManifest =
    dump.values === undefined && documents.some((document) => textOf(within(document, 'apiVersion')) !== undefined);
  if (isManifest) {
    const manifests = documents.flatMap((document) => manifestOf(document, name, report));
    const files = manifests.length === 0 ? [] : [{ path: `apps/${name}.yaml`, text: manifestsText(manifests) }];
    return { files, removed: [], findings: report.sorted() };
  }
  const [values, ...others] = documents;
  for (const other of others) report.invalid(other.at, 'values are one document', 'remove what follows ---');
  if (values && values.kind !== 'map')
    report.invalid(values.at, 'values are a map', 'give what `helm get values NAME -o yaml` prints');
  if (options.chart === undefined)
    report.invalid(start, 'values without a chart', 'name it with --chart and --chart-version');
  const chart =
    options.chart === undefined
      ? undefined
      : chartOf({ ...ociChart(options.chart), version: options.version }, start, report);
  const apps = new Apps();
  const plain = values ? plainOf(values) : {};
  if (chart)
    apps.add({
      keys: [],
      name,
      otherName: name,
      at: start,
      namespace,
      helm: { chart, releaseName: name, values: isObject(plain) ? plain : {} },
      dependsOn: [],
    });
  return { files: sortedFiles(apps.files(report, new Set())), removed: [], findings: report.sorted() };
}

/** An object of a release, as it is; a Secret is not written. */
function manifestOf(document: Located, release: string, report: Report): Manifest[] {
  const plain = plainOf(document);
  if (!isObject(plain)) return [];
  if (plain['kind'] !== 'Secret') return [{ object: withoutSecretVariables(plain, document, release, report) }];
  report.secret(
    document.at,
    `Secret ${textOf(within(document, 'metadata', 'name')) ?? ''} of the release was not written`,
    'write it into Git encrypted: `plumb secret encrypt`',
  );
  return [];
}

/** Variables of containers that look secret become keys of a Secret. */
function withoutSecretVariables(object: JsonObject, { at }: Located, release: string, report: Report): JsonObject {
  const secret = `${release}-env`;
  const without = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(without);
    if (!isObject(value)) return value;
    const { name, value: text } = value;
    if (typeof name === 'string' && typeof text === 'string' && text !== '' && isSecretVariable(name, text)) {
      const key = dataKey(name);
      report.secret(
        at,
        `the variable ${name} was not written: it is the key ${key} of Secret ${secret}`,
        'write that into Git encrypted: `plumb secret encrypt`',
      );
      return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
    }
    return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, without(inner)]));
  };
  const left = without(object);
  return isObject(left) ? left : object;
}

interface Dump {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly values?: string | undefined;
  readonly manifest?: string | undefined;
}

/** Parts of what `helm get` prints. Lines before a part are kept empty, so that places in it stay true. */
function sectionsOf(text: string): Dump {
  const lines = text.split('\n');
  const at = (heading: string): number => lines.findIndex((line) => line.trimEnd() === heading);
  const part = (heading: string): string | undefined => {
    const from = at(heading);
    if (from < 0) return undefined;
    const length = lines.slice(from + 1).findIndex((line) => /^(?:COMPUTED VALUES|HOOKS|MANIFEST|NOTES):/.test(line));
    const to = length < 0 ? lines.length : from + 1 + length;
    return '\n'.repeat(from + 1) + lines.slice(from + 1, to).join('\n');
  };
  const values = part('USER-SUPPLIED VALUES:');
  const head = values === undefined ? [] : lines.slice(0, at('USER-SUPPLIED VALUES:'));
  const named = (field: string): string | undefined =>
    head
      .find((line) => line.startsWith(`${field}: `))
      ?.slice(field.length + 2)
      .trim();
  return { name: named('NAME'), namespace: named('NAMESPACE'), values, manifest: part('MANIFEST:') };
}
