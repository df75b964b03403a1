/** A HelmRelease as an App. Source: Flux, HelmRelease API v2. */
import { readLocated, isNothing, plainOf, textOf, within, type Located, type LocatedMap } from '../located.ts';
import { Fields } from '../fields.ts';
import type { AppDraft } from '../apps.ts';
import { overlaid } from '../kustomize/patch.ts';
import type { Found, Generated } from '../kustomize/walk.ts';
import { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';
import { keyOf, nameOf, namespaceOf } from './objects.ts';
import type { Sources } from './source.ts';
import { substituted, variablesIn, type Substitutes } from './substitution.ts';

type Json = Readonly<Record<string, unknown>>;

export interface ReleaseContext {
  readonly sources: Sources;
  readonly tree: SourceTree;
  readonly generated: readonly Generated[];
  /** ConfigMaps of the tree, by name. */
  readonly configMaps: ReadonlyMap<string, LocatedMap>;
  /** Of the Kustomization that has the release. */
  readonly substitutes: Substitutes;
  /** Where variables come from that are not known here. */
  readonly secretSubstitutes: readonly Json[];
  readonly keys: readonly string[];
  readonly dependsOn: AppDraft['dependsOn'];
  readonly prune: boolean | undefined;
  /** Generated ConfigMaps that became files of values are noted here. */
  readonly usedGenerators: Set<string>;
  readonly needNamespace: (name: string) => void;
  readonly report: Report;
}

/** What a release says about the way it is installed and nothing about what: our sync does it in its own way. */
const HOW = [
  'interval',
  'timeout',
  'maxHistory',
  'rollback',
  'uninstall',
  'test',
  'driftDetection',
  'persistentClient',
  'waitStrategy',
];

export function releaseApp(found: Found, context: ReleaseContext): AppDraft | undefined {
  const { report, sources } = context;
  const name = nameOf(found);
  const namespace = namespaceOf(found) ?? 'default';
  const where = `HelmRelease ${name}: spec`;
  const written = within(found.object, 'spec');
  if (written?.kind !== 'map') {
    report.invalid(found.object.at, `HelmRelease ${name} has no spec`);
    return undefined;
  }
  const isKnown = context.secretSubstitutes.length === 0;
  const spec = new Fields(substituted(written, context.substitutes, isKnown) as LocatedMap, where, report);
  if (spec.flag('suspend') === true) {
    report.lost(
      found.object.at,
      `HelmRelease ${name} is suspended, and left out`,
      'set suspend: false, and import again',
    );
    return undefined;
  }
  const place = sources.placeOf(spec, namespace);
  const target = spec.text('targetNamespace');
  const releaseName = spec.text('releaseName') ?? (target === undefined ? name : `${target}-${name}`);
  const [install, upgrade] = [spec.map('install'), spec.map('upgrade')];
  if (install.flag('createNamespace') === true) context.needNamespace(target ?? namespace);
  const includeCRDs = install.text('crds') === 'Skip' ? false : undefined;
  for (const part of [install, upgrade])
    part.ignore(
      'remediation',
      'strategy',
      'timeout',
      'crds',
      'disableWait',
      'disableWaitForJobs',
      'replace',
      'force',
      'cleanupOnFail',
      'preserveValues',
      'disableTakeOwnership',
      'disableOpenAPIValidation',
      'disableSchemaValidation',
      'serverSideApply',
      'disableHooks',
    );
  install.rest();
  upgrade.rest();
  const values = valuesOf(spec, namespace, context);
  const dependsOn = spec.list('dependsOn').flatMap((item) => {
    const on = textOf(within(item, 'name'));
    const from = textOf(within(item, 'namespace')) ?? namespace;
    return on === undefined ? [] : [{ key: keyOf('HelmRelease', from, on), at: item.at }];
  });
  spec.ignore(...HOW);
  spec.rest({
    postRenderers: 'an App has a chart or a kustomization, not both',
    kubeConfig: 'there is one cluster',
    serviceAccountName: 'objects are applied by the control plane',
    storageNamespace: 'releases are not stored: Git has them',
    commonMetadata: 'the chart has a value for labels, as a rule',
  });
  if (!place) return undefined;
  const open = variablesIn(written);
  for (const known of context.substitutes.keys()) open.delete(known);
  const substitute = open.size > 0 && !isKnown ? { from: context.secretSubstitutes, strict: false } : undefined;
  if (substitute)
    report.changed(
      found.object.at,
      `variables of HelmRelease ${name} are replaced in what its chart makes, not in its values: ${[...open].slice(0, 8).join(', ')}`,
      'a chart that looks at such a value sees ${...}; one of a Secret may go into Secrets alone: a domain and the like belong in a ConfigMap',
    );
  return {
    keys: [keyOf('HelmRelease', namespace, name), ...context.keys],
    name,
    otherName: `${target ?? namespace}-${name}`,
    at: found.object.at,
    namespace: target ?? namespace,
    path: 'path' in place ? place.path : undefined,
    helm: { chart: 'chart' in place ? place.chart : undefined, releaseName, ...values, includeCRDs },
    substitute,
    dependsOn: [...dependsOn, ...context.dependsOn],
    prune: context.prune,
  };
}

interface Values {
  readonly valuesFiles: readonly string[];
  readonly valuesFrom: readonly Json[];
  readonly values: Json;
}

/** Values of the release, and what it takes from ConfigMaps that the import can read. Later ones win, its own last. */
function valuesOf(spec: Fields, namespace: string, context: ReleaseContext): Values {
  const valuesFiles: string[] = [];
  const valuesFrom: Json[] = [];
  let merged: Located | undefined;
  for (const item of spec.list('valuesFrom')) {
    if (item.kind !== 'map') continue;
    const fields = new Fields(item, `${spec.where}.valuesFrom`, context.report);
    const kind = fields.text('kind') ?? '';
    const name = fields.text('name') ?? '';
    const key = fields.text('valuesKey') ?? 'values.yaml';
    const targetPath = fields.text('targetPath');
    fields.ignore('literal', 'optional');
    fields.rest();
    const generated = context.generated.find((each) => each.kind === kind && each.name === name && each.files.has(key));
    const file = generated?.files.get(key);
    const inTree = kind === 'ConfigMap' ? within(context.configMaps.get(name), 'data', key) : undefined;
    if (generated && file !== undefined && context.tree.texts.has(file) && targetPath === undefined) {
      context.usedGenerators.add(`${generated.folder} ${name}`);
      valuesFiles.push(file);
    } else if (inTree?.kind === 'scalar' && targetPath === undefined) {
      const [read] = readLocated(inTree.at.file, inTree.source, new Report());
      if (read) merged = merged ? overlaid(merged, read) : read;
    } else {
      valuesFrom.push({
        kind,
        name,
        valuesKey: key === 'values.yaml' ? undefined : key,
        targetPath,
        optional: true,
      });
      context.report.changed(
        item.at,
        `${kind} ${name} in ${namespace} has values of this chart`,
        kind === 'Secret'
          ? 'Helm is given nothing that is encrypted: where the chart takes the name of a Secret, write an encrypted one; until then it is made without these values'
          : 'write it there as a manifest that no App renders; until then the chart is made without it',
      );
    }
  }
  const own = spec.take('values')?.value;
  const all = own && merged ? overlaid(merged, own) : (own ?? merged);
  const plain = all && !isNothing(all) ? plainOf(all) : {};
  return { valuesFiles, valuesFrom, values: plain as Json };
}
