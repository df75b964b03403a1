/** Charts that have nothing but dependencies: each of these is an App, as nothing is fetched while a commit is rendered. */
import { readKey } from '../../../../contracts/objects/index.ts';
import { isObject, type JsonObject } from '../../fields/json.ts';
import { chartOf, type Chart } from '../chart.ts';
import { mergedValues } from '../helm-values.ts';
import { readLocated, textOf, within } from '../located.ts';
import { itemsOf } from '../kustomize/walk.ts';
import { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';

export interface Dependency {
  readonly name: string;
  readonly chart: Chart | undefined;
  readonly values: JsonObject;
}

/**
 * The dependencies of a chart in a folder of the tree, with the values that each gets; undefined where the chart has
 * templates of its own, has its dependencies with it, or has none.
 */
export function umbrellaOf(
  folder: string,
  values: JsonObject,
  tree: SourceTree,
  report: Report,
): Dependency[] | undefined {
  const file = `${folder}/Chart.yaml`;
  const [chart] = readLocated(file, tree.texts.get(file) ?? '', new Report());
  const dependencies = itemsOf(within(chart, 'dependencies'));
  const local = dependencies.filter((each) => /^(file:|$)/.test(textOf(within(each, 'repository')) ?? ''));
  if (dependencies.length === 0 || local.length === dependencies.length) return undefined;
  const has = (part: string): boolean => [...tree.paths].some((path) => path.startsWith(`${folder}/${part}/`));
  if (has('charts')) return undefined;
  const [first] = dependencies;
  if (has('templates') || local.length > 0) {
    if (first)
      report.lost(
        first.at,
        `the dependencies of the chart in ${folder} are not in the repository, and nothing is fetched`,
        'run `helm dependency update` there, and commit its charts folder',
      );
    return undefined;
  }
  return dependencies.flatMap((each) => {
    const name = textOf(within(each, 'name')) ?? '';
    const alias = textOf(within(each, 'alias')) ?? name;
    const condition = textOf(within(each, 'condition'));
    if (condition !== undefined && condition.split(',').some((path) => valueAt(values, path.trim()) === false))
      return [];
    const own = readKey(values, alias);
    const shared = readKey(values, 'global');
    const repository = textOf(within(each, 'repository')) ?? '';
    return [
      {
        name: alias,
        chart: chartOf({ repository, name, version: textOf(within(each, 'version')) }, each.at, report),
        values: mergedValues(isObject(shared) ? { global: shared } : {}, isObject(own) ? own : {}),
      },
    ];
  });
}

function valueAt(values: JsonObject, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isObject(value) ? readKey(value, name) : undefined), values);
}
