/** `plumb get`: live objects. */
import {
  ALL_KINDS,
  findKind,
  KINDS,
  type AnyObject,
  type CustomKind,
  type CustomResourceDefinition,
  type Kind,
  type KindIdentity,
  type KubeObject,
  type Node,
  type ObjectsByKind,
  type Pod,
  type Unstructured,
} from '../../contracts/objects/index.ts';
import { errorText } from '../../contracts/errors.ts';
import type { CustomObjectList, ObjectList } from '../../reconciler/api/types.ts';
import { customColumns } from '../../reconciler/core/kinds/custom-columns.ts';
import { definedKinds } from '../../reconciler/core/kinds/custom-definitions.ts';
import { descriptorOf, DESCRIPTORS } from '../../reconciler/core/kinds/index.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { rowsOf, unheardNodes } from '../print/columns.ts';
import { printData } from '../print/format.ts';
import { print, progress, tell } from '../print/terminal.ts';
import { table } from '../print/table.ts';

export interface GetOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly reveal?: boolean;
  /** Hidden else, as kubectl does: they are long, and written by programs. */
  readonly showManagedFields?: boolean;
  readonly output?: string;
}

/** What `plumb get all` shows, in kubectl's order: by group, the core group first, then by name. */
export const IN_ALL = ALL_KINDS.filter((kind) => DESCRIPTORS[kind].categories.includes('all')).sort((a, b) => {
  const [one, other] = [a, b].map((kind) => `${KINDS[kind].group} ${KINDS[kind].plural}`);
  return (one ?? '') < (other ?? '') ? -1 : 1;
});

/** What is named by `KIND/NAME`. CliFailure 2 for a name without its kind, which shows `example`. */
export function parseObject(word: string, example: string): { readonly kind: Kind; readonly name: string } {
  if (!word.includes('/'))
    throw new CliFailure(
      2,
      `${JSON.stringify(word)} does not say of which kind: write KIND/NAME`,
      `for example: ${example}`,
    );
  const { kind, name } = parseTarget(word);
  if (name === undefined || name === '')
    throw new CliFailure(2, `${JSON.stringify(word)} has no name`, `for example: ${example}`);
  return { kind, name };
}

/** Splits `deploy/web`, or `deploy` and `web`. CliFailure 2 for a kind that does not exist. */
export function parseTarget(word: string, name?: string): { readonly kind: Kind; readonly name: string | undefined } {
  const [kindWord = '', inline] = word.split('/', 2);
  const kind = findKind(kindWord);
  if (!kind)
    throw new CliFailure(
      2,
      `there is no kind ${JSON.stringify(kindWord)}`,
      `kinds: ${Object.values(KINDS)
        .map((k) => k.plural)
        .join(', ')}`,
    );
  return { kind, name: inline ?? name };
}

/** The API path of a list or of one object. */
export function objectPath(kind: Kind, namespace: string | undefined, name?: string): string {
  return pathOf(KINDS[kind], namespace, name);
}

function pathOf(
  { apiVersion, plural, namespaced }: KindIdentity,
  namespace: string | undefined,
  name: string | undefined,
): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** A name is one of each namespace that has it. CliFailure 2 where it is to be found in all of them. */
export function inOneNamespace(name: string | undefined, allNamespaces: boolean | undefined): void {
  if (name !== undefined && allNamespaces)
    throw new CliFailure(
      2,
      'a resource cannot be retrieved by name across all namespaces',
      'name its namespace with -n, or leave out the name',
    );
}

export async function get(word: string, name: string | undefined, options: GetOptions): Promise<void> {
  const client = controlPlane(options.home);
  if (word === 'all') {
    let shown = 0;
    for (const kind of IN_ALL) {
      const { items } = await client.get<ObjectList>(listPath(kind, options));
      if (items.length === 0) continue;
      await print(
        `${shown++ > 0 ? '\n' : ''}${await printed(client, kind, items, options, `${kind.toLowerCase()}/`)}\n`,
      );
    }
    return;
  }
  const custom = findKind(word.split('/', 1)[0] ?? '') === undefined ? await customKind(client, word) : undefined;
  if (custom) return getCustom(client, custom, word.split('/', 2)[1] ?? name, options);
  const target = parseTarget(word, name);
  if (KINDS[target.kind].namespaced) inOneNamespace(target.name, options.allNamespaces);
  if (target.name !== undefined) {
    const object = await client.get<KubeObject>(
      `${objectPath(target.kind, options.namespace, target.name)}${options.reveal ? '?reveal=true' : ''}`,
    );
    if (await printData(asShown(object, options), options.output)) return;
    await print(`${await printed(client, target.kind, [object], options)}\n`);
    return;
  }
  const list = await client.get<ObjectList>(listPath(target.kind, options));
  const data = { ...list, items: list.items.map((item) => asShown(item, options)) };
  if (await printData(data, options.output)) return;
  if (list.items.length === 0) {
    progress(
      `No ${KINDS[target.kind].plural} found${KINDS[target.kind].namespaced && !options.allNamespaces ? ` in namespace ${options.namespace}` : ''}.`,
    );
    return;
  }
  await print(`${await printed(client, target.kind, list.items, options)}\n`);
}

async function getCustom(
  client: ControlPlaneClient,
  kind: CustomKind,
  name: string | undefined,
  options: GetOptions,
): Promise<void> {
  if (kind.namespaced) inOneNamespace(name, options.allNamespaces);
  const namespace = options.allNamespaces ? undefined : options.namespace;
  const path = pathOf(kind, namespace, name);
  if (name !== undefined) {
    const object = await client.get<Unstructured>(path);
    if (!(await printData(asShown(object, options), options.output)))
      await print(`${customText(kind, [object], options)}\n`);
    return;
  }
  const list = await client.get<CustomObjectList>(withSelector(path, options));
  if (await printData({ ...list, items: list.items.map((item) => asShown(item, options)) }, options.output)) return;
  if (list.items.length === 0) {
    progress(
      `No ${kind.plural} found${kind.namespaced && !options.allNamespaces ? ` in namespace ${options.namespace}` : ''}.`,
    );
    return;
  }
  await print(`${customText(kind, list.items, options)}\n`);
}

/** The kind that a word names among those that definitions bring along; undefined where there is none. */
export async function customKind(client: ControlPlaneClient, word: string): Promise<CustomKind | undefined> {
  const [kind = ''] = word.split('/', 1);
  try {
    const { items } = await client.get<ObjectList>(objectPath('CustomResourceDefinition', undefined));
    return definedKinds(items as readonly CustomResourceDefinition[]).kinds.find(kind);
  } catch (error) {
    throw new CliFailure(
      2,
      `${JSON.stringify(kind)} is no built-in kind, and which others there are is not known: ${errorText(error)}`,
    );
  }
}

function customText(kind: CustomKind, objects: readonly Unstructured[], options: GetOptions): string {
  if (options.output === 'name') return objects.map(({ metadata }) => `${kind.resource}/${metadata.name}`).join('\n');
  const now = new Date();
  const version = kind.versions.find(({ name }) => name === kind.version) ?? kind.versions[0];
  const columns = customColumns(version ?? {}).filter(({ wide }) => !wide || options.output === 'wide');
  const isWithNamespace = options.allNamespaces === true && kind.namespaced;
  return table(
    [...(isWithNamespace ? ['NAMESPACE'] : []), ...columns.map(({ heading }) => heading)],
    objects.map((object) => [
      ...(isWithNamespace ? [object.metadata.namespace ?? ''] : []),
      ...columns.map((column) => column.cell(object, now)),
    ]),
  );
}

function asShown<T extends AnyObject>(object: T, options: GetOptions): T {
  if (options.showManagedFields || object.metadata.managedFields === undefined) return object;
  const { managedFields: _owners, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function listPath(kind: Kind, options: GetOptions): string {
  const path = objectPath(kind, options.allNamespaces ? undefined : options.namespace);
  return withSelector(path, options);
}

function withSelector(path: string, { selector }: GetOptions): string {
  return selector === undefined ? path : `${path}?labelSelector=${encodeURIComponent(selector)}`;
}

async function printed(
  client: ControlPlaneClient,
  kind: Kind,
  objects: readonly KubeObject[],
  options: GetOptions,
  prefix = '',
): Promise<string> {
  if (options.output === 'name') return objects.map((o) => `${kind.toLowerCase()}/${o.metadata.name}`).join('\n');
  const now = new Date();
  const unheard =
    kind === 'Pod' ? await unheardUnder(client, objects as readonly Pod[], now) : new Map<string, string>();
  for (const sentence of unheard.values()) progress(sentence);
  const { headings, rows } = rowsOf(kind, inOrder(kind, objects) as readonly ObjectsByKind[typeof kind][], {
    wide: options.output === 'wide',
    namespace: options.allNamespaces === true && KINDS[kind].namespaced,
    now,
    unheard: new Set(unheard.keys()),
  });
  const at = headings.indexOf('NAME');
  return table(
    headings,
    rows.map((row) => row.map((cell, i) => (i === at ? prefix + cell : cell))),
  );
}

async function unheardUnder(
  client: ControlPlaneClient,
  pods: readonly Pod[],
  now: Date,
): Promise<ReadonlyMap<string, string>> {
  if (!pods.some(({ spec }) => spec.nodeName !== undefined)) return new Map();
  const { items } = await client.get<ObjectList>(objectPath('Node', undefined));
  return unheardNodes(items as readonly Node[], pods, now);
}

/** What comes by key, as its kind is listed. */
export function inOrder(kind: Kind, objects: readonly KubeObject[]): readonly KubeObject[] {
  const { listed } = descriptorOf(kind);
  return listed === 'by key' ? objects : objects.toSorted((a, b) => listed.compare(a, b));
}

/** As kubectl's flag of that name says them. */
const CASCADES: ReadonlyMap<string, string> = new Map([
  ['background', 'Background'],
  ['foreground', 'Foreground'],
  ['orphan', 'Orphan'],
]);

function propagationOf(cascade: string): string {
  const policy = CASCADES.get(cascade);
  if (policy === undefined)
    throw new CliFailure(2, `--cascade ${cascade} is unknown`, `write one of ${[...CASCADES.keys()].join(', ')}`);
  return policy;
}

export interface DeletePodOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly cascade?: string;
  /** In place of the pod's own. */
  readonly gracePeriod?: number;
  /** Does not wait for the node's word that the pod has ended. */
  readonly force?: boolean;
}

const FORCED =
  'warning: the pod is forgotten without its node having said that it ended: it may go on running there. Where two of it must never run, make sure that it does not (power off, fencing)\n';

/** `plumb delete pod/NAME`. */
export async function deletePod(word: string, options: DeletePodOptions): Promise<void> {
  const { kind, name } = parseObject(word, 'plumb delete pod/web-5d4f');
  if (kind !== 'Pod')
    throw new CliFailure(2, 'only pods are deleted here', 'remove anything else from its file in Git, commit and push');
  const query = new URLSearchParams(
    options.cascade === undefined ? [] : [['propagationPolicy', propagationOf(options.cascade)]],
  );
  const seconds = gracePeriodOf(options);
  if (seconds !== undefined) query.set('gracePeriodSeconds', String(seconds));
  if (options.force) tell(FORCED);
  const path = objectPath('Pod', options.namespace, name);
  await controlPlane(options.home).send('DELETE', query.size > 0 ? `${path}?${query.toString()}` : path);
  await print(options.force ? `pod/${name} was deleted by force\n` : `pod/${name} is being deleted\n`);
}

/** As kubectl: by force none, and none is asked for by force alone; otherwise 0 is read as 1. */
function gracePeriodOf({ gracePeriod, force }: DeletePodOptions): number | undefined {
  if (force && gracePeriod !== undefined && gracePeriod > 0)
    throw new CliFailure(2, '--force waits for nothing', 'leave out --grace-period, or --force');
  if (force) return 0;
  return gracePeriod === 0 ? 1 : gracePeriod;
}
