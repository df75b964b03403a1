/** A Kustomization of Flux as an App. Source: Flux, Kustomization API v1. */
import type { Position } from '../../manifests/index.ts';
import { readKey } from '../../../../contracts/objects/index.ts';
import { isObject } from '../../fields/json.ts';
import type { AppDraft } from '../apps.ts';
import { Fields } from '../fields.ts';
import { emptyMap, plainOf, textOf, within, type LocatedMap } from '../located.ts';
import type { Patch } from '../kustomize/patch.ts';
import { patchesOf, type Found, type KustomizeWalk } from '../kustomize/walk.ts';
import { dnsLabel, resolvePath } from '../names.ts';
import type { Report } from '../report.ts';
import { isSecretVariable } from '../secret-names.ts';
import { isFluxPatch, keyOf, nameOf, namespaceOf, DEFAULT_NAMESPACE } from './objects.ts';
import type { Sources } from './source.ts';

type Json = Readonly<Record<string, unknown>>;

export interface FluxKustomization {
  readonly name: string;
  readonly key: string;
  readonly at: Position;
  /** Folder of the tree; undefined where it is of another repository, or not there. */
  readonly path: string | undefined;
  readonly targetNamespace: string | undefined;
  readonly patches: readonly Patch[];
  readonly parameters: Json | undefined;
  /** Folders of components, by their place from `path`. */
  readonly components: readonly string[];
  readonly substitutes: ReadonlyMap<string, string>;
  /** In the order of Flux: later ones win, inline ones last. */
  readonly substituteFrom: readonly {
    readonly kind: string;
    readonly name: string;
    readonly optional?: true | undefined;
  }[];
  readonly isSubstituting: boolean;
  readonly dependsOn: AppDraft['dependsOn'];
  readonly prune: boolean;
}

/** How Flux applies, and nothing of what. */
const HOW = [
  'interval',
  'retryInterval',
  'timeout',
  'wait',
  'force',
  'healthChecks',
  'healthCheckExprs',
  'deletionPolicy',
];

export function readFluxKustomization(
  found: Found,
  walk: KustomizeWalk,
  sources: Sources,
  report: Report,
): FluxKustomization | undefined {
  const name = nameOf(found);
  const namespace = namespaceOf(found) ?? DEFAULT_NAMESPACE;
  const written = within(found.object, 'spec');
  const map: LocatedMap = written?.kind === 'map' ? written : emptyMap(found.object.at);
  const spec = new Fields(map, `Kustomization ${name}: spec`, report);
  if (spec.flag('suspend') === true) {
    report.lost(
      found.object.at,
      `Kustomization ${name} is suspended, and left out`,
      'set suspend: false, and import again',
    );
    return undefined;
  }
  const path = pathOf(spec, name, walk, sources, report);
  const decryption = spec.take('decryption');
  if (decryption)
    report.changed(
      decryption.at,
      `Secrets of Kustomization ${name} are encrypted with SOPS; they are read as they are`,
      'give their age identity to the control plane: `plumb up --age-key FILE`',
    );
  const targetNamespace = spec.text('targetNamespace');
  const prune = spec.flag('prune') ?? false;
  const patches = patchesOf(map, '', walk);
  const components = spec.texts('components');
  const parameters = parametersOf(spec, map, walk);
  const postBuild = spec.map('postBuild');
  const substitutes = postBuild.map('substitute');
  const isSubstituting = substitutes.entries().length > 0 || postBuild.has('substituteFrom');
  const substituteFrom = postBuild.list('substituteFrom').map((item) => ({
    kind: textOf(within(item, 'kind')) ?? '',
    name: textOf(within(item, 'name')) ?? '',
    optional: textOf(within(item, 'optional')) === 'true' ? (true as const) : undefined,
  }));
  postBuild.rest();
  const inline = inlineVariables(substitutes, name, report);
  if (inline.hidden) substituteFrom.push({ kind: 'Secret', name: variablesSecret(name), optional: true });
  const dependsOn = spec.list('dependsOn').flatMap((item) => {
    const on = textOf(within(item, 'name'));
    const from = textOf(within(item, 'namespace')) ?? namespace;
    return on === undefined ? [] : [{ key: keyOf('Kustomization', from, on), at: item.at }];
  });
  spec.ignore(...HOW);
  spec.rest({ kubeConfig: 'there is one cluster', serviceAccountName: 'objects are applied by the control plane' });
  return {
    name,
    key: keyOf('Kustomization', namespace, name),
    at: found.object.at,
    path,
    targetNamespace,
    patches,
    parameters,
    components,
    substitutes: inline.plain,
    substituteFrom,
    isSubstituting,
    dependsOn,
    prune,
  };
}

function pathOf(spec: Fields, name: string, walk: KustomizeWalk, sources: Sources, report: Report): string | undefined {
  const source = spec.map('sourceRef');
  const [kind, named] = [source.text('kind') ?? '', source.text('name') ?? ''];
  source.ignore('namespace', 'apiVersion');
  source.rest();
  const path = spec.scalar('path');
  if (!sources.isOwn(kind, named)) {
    report.lost(
      source.at,
      `Kustomization ${name} is of ${kind} ${named}, another source`,
      kind === 'GitRepository'
        ? 'copy its files into this repository, or name it in spec.source of an App'
        : 'copy its files into this repository',
    );
    return undefined;
  }
  const folder = resolvePath('', path?.source ?? './');
  if (folder !== undefined && walk.folders.has(folder)) return folder;
  report.missing(
    path?.at ?? spec.at,
    `Kustomization ${name} is of the folder ${path?.source ?? ''}, which is not there`,
    'import the root of the repository',
  );
  return undefined;
}

/** What is laid over a folder's own kustomization; patches of Flux' own objects are carried out by the import. */
function parametersOf(spec: Fields, map: LocatedMap, walk: KustomizeWalk): Json | undefined {
  const images = spec.list('images').map(plainOf);
  const commonMetadata = spec.take('commonMetadata');
  const staying = spec.list('patches').flatMap((item) => {
    const alone = { at: item.at, value: { kind: 'list', at: item.at, items: [item] } } as const;
    const patches = patchesOf({ ...map, fields: new Map([['patches', alone]]) }, '', walk);
    const patch = plainOf(item);
    return (patches.length > 0 && patches.every(isFluxPatch)) || !isObject(patch) ? [] : [patch];
  });
  spec.ignore('patchesStrategicMerge', 'patchesJson6902');
  const parameters = {
    patches:
      staying.length > 0
        ? staying.map((patch) => ({ target: readKey(patch, 'target'), patch: readKey(patch, 'patch') }))
        : undefined,
    images: images.length > 0 ? images : undefined,
    namePrefix: spec.text('namePrefix'),
    nameSuffix: spec.text('nameSuffix'),
    commonMetadata: commonMetadata && plainOf(commonMetadata.value),
  };
  return Object.values(parameters).some((value) => value !== undefined) ? parameters : undefined;
}

/** Variables that are written out; a secret one belongs into a Secret. */
function inlineVariables(
  substitutes: Fields,
  name: string,
  report: Report,
): { readonly plain: ReadonlyMap<string, string>; readonly hidden: boolean } {
  const plain = new Map<string, string>();
  let hidden = false;
  for (const [variable, { at, value }] of substitutes.entries()) {
    if (value.kind !== 'scalar') continue;
    if (!isSecretVariable(variable, value.source)) plain.set(variable, value.source);
    else {
      hidden = true;
      report.secret(
        at,
        `the variable ${variable} of Kustomization ${name} was not written`,
        `put it into the Secret ${variablesSecret(name)}, encrypted; it may go into Secrets alone`,
      );
    }
  }
  return { plain, hidden };
}

function variablesSecret(name: string): string {
  return `${dnsLabel(name)}-variables`;
}
