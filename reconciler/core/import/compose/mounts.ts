/** Volumes, tmpfs, configs and secrets of a service. Source: Compose specification, "volumes", "configs", "secrets". */
import type { Position } from '../../manifests/index.ts';
import { equal } from '../../fields/json.ts';
import { Fields } from '../fields.ts';
import { emptyMap, textOf, within, type Located, type LocatedMap } from '../located.ts';
import { dnsLabel } from '../names.ts';
import { pathFrom, type ConfigFiles, type Project } from './project.ts';
import { byteQuantity } from './values.ts';

export interface Mounts {
  readonly volumes: Record<string, unknown>[];
  readonly mounts: Record<string, unknown>[];
  /** Whether two pods at the same time could be in each other's way, or be kept apart. */
  readonly keepsData: boolean;
}

interface Mount {
  readonly at: Position;
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly subPath?: string | undefined;
  readonly propagation?: string | undefined;
  readonly size?: string | undefined;
}

const SOCKET = /(?:^|\/)(?:docker|podman|containerd)\.sock$/;
const PROPAGATION: ReadonlyMap<string, string> = new Map([
  ['rshared', 'Bidirectional'],
  ['shared', 'Bidirectional'],
  ['rslave', 'HostToContainer'],
  ['slave', 'HostToContainer'],
]);

export function mountsOf(service: Fields, project: Project): Mounts {
  const collected = new Collector(service.where, project);
  for (const item of service.list('volumes')) {
    const mount = readMount(item, service.where, project);
    if (mount) collected.add(mount);
  }
  for (const { at, source } of service.scalars('tmpfs')) {
    const [target = '', options = ''] = source.split(':');
    collected.add({ at, type: 'tmpfs', source: '', target, readOnly: false, size: /size=(\w+)/.exec(options)?.[1] });
  }
  for (const item of service.list('configs')) collected.addFile(item, 'configs');
  for (const item of service.list('secrets')) collected.addFile(item, 'secrets');
  const shared = service.scalar('shm_size');
  if (shared)
    collected.add({
      at: shared.at,
      type: 'tmpfs',
      source: '',
      target: '/dev/shm',
      readOnly: false,
      size: shared.source,
    });
  return collected;
}

function readMount(item: Located, where: string, project: Project): Mount | undefined {
  if (item.kind === 'map') return readLong(item, where, project);
  if (item.kind !== 'scalar') return undefined;
  const { at } = item;
  const parts = item.source.split(':');
  const options = parts.length > 2 ? (parts.pop() ?? '').split(',') : [];
  const [first = '', target] = parts;
  const readOnly = options.includes('ro');
  const propagation = options.find((option) => PROPAGATION.has(option));
  if (parts.length > 2 || (target ?? first) === '' || !(target ?? first).startsWith('/')) {
    project.report.invalid(at, `${where}.volumes: this is no mount that can be carried over`, 'write SOURCE:/TARGET');
    return undefined;
  }
  if (target === undefined) return { at, type: 'anonymous', source: '', target: first, readOnly };
  const type = /^[.~/]/.test(first) ? 'bind' : 'volume';
  return { at, type, source: first, target, readOnly, propagation };
}

function readLong(map: LocatedMap, where: string, project: Project): Mount | undefined {
  const fields = new Fields(map, `${where}.volumes`, project.report);
  const type = fields.text('type') ?? 'volume';
  const source = fields.text('source') ?? '';
  const target = fields.text('target') ?? '';
  const readOnly = fields.flag('read_only') ?? false;
  const [bind, volume, tmpfs] = [fields.map('bind'), fields.map('volume'), fields.map('tmpfs')];
  const [propagation, subPath, size] = [bind.text('propagation'), volume.text('subpath'), tmpfs.text('size')];
  fields.ignore('consistency');
  bind.ignore('create_host_path', 'selinux');
  volume.ignore('nocopy');
  for (const rest of [bind, volume, tmpfs, fields]) rest.rest();
  if (!target.startsWith('/')) {
    project.report.invalid(map.at, `${where}.volumes: target must be an absolute path`);
    return undefined;
  }
  return {
    at: map.at,
    type: type === 'volume' && source === '' ? 'anonymous' : type,
    source,
    target,
    readOnly,
    propagation,
    subPath,
    size,
  };
}

class Collector implements Mounts {
  readonly volumes: Record<string, unknown>[] = [];
  readonly mounts: Record<string, unknown>[] = [];
  keepsData = false;
  readonly #where: string;
  readonly #project: Project;

  constructor(where: string, project: Project) {
    this.#where = where;
    this.#project = project;
  }

  add(mount: Mount): void {
    const { report } = this.#project;
    switch (mount.type) {
      case 'tmpfs':
        this.#mount(mount, `tmp${mount.target}`, {
          emptyDir: { medium: 'Memory', sizeLimit: mount.size === undefined ? undefined : byteQuantity(mount.size) },
        });
        return;
      case 'anonymous':
        report.changed(mount.at, `${this.#where}: the unnamed volume at ${mount.target} goes with its pod`);
        this.#mount(mount, `data${mount.target}`, { emptyDir: {} });
        return;
      case 'bind':
        this.#bind(mount);
        return;
      case 'volume':
        this.#volume(mount);
        return;
      default:
        report.lost(mount.at, `${this.#where}: a mount of type ${mount.type} is not carried over`);
    }
  }

  /** A `config` or `secret`: short as a name, long as a map. */
  addFile(item: Located, section: 'configs' | 'secrets'): void {
    const { report, model } = this.#project;
    const fields = new Fields(item.kind === 'map' ? item : emptyMap(item.at), `${this.#where}.${section}`, report);
    const source = item.kind === 'scalar' ? item.source : (fields.text('source') ?? '');
    const folder = section === 'secrets' ? '/run/secrets/' : '/';
    const written = fields.text('target') ?? source;
    const target = written.startsWith('/') ? written : `${folder}${written}`;
    const mode = fields.text('mode');
    fields.ignore('uid', 'gid');
    fields.rest();
    const definition = model.sections[section].get(source);
    if (!definition) {
      report.missing(item.at, `${section} has no ${source}`, `add it under ${section}`);
      return;
    }
    const files =
      section === 'secrets'
        ? secretFile(source, definition, this.#project)
        : configFile(source, definition, this.#project);
    if (files)
      this.#file(item.at, files, target, mode === undefined ? undefined : Number.parseInt(mode.replace(/^0o?/, ''), 8));
  }

  #volume(mount: Mount): void {
    const definition = this.#project.model.sections.volumes.get(mount.source);
    const nfs = definition && nfsOf(definition);
    if (!definition) this.#project.report.missing(mount.at, `volumes has no ${mount.source}`, 'add it under volumes');
    this.keepsData = true;
    const name = dnsLabel(mount.source);
    const folder = definition && boundFolder(definition);
    if (folder !== undefined) this.#bind({ ...mount, source: folder });
    else if (nfs) this.#mount(mount, name, { nfs });
    else this.#mount(mount, name, { persistentVolumeClaim: { claimName: this.#project.claim(name) } });
  }

  #bind(mount: Mount): void {
    const { report } = this.#project;
    const { at, source } = mount;
    if (SOCKET.test(source)) {
      const hint =
        'nodes run containerd, and what may speak to it owns the node; use what this program has for Kubernetes';
      report.lost(at, `${this.#where} wants the socket of the container engine, ${source}`, hint);
      return;
    }
    if (source.startsWith('/')) {
      report.changed(
        at,
        `${source} is taken from the node that the pod runs on (hostPath)`,
        'it has to be there on each node, or use a claim',
      );
      this.keepsData ||= !mount.readOnly;
      this.#mount(mount, `host${source}`, { hostPath: { path: source } });
      return;
    }
    const path = source.startsWith('~') ? undefined : pathFrom(at, source);
    const files = path === undefined ? undefined : this.#project.filesAt(path, at);
    if (path !== undefined && files) {
      if (!mount.readOnly)
        report.changed(
          at,
          `${source} can only be read at ${mount.target}: it comes from Git`,
          'where the container writes to it, use a claim',
        );
      const isFile = this.#project.tree.texts.has(path);
      if (isFile) this.#file(at, files, mount.target);
      else this.#mount({ ...mount, readOnly: true }, files.name, filesVolume(files));
      return;
    }
    const name = dnsLabel(source.replace(/^[.~/]+/, ''), 'data');
    report.changed(
      at,
      `${source} is a place on the machine that Compose ran on; it becomes the claim ${name}`,
      'copy its data into the volume, or use hostPath',
    );
    this.keepsData = true;
    this.#mount(mount, name, { persistentVolumeClaim: { claimName: this.#project.claim(name) } });
  }

  #file(at: Position, files: ConfigFiles, target: string, mode?: number): void {
    const subPath = files.items?.[0]?.path ?? files.key;
    const volume = filesVolume(files, Number.isInteger(mode) ? mode : undefined);
    this.#mount({ at, type: 'file', source: '', target, readOnly: true, subPath }, files.name, volume);
  }

  /** One volume may be mounted at several places. */
  #mount(mount: Mount, wanted: string, source: Record<string, unknown>): void {
    const name = this.#volumeOf(dnsLabel(wanted), source);
    if (this.mounts.some(({ mountPath }) => mountPath === mount.target)) {
      this.#project.report.changed(mount.at, `${this.#where}: ${mount.target} is mounted twice; the first is kept`);
      return;
    }
    this.mounts.push({
      name,
      mountPath: mount.target,
      subPath: mount.subPath,
      readOnly: mount.readOnly || undefined,
      mountPropagation: PROPAGATION.get(mount.propagation ?? ''),
    });
  }

  #volumeOf(wanted: string, source: Record<string, unknown>): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted.slice(0, 59)}-${n}`;
      const known = this.volumes.find((volume) => volume['name'] === name);
      if (known && !equal(known, { name, ...source })) continue;
      if (!known) this.volumes.push({ name, ...source });
      return name;
    }
  }
}

function filesVolume(files: ConfigFiles, defaultMode?: number): Record<string, unknown> {
  const { name, items } = files;
  return files.secret
    ? { secret: { secretName: name, defaultMode, items } }
    : { configMap: { name, defaultMode, items } };
}

/** A named volume that is a folder of the machine. */
function boundFolder(definition: LocatedMap): string | undefined {
  const device = textOf(within(definition, 'driver_opts', 'device'));
  return /(?:^|,)bind(?:,|$)/.test(textOf(within(definition, 'driver_opts', 'o')) ?? '') ? device : undefined;
}

function nfsOf(definition: LocatedMap): { server: string; path: string; readOnly?: true } | undefined {
  const option = (name: string): string => textOf(within(definition, 'driver_opts', name)) ?? '';
  const server = /(?:^|,)addr=([^,]+)/.exec(option('o'))?.[1];
  const path = option('device').replace(/^[^/]*:/, '');
  if (!/^nfs4?$/.test(option('type')) || server === undefined || !path.startsWith('/')) return undefined;
  return { server, path, ...(/(?:^|,)ro(?:,|$)/.test(option('o')) && { readOnly: true }) };
}

function configFile(name: string, definition: LocatedMap, project: Project): ConfigFiles | undefined {
  const fields = new Fields(definition, `configs.${name}`, project.report);
  const file = fields.scalar('file');
  if (file) {
    const path = pathFrom(file.at, file.source);
    const files = path === undefined ? undefined : project.filesAt(path, file.at);
    if (!files)
      project.report.missing(file.at, `the file ${file.source} of config ${name} is not there, or no small text`);
    return files;
  }
  const content = fields.scalar('content');
  const map = dnsLabel(name);
  if (content?.parts) {
    const value = content.parts.map((part) => (typeof part === 'string' ? part : (part.value ?? ''))).join('');
    project.secretKey(map, { secret: map, value }, content.at);
    return { name: map, key: map, secret: true };
  }
  if (content) return { name: project.configMap(map, { [map]: content.source }), key: map, secret: false };
  project.report.lost(
    definition.at,
    `the contents of config ${name} are not in the file`,
    `write a ConfigMap ${map} with the key ${map}`,
  );
  return { name: map, key: map, secret: false };
}

function secretFile(name: string, definition: LocatedMap, project: Project): ConfigFiles {
  const fields = new Fields(definition, `secrets.${name}`, project.report);
  const secret = dnsLabel(name);
  const file = fields.scalar('file');
  const path = file && pathFrom(file.at, file.source);
  const variable = fields.text('environment');
  const value =
    path !== undefined
      ? project.tree.texts.get(path)
      : variable === undefined
        ? undefined
        : project.model.variables.get(variable)?.value;
  project.secretKey(secret, { secret, value }, definition.at);
  return { name: secret, key: secret, secret: true };
}
