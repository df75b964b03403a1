/**
 * From a selection to PromQL. Source: Prometheus documentation, "Querying basics" (string literals, instant vector
 * selectors). What manifests say is written as quoted strings alone, the name of the series too: none of it can end its
 * string.
 */
import { LABEL_MATCHERS, type Prometheus } from '../../../contracts/objects/index.ts';
import type { LabelMatcher, SeriesSelection } from '../../core/workloads/horizontal-pod-autoscaler-series.ts';

const GROUP_BY = '<<.GroupBy>>';
/** What a label may be called, as nothing quotes it. */
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The query of a selection: the one that the settings have for its measure, or the sum of the series of its name. */
export function queryOf({ queries }: Prometheus, { metric, matchers, by }: SeriesSelection): string {
  const template = queries?.find((one) => one.metric === metric)?.query;
  const written = matchers.filter(({ values }) => values.length > 0).map(matcherText);
  const group = by === undefined ? '' : label(by);
  return template === undefined
    ? `sum by (${group}) ({${[`__name__=${quoted(metric)}`, ...written].join(',')}})`
    : // Not what is put in is looked through again.
      template
        .split(LABEL_MATCHERS)
        .map((part) => part.split(GROUP_BY).join(group))
        .join(written.join(','));
}

function matcherText({ label: name, is, values }: LabelMatcher): string {
  const [only] = values;
  return values.length === 1 && only !== undefined
    ? `${label(name)}${is === 'in' ? '=' : '!='}${quoted(only)}`
    : `${label(name)}${is === 'in' ? '=~' : '!~'}${quoted(values.map(literal).join('|'))}`;
}

/** Throws RangeError for what is no label: manifests are checked for that. */
function label(name: string): string {
  if (!LABEL.test(name)) throw new RangeError(`no label of Prometheus: ${name}`);
  return name;
}

/** A value as a regular expression of RE2 that matches it alone. */
function literal(value: string): string {
  return value.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

/** A string literal. Its escapes are Go's, of which JSON's are a part. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
