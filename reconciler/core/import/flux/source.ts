/** Where charts of a HelmRelease come from. */
import type { Position } from '../../manifests/index.ts';
import { chartOf, ociChart, type Chart } from '../chart.ts';
import { Fields } from '../fields.ts';
import { emptyMap, textOf, within, type LocatedMap } from '../located.ts';
import { resolvePath } from '../names.ts';
import type { Report } from '../report.ts';
import type { Found } from '../kustomize/walk.ts';
import { kindOf, nameOf, namespaceOf } from './objects.ts';

/** A chart from elsewhere, or a folder of the repository. */
export type ChartPlace = { readonly chart: Chart } | { readonly path: string };

/** Fields of a repository of charts that hold a login, each with what to do. */
const LOGINS = [
  ['secretRef', 'name its Secret in spec.helm.chart.secretRef of the App, in whose namespace it has to be'],
  ['certSecretRef', 'ca.crt can be in the Secret that spec.helm.chart.secretRef of the App names'],
  ['proxySecretRef', 'charts are fetched without one'],
] as const;

export class Sources {
  readonly #found: readonly Found[];
  readonly #report: Report;
  /** Names of the GitRepository that is the tree itself. */
  readonly #own: ReadonlySet<string>;

  constructor(found: readonly Found[], own: ReadonlySet<string>, report: Report) {
    this.#found = found;
    this.#own = own;
    this.#report = report;
  }

  isOwn(kind: string, name: string): boolean {
    return (
      kind === 'GitRepository' &&
      (this.#own.has(name) || !this.#found.some((each) => kindOf(each) === kind && nameOf(each) === name))
    );
  }

  /** What `spec.chart` or `spec.chartRef` of a release names; undefined, and told, where that cannot be said. */
  placeOf(spec: Fields, namespace: string): ChartPlace | undefined {
    const reference = spec.take('chartRef');
    if (reference?.value.kind === 'map') return this.#referenced(reference.value, namespace);
    const template = spec.map('chart').map('spec');
    return this.#template(template, namespace);
  }

  #template(template: Fields, namespace: string): ChartPlace | undefined {
    const name = template.text('chart') ?? '';
    const version = template.text('version');
    const source = template.take('sourceRef');
    template.ignore('interval', 'reconcileStrategy', 'verify', 'ignoreMissingValuesFiles');
    template.rest({ valuesFiles: 'files of the chart: its values.yaml alone is read' });
    const reference = source?.value.kind === 'map' ? source.value : emptyMap(template.at);
    const kind = textOf(within(reference, 'kind')) ?? '';
    const named = textOf(within(reference, 'name')) ?? '';
    if (this.isOwn(kind, named)) {
      const path = resolvePath('', name);
      return path === undefined || path === '' ? undefined : { path };
    }
    const found = this.#find(
      kind,
      named,
      textOf(within(reference, 'namespace')) ?? namespace,
      source?.at ?? template.at,
    );
    const url = found && textOf(within(found.object, 'spec', 'url'));
    if (!found || url === undefined) return undefined;
    if (kind !== 'HelmRepository') {
      this.#report.lost(
        source?.at ?? template.at,
        `the chart ${name} is in ${kind} ${named}, another repository`,
        kind === 'GitRepository'
          ? 'copy the chart into this one, and name its folder in spec.path; or name that one in spec.source of an App'
          : 'copy the chart into this one, and name its folder in spec.path',
      );
      return undefined;
    }
    this.#secretOf(found);
    const chart = chartOf({ repository: url, name, version }, template.at, this.#report);
    return chart && { chart };
  }

  #referenced(reference: LocatedMap, namespace: string): ChartPlace | undefined {
    const kind = textOf(within(reference, 'kind')) ?? '';
    const name = textOf(within(reference, 'name')) ?? '';
    const found = this.#find(kind, name, textOf(within(reference, 'namespace')) ?? namespace, reference.at);
    const spec = found && within(found.object, 'spec');
    if (!found || spec?.kind !== 'map') return undefined;
    if (kind === 'HelmChart')
      return this.#template(new Fields(spec, `HelmChart ${name}: spec`, this.#report), namespace);
    const url = textOf(within(spec, 'url')) ?? '';
    if (kind !== 'OCIRepository') {
      this.#report.lost(reference.at, `a chart of ${kind} ${name} is not carried over`);
      return undefined;
    }
    this.#secretOf(found);
    const [tag, semver, digest] = ['tag', 'semver', 'digest'].map((field) => textOf(within(spec, 'ref', field)));
    const chart = chartOf({ ...ociChart(url), version: tag ?? semver, digest }, found.object.at, this.#report);
    return chart && { chart };
  }

  #secretOf({ object }: Found): void {
    for (const [field, hint] of LOGINS) {
      const at = within(object, 'spec', field)?.at;
      if (at) this.#report.lost(at, `the login to a repository of charts (${field}) is not carried over`, hint);
    }
  }

  #find(kind: string, name: string, namespace: string, at: Position): Found | undefined {
    const named = this.#found.filter((each) => kindOf(each) === kind && nameOf(each) === name);
    const found = named.find((each) => namespaceOf(each) === namespace) ?? named[0];
    if (!found)
      this.#report.missing(at, `there is no ${kind === '' ? 'source' : kind} ${name}`, 'import the folder that has it');
    return found;
  }
}
