/**
 * Objects of the External Secrets operator: nothing here asks their stores, so that the Secrets which they would have made are
 * told of, by name and keys. Source: external-secrets.io, "API specification", v1.
 */
import { itemsOf } from './kustomize/walk.ts';
import { readLocated, textOf, within, type Located, type LocatedMap } from './located.ts';
import { Report } from './report.ts';

const GROUP = /^(?:generators\.)?external-secrets\.io\//;
const MAY_HOLD = /external-secrets\.io\//;
const WRITE_HINT = 'write that Secret, encrypted (`plumb secret encrypt`), and take this object out';
/** Keys that are named; a Secret with more has one word for the others. */
const MOST_KEYS = 20;

/** `kept`: the files that the result has. */
export function tellOfExternalSecrets(kept: ReadonlyMap<string, string>, report: Report): void {
  for (const [path, text] of kept) {
    if (!/\.ya?ml$/i.test(path) || !MAY_HOLD.test(text)) continue;
    // What cannot be read is told of by a check.
    for (const object of readLocated(path, text, new Report()))
      if (object.kind === 'map' && GROUP.test(textOf(within(object, 'apiVersion')) ?? '')) tell(object, report);
  }
}

function tell(object: LocatedMap, report: Report): void {
  const kind = textOf(within(object, 'kind')) ?? '';
  const name = textOf(within(object, 'metadata', 'name')) ?? '';
  if (kind === 'ExternalSecret') {
    const namespace = textOf(within(object, 'metadata', 'namespace'));
    const where = namespace === undefined ? '' : ` in the namespace ${namespace}`;
    report.lost(object.at, `ExternalSecret ${name} ${made(within(object, 'spec'), name)}${where}`, WRITE_HINT);
  } else if (kind === 'ClusterExternalSecret') {
    const spec = within(object, 'spec');
    const named = textOf(within(spec, 'externalSecretName')) ?? name;
    const what = made(within(spec, 'externalSecretSpec'), named);
    report.lost(object.at, `ClusterExternalSecret ${name} ${what} in each namespace that it selects`, WRITE_HINT);
  } else
    report.lost(
      object.at,
      `${kind} ${name} is not carried over: nothing here asks stores of secrets`,
      'the Secrets themselves are written, encrypted: docs/secrets.md',
    );
}

/** Which Secret comes of the specification of an ExternalSecret with that name. */
function made(spec: Located | undefined, name: string): string {
  const target = within(spec, 'target');
  const secret = textOf(within(target, 'name')) ?? name;
  const template = within(target, 'template');
  const written = [...namesIn(within(template, 'data')), ...namesIn(within(template, 'stringData'))];
  const fetched = itemsOf(within(spec, 'data')).flatMap((item) => textOf(within(item, 'secretKey')) ?? []);
  const isMerged = textOf(within(template, 'mergePolicy')) === 'Merge';
  const keys = [...new Set(written.length === 0 || isMerged ? [...fetched, ...written] : written)];
  const all = itemsOf(within(spec, 'dataFrom')).map(entryOf);
  const type = textOf(within(template, 'type'));
  const parts = [
    ...(keys.length > 0 ? [`the ${keys.length === 1 ? 'key' : 'keys'} ${listed(keys)}`] : []),
    ...(all.length > 0 && (written.length === 0 || isMerged) ? [`all that ${listed(all)} has`] : []),
  ];
  const what = `${type === undefined ? '' : ` of type ${type}`}${parts.length > 0 ? ` with ${parts.join(' and ')}` : ''}`;
  const policy = textOf(within(target, 'creationPolicy'));
  if (policy === 'None') return 'would have made no Secret';
  return `would have ${policy === 'Merge' ? 'added to' : 'made'} the Secret ${secret}${what}`;
}

function namesIn(map: Located | undefined): readonly string[] {
  return map?.kind === 'map' ? [...map.fields.keys()] : [];
}

/** What of a store all keys are taken of. */
function entryOf(item: Located): string {
  const key = textOf(within(item, 'extract', 'key'));
  if (key !== undefined) return key;
  const generator = textOf(within(item, 'sourceRef', 'generatorRef', 'name'));
  return generator === undefined ? 'what it searches for' : `the generator ${generator}`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_KEYS).join(', ');
  return names.length > MOST_KEYS ? `${shown} and ${names.length - MOST_KEYS} more` : shown;
}
