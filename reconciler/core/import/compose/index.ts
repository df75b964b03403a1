/** A compose file to manifests. What becomes what: docs/import.md. */
import { Fields } from '../fields.ts';
import { dnsLabel } from '../names.ts';
import { Report } from '../report.ts';
import type { Imported, OutputFile, SourceTree } from '../types.ts';
import { manifestsText, type Manifest } from '../write-yaml.ts';
import { loadCompose, type ComposeModel } from './load.ts';
import { Project, type ComposeOptions } from './project.ts';
import { readService, type ServiceParts } from './service.ts';
import { Workloads } from './workload.ts';

export type { ComposeOptions } from './project.ts';

/** More services than this are no project that somebody wrote. */
const MAX_SERVICES = 500;

/** Never throws for what the files hold. No value that looks secret is in the result, unless `plainSecrets` asks for it. */
export function importCompose(tree: SourceTree, options: ComposeOptions): Imported {
  const report = new Report();
  const model = loadCompose(tree, report, options.file);
  if (!model) return { files: [], removed: [], findings: report.sorted() };
  const project = new Project(model, tree, options, report);
  const services = [...model.sections.services]
    .filter(([name, map]) => isWanted(name, new Fields(map, `services.${name}`, report), options, report))
    .slice(0, MAX_SERVICES)
    .map(([name, map]) => readService(name, map, project));
  if (model.sections.services.size > MAX_SERVICES)
    report.tooLarge({ file: model.file, line: 1, column: 1 }, `more than ${MAX_SERVICES} services; the first are kept`);
  tellOfClashes(services, report);
  tellOfNetworks(model, report);
  tellOfVolumes(model, report);
  const workloads = new Workloads(services, project);
  const files = new Files(`apps/${project.name}`);
  if (services.length > 0) files.add('namespace', [namespace(project)]);
  for (const service of services) files.add(dnsLabel(service.name), workloads.manifestsOf(service));
  files.add('volumes', project.claims());
  files.add('config', project.configMaps());
  files.add('secrets', project.secrets());
  return { files: files.all(), removed: [], findings: report.sorted() };
}

/** A service with a profile starts in Compose only when it is asked for. */
function isWanted(name: string, service: Fields, { profiles = [] }: ComposeOptions, report: Report): boolean {
  const of = service.texts('profiles');
  if (of.length === 0 || profiles.includes('*') || of.some((profile) => profiles.includes(profile))) return true;
  report.lost(
    service.at,
    `the service ${name} starts only with the profile ${of.join(' or ')}`,
    `to have it, import with --profile ${of[0] ?? ''}`,
  );
  return false;
}

function tellOfClashes(services: readonly ServiceParts[], report: Report): void {
  const names = new Map<string, string>();
  for (const { name, at } of services) {
    const other = names.get(dnsLabel(name));
    if (other !== undefined)
      report.invalid(
        at,
        `the services ${other} and ${name} have one name here, ${dnsLabel(name)}`,
        'rename one of them',
      );
    names.set(dnsLabel(name), name);
  }
}

function tellOfNetworks(model: ComposeModel, report: Report): void {
  const networks = [...model.sections.networks].filter(([name]) => name !== 'default');
  const [first] = networks;
  if (networks.length > 1 && first)
    report.changed(first[1].at, `the ${networks.length} networks become one: every pod reaches every other`);
  for (const [name, map] of model.sections.networks) {
    const network = new Fields(map, `networks.${name}`, report);
    network.ignore('name', 'external', 'labels', 'attachable', 'enable_ipv4', 'enable_ipv6', 'ipam');
    const driver = network.scalar('driver');
    if (driver && !['bridge', 'overlay', 'default'].includes(driver.source))
      report.lost(
        driver.at,
        `networks.${name}.driver: ${driver.source} is not carried over`,
        'pods have the network of the cluster',
      );
    if (driver) network.ignore('driver_opts');
    network.rest();
  }
}

function tellOfVolumes(model: ComposeModel, report: Report): void {
  for (const [name, map] of model.sections.volumes) {
    const volume = new Fields(map, `volumes.${name}`, report);
    const driver = volume.scalar('driver');
    if (driver && driver.source !== 'local')
      report.lost(
        driver.at,
        `volumes.${name}.driver: ${driver.source} is not carried over`,
        'the claim is of the class local',
      );
    volume.ignore('driver_opts', 'name', 'external', 'labels');
    volume.rest();
  }
}

function namespace(project: Project): Manifest {
  return { object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: project.name } } };
}

/** The files of a folder; two that want one name get two. */
class Files {
  readonly #folder: string;
  readonly #files = new Map<string, OutputFile>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(name: string, manifests: readonly Manifest[]): void {
    if (manifests.length === 0) return;
    let path = `${this.#folder}/${name}.yaml`;
    for (let n = 2; this.#files.has(path); n++) path = `${this.#folder}/${name}-${n}.yaml`;
    this.#files.set(path, { path, text: manifestsText(manifests) });
  }

  all(): OutputFile[] {
    return [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}
