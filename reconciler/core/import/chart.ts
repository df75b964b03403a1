/** Where a chart comes from, as an App says it: one exact version of one chart. */
import type { Position } from '../manifests/index.ts';
import type { Report } from './report.ts';

export interface Chart {
  readonly repository: string;
  readonly name: string;
  readonly version: string;
  readonly digest?: string | undefined;
}

const EXACT = /^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const REPOSITORY = /^(https?|oci):\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/;

/** The chart, or undefined where an App cannot say it: then it is told at `at`. A range of versions becomes its lowest. */
export function chartOf(
  {
    repository,
    name,
    version,
    digest,
  }: { repository: string; name: string; version: string | undefined; digest?: string | undefined },
  at: Position,
  report: Report,
): Chart | undefined {
  const url = repository.replace(/\/+$/, '');
  if (!REPOSITORY.test(url) || !NAME.test(name)) {
    report.invalid(
      at,
      `a chart ${name} of the repository ${withoutUser(url)} cannot be named`,
      'write spec.helm.chart by hand',
    );
    return undefined;
  }
  if (version !== undefined && EXACT.test(version)) return { repository: url, name, version, digest: digestOf(digest) };
  const lowest = lowestOf(version ?? '');
  if (lowest === undefined) {
    report.invalid(at, `the chart ${name} has no version`, 'write the one that runs: a commit has one meaning');
    return undefined;
  }
  report.invalid(
    at,
    `the chart ${name} has a range of versions, ${version ?? ''}; it became ${lowest}`,
    'write the version that runs: a commit has one meaning',
  );
  return { repository: url, name, version: lowest, digest: digestOf(digest) };
}

function digestOf(digest: string | undefined): string | undefined {
  return digest !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}

function withoutUser(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

/** `>=6.5.0 <7`, `~1.2`, `2.x` to the lowest version that is meant. */
function lowestOf(range: string): string | undefined {
  const match = /^[\s^~>=v]*(\d{1,9})(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?/.exec(range);
  if (!match) return undefined;
  const part = (text: string | undefined): string => (text !== undefined && /^\d+$/.test(text) ? text : '0');
  return `${part(match[1])}.${part(match[2])}.${part(match[3])}`;
}

/** `oci://host/path/name` as the repository and the chart in it. */
export function ociChart(url: string): { readonly repository: string; readonly name: string } {
  const bare = url.replace(/\/+$/, '');
  const slash = bare.lastIndexOf('/');
  const repository = bare.slice(0, slash);
  return { repository: repository.includes('://') ? repository : `oci://${repository}`, name: bare.slice(slash + 1) };
}
