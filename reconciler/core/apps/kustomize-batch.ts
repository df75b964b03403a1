/**
 * Many Apps through one call of Kustomize: it takes ten times as long to start as to render one of them.
 *
 * Each has its files in a folder of its own, and the objects are told apart by the origin that Kustomize notes. Two things
 * Kustomize does for the whole of a call, so that one App could change what another becomes: it refuses two objects of one
 * name, and it follows names that were changed into the objects that refer to them. Where that may have happened, and
 * where anything fails, nobody is believed, and each is rendered by itself: an App becomes the same in any company.
 * Source: kustomize, api/internal/target/kusttarget.go (makeCustomizedResMap), api/resmap/reswrangler.go
 * (SubsetThatCouldBeReferencedByResource), api/filters/nameref.
 */
import { createHash } from 'node:crypto';
import { CALL_ROOT, type CallFile, type EngineCall } from './engine.ts';
import { splitDocuments, withoutOrigin, type RenderedDocument } from './documents.ts';

/** Apps of one call: its cost grows with the square of their objects. */
export const MAX_TOGETHER = 25;
/** Files of one call, and what it makes, in bytes. An App with more is rendered by itself. */
export const MAX_TOGETHER_BYTES = 2 * 1024 * 1024;

/** The folder of the kustomization that names all of them. */
const ALL = 'all';

/** One App of a call. */
export interface Member {
  /** Hash of the App's call and of all that it reads. */
  readonly key: string;
  /** Folder of its own kustomization among {@link files}. */
  readonly folder: string;
  readonly files: readonly CallFile[];
}

/** In a kustomization: what changes how Kustomize goes about all of the call, or how names are followed. */
const SETTINGS =
  /\b(?:configurations|crds|openapi|vars|replacements|transformers|generators|validators|allowNameChange|allowKindChange)\b/;
/**
 * Anywhere: a patch of a name, after which the former one is not to be seen; notes of Kustomize itself; and what may be one
 * of these in other letters.
 */
const NAMES =
  /\/metadata(?:\/name\b|\/?["'\s,}\]]|$)|\bpath["']?\s*:\s*(?:""|''|$)|config\.kubernetes\.io\/(?!depends-on\b)|\\(?:[uUx]|\r?$)/m;

/**
 * Whether an App may be rendered with others. A word too many costs a call of its own, no more. `kustomizations`: texts of
 * those in its folders; `others`: of all else that it reads, and of what is made for it.
 */
export function mayShareCall(kustomizations: readonly string[], others: readonly string[]): boolean {
  return (
    !kustomizations.some((text) => SETTINGS.test(text)) &&
    ![...kustomizations, ...others].some((text) => NAMES.test(text))
  );
}

/** One call for all of them. */
export function callTogether(members: readonly Member[]): EngineCall {
  const roots = rootsOf(members);
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: members.map(({ folder }, i) => `../${roots[i] ?? ''}/${folder}`),
    buildMetadata: ['originAnnotations'],
  };
  return {
    engine: 'kustomize',
    args: [`${CALL_ROOT}/${ALL}`],
    files: [
      { path: `${ALL}/kustomization.yaml`, bytes: new TextEncoder().encode(JSON.stringify(kustomization)) },
      ...members.flatMap(({ files }, i) =>
        files.map(({ path, bytes }) => ({ path: `${roots[i] ?? ''}/${path}`, bytes })),
      ),
    ],
  };
}

/** The output's documents by the member's key, as each has them alone; without those that others may have changed. */
export function takeApart(
  members: readonly Member[],
  output: string,
): ReadonlyMap<string, readonly RenderedDocument[]> {
  const roots = rootsOf(members);
  const made = new Map(roots.map((root) => [root, [] as RenderedDocument[]]));
  for (const text of splitDocuments(output)) {
    const { file, ...document } = withoutOrigin(text, ALL);
    const root = file?.split('/', 1)[0] ?? '';
    const own = made.get(root);
    // Somebody's object says that it is nobody's.
    if (!own || file === undefined) return new Map();
    own.push({ ...document, file: file.slice(root.length + 1) });
  }
  const companies = members.map(({ key }, i) => {
    const documents = made.get(roots[i] ?? '') ?? [];
    return { key, documents, company: companyOf(documents) };
  });
  const [words, targets] = [sum(companies, ({ words }) => words.size), sum(companies, ({ targets }) => targets.length)];
  if (words * targets > MAX_COMPARED) return new Map();
  return new Map(
    companies
      .filter(
        ({ company }) => !companies.some((other) => other.company !== company && mayRefer(company, other.company)),
      )
      .map(({ key, documents }) => [key, documents]),
  );
}

/** Words with names: what may be compared before a call of their own costs less. */
const MAX_COMPARED = 1_000_000;

/**
 * A folder for each. What all of them read goes in, so that no file can name the folder of another: who writes an origin into
 * an object by himself would give it to that one.
 */
function rootsOf(members: readonly Member[]): readonly string[] {
  const all = members.map(({ key }) => key).join('');
  return members.map(({ key }) => createHash('sha256').update(all).update(key).digest('hex').slice(0, 32));
}

function sum(companies: readonly { readonly company: Company }[], of: (company: Company) => number): number {
  return companies.reduce((total, { company }) => total + of(company), 0);
}

/** Kinds that Kustomize looks for when it follows a name. Source: kustomize, builtinpluginconsts/namereference.go. */
const TARGETS: ReadonlySet<string> = new Set([
  ...['ConfigMap', 'Secret', 'Service', 'ServiceAccount', 'PersistentVolumeClaim', 'Role'],
  ...['Deployment', 'ReplicationController', 'ReplicaSet', 'StatefulSet'],
]);
const CLUSTER_TARGETS: ReadonlySet<string> = new Set([
  ...['ClusterRole', 'PersistentVolume', 'StorageClass', 'PriorityClass', 'IngressClass'],
]);
/** Kinds whose names are looked for in all namespaces. */
const FAR_SIGHTED: ReadonlySet<string> = new Set([
  ...['RoleBinding', 'ClusterRoleBinding', 'ClusterRole', 'StorageClass', 'PersistentVolume', 'APIService', 'Node'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
]);

/** What counts of an App for others in its call. */
interface Company {
  readonly seesAll: boolean;
  readonly namespaces: ReadonlySet<string>;
  /** All that may be a name, or a former one, in its objects. */
  readonly words: ReadonlySet<string>;
  /** Objects that a name may lead to; `namespace` is undefined where all see them. */
  readonly targets: readonly { readonly name: string; readonly namespace: string | undefined }[];
}

function companyOf(documents: readonly RenderedDocument[]): Company {
  const words = new Set<string>();
  const namespaces = new Set<string>();
  const targets: { name: string; namespace: string | undefined }[] = [];
  let seesAll = false;
  for (const { text } of documents) {
    for (const [word] of text.matchAll(/[\w.:-]+/g)) words.add(word);
    const { kind, name, namespace } = identityIn(text);
    if (FAR_SIGHTED.has(kind)) seesAll = true;
    namespaces.add(namespace);
    if (CLUSTER_TARGETS.has(kind)) targets.push({ name, namespace: undefined });
    else if (TARGETS.has(kind)) targets.push({ name, namespace });
  }
  return { seesAll, namespaces, words, targets };
}

/**
 * Whether a name in `one` may have been taken for that of an object of `other`. A changed name has the former one in it, by
 * prefix, suffix and hash.
 */
function mayRefer(one: Company, other: Company): boolean {
  const seen = other.targets.filter(
    ({ namespace }) => namespace === undefined || one.seesAll || one.namespaces.has(namespace),
  );
  return seen.some(({ name }) => [...one.words].some((word) => name.includes(word)));
}

/** Kustomize prints these fields one to a line, with two spaces a level. */
function identityIn(text: string): { readonly kind: string; readonly name: string; readonly namespace: string } {
  let [kind, name, namespace, inMetadata] = ['', '', '', false];
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) inMetadata = line === 'metadata:';
    if (line.startsWith('kind: ')) kind = plain(line.slice('kind: '.length));
    if (inMetadata && line.startsWith('  name: ')) name = plain(line.slice('  name: '.length));
    if (inMetadata && line.startsWith('  namespace: ')) namespace = plain(line.slice('  namespace: '.length));
  }
  return { kind, name, namespace: namespace === '' ? 'default' : namespace };
}

function plain(value: string): string {
  return value.trim().replace(/^(["'])(.*)\1$/, '$2');
}
