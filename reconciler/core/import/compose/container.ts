/** What of a service is its container. Source: Compose specification, "services"; Kubernetes v1 API, Container. */
import { parseQuantity } from '../../../../contracts/objects/index.ts';
import { signalNumber, STOP_SIGNALS } from '../../../../contracts/objects/stop-signals.ts';
import type { Fields } from '../fields.ts';
import { textAt, type Located, type LocatedScalar, type SecretPart, type TextPart } from '../located.ts';
import { dnsLabel } from '../names.ts';
import { hasPassword, isSecretVariable, secretOption } from '../secret-names.ts';
import { readEnvironmentFile } from './dotenv.ts';
import { healthProbe } from './health.ts';
import { asMap } from './merge.ts';
import type { Mounts } from './mounts.ts';
import type { Port } from './ports.ts';
import { ENV_SECRET, pathFrom, type Project } from './project.ts';
import { securityOf } from './security.ts';
import { byteQuantity, commandWords, cpuQuantity, referring } from './values.ts';

type Json = Record<string, unknown>;

export interface ContainerParts {
  readonly name: string;
  readonly ports: readonly Port[];
  readonly mounts: Mounts;
  /** The service's section of that name. */
  readonly deploy: Fields;
}

const PULL_POLICIES: ReadonlyMap<string, string> = new Map([
  ['always', 'Always'],
  ['never', 'Never'],
  ['missing', 'IfNotPresent'],
  ['if_not_present', 'IfNotPresent'],
]);

/** Compose takes names with and without `SIG`, and numbers. */
function stopSignal(service: Fields, { report }: Project): Json | undefined {
  const said = service.scalar('stop_signal');
  if (!said) return undefined;
  const word = said.source.toUpperCase();
  const name = /^\d+$/.test(word)
    ? STOP_SIGNALS.find((one) => signalNumber(one) === Number(word))
    : word.startsWith('SIG')
      ? word
      : `SIG${word}`;
  if (name !== undefined && signalNumber(name) !== undefined) return { stopSignal: name };
  report.invalid(said.at, `${service.where}.stop_signal is no signal`, 'write SIGQUIT');
  return undefined;
}

export function containerOf(service: Fields, { name, ports, mounts, deploy }: ContainerParts, project: Project): Json {
  const image = imageOf(service, name, project);
  const environment = new Environment(name, project);
  environment.addFiles(service.list('env_file'));
  const variables = service.take('environment');
  if (variables) environment.addAll(variables.value);
  const entrypoint = wordsOf(service, 'entrypoint', environment, project);
  const command = wordsOf(service, 'command', environment, project);
  if (entrypoint?.length === 0)
    project.report.lost(
      service.at,
      `${service.where}: an empty entrypoint leaves the one of the image in force`,
      'write the program into entrypoint',
    );
  const readinessProbe = healthProbe(service, project.report, (scalar) => environment.textOf(scalar));
  return {
    name: dnsLabel(name),
    image,
    imagePullPolicy: PULL_POLICIES.get(service.text('pull_policy') ?? ''),
    command: entrypoint?.length ? entrypoint : undefined,
    args: command?.length ? command : undefined,
    workingDir: service.text('working_dir'),
    lifecycle: stopSignal(service, project),
    stdin: service.flag('stdin_open') === true || undefined,
    tty: service.flag('tty') === true || undefined,
    ports: ports.length > 0 ? ports.map(containerPort) : undefined,
    envFrom: environment.from.length > 0 ? environment.from : undefined,
    env: environment.list.length > 0 ? environment.list : undefined,
    resources: resourcesOf(service, deploy, project),
    readinessProbe,
    securityContext: securityOf(service, project.report),
    volumeMounts: mounts.mounts.length > 0 ? mounts.mounts : undefined,
  };
}

function containerPort(port: Port): Json {
  return {
    containerPort: port.target,
    protocol: port.protocol === 'TCP' ? undefined : port.protocol,
    hostPort: isNodePort(port) ? undefined : port.published,
    hostIP: port.published !== undefined && !isNodePort(port) ? port.hostIP : undefined,
  };
}

/** Whether the number is one that a Service can open on every node. Source: Kubernetes, "NodePort". */
export function isNodePort({ published, hostIP }: Port): boolean {
  return published !== undefined && published >= 30_000 && published <= 32_767 && hostIP === undefined;
}

function imageOf(service: Fields, name: string, project: Project): string {
  const build = service.take('build');
  const image = service.scalar('image');
  if (image?.parts)
    project.report.invalid(image.at, `${service.where}.image has a secret in it`, 'write the name of the image');
  const built = image?.source ?? `${project.name}-${name}`;
  if (build) {
    const hint = image
      ? `push it to its registry as ${built}`
      : `push it to a registry, and write its name instead of ${built}`;
    project.report.lost(build.at, `${service.where}.build: images are not built here`, hint);
  } else if (!image) project.report.invalid(service.at, `${service.where} has neither image nor build`, 'write image');
  return built === '' ? name : built;
}

/** A command as a list of words, or a text that is split; undefined where the image's own is meant. */
function wordsOf(service: Fields, name: string, environment: Environment, project: Project): string[] | undefined {
  const field = service.take(name);
  if (!field) return undefined;
  const { value } = field;
  if (value.kind === 'map') {
    project.report.invalid(field.at, `${service.where}.${name} must be a text or a list`);
    return undefined;
  }
  if (value.kind === 'list') {
    const words = value.items.flatMap((item) => (item.kind === 'scalar' ? [environment.textOf(item)] : []));
    return withoutSecrets(words, environment, value.at);
  }
  const words = commandWords(environment.textOf(value));
  if (!words) project.report.invalid(value.at, `${service.where}.${name} has a quote that is not closed`);
  return words && withoutSecrets(words, environment, value.at);
}

/** Words with what is secret in them taken from a variable instead. */
function withoutSecrets(words: readonly string[], environment: Environment, at: LocatedScalar['at']): string[] {
  let option: string | undefined;
  return words.map((word) => {
    const before = option;
    const found = secretOption(word);
    option = found?.value === undefined ? found?.option : undefined;
    const hidden = (name: string, value: string): string => `$(${environment.addSecret(name, value, at)})`;
    if (word.includes('$(')) return word;
    if (found?.value !== undefined && found.value !== '')
      return `${word.slice(0, word.indexOf('=') + 1)}${hidden(found.option, found.value)}`;
    if (before !== undefined && !word.startsWith('-') && word !== '') return hidden(before, word);
    return hasPassword(word) ? hidden('argument', word) : word;
  });
}

/** The variables of a container. Secret ones are keys of Secrets: they come first, so that others can name them. */
class Environment {
  readonly from: Json[] = [];
  readonly #name: string;
  readonly #project: Project;
  readonly #secrets = new Map<string, Json>();
  readonly #plain = new Map<string, Json>();

  constructor(name: string, project: Project) {
    this.#name = name;
    this.#project = project;
  }

  get list(): readonly Json[] {
    return [...this.#secrets.values(), ...this.#plain.values()];
  }

  /** The text with secret variables named in it, which are put into the environment. */
  textOf(scalar: LocatedScalar): string {
    const { text, secrets } = referring(scalar);
    for (const part of secrets) this.#secretNamed(part.secret, ENV_SECRET, part, scalar);
    return text;
  }

  /** A secret of this container alone; returns the variable that holds it. */
  addSecret(name: string, value: string, at: LocatedScalar['at']): string {
    const wanted = name.toUpperCase().replaceAll(/\W/g, '_');
    let variable = wanted;
    for (let n = 2; this.#secrets.has(variable) || this.#plain.has(variable); n++) variable = `${wanted}_${n}`;
    this.#secretNamed(variable, `${dnsLabel(this.#name)}-secrets`, { secret: variable, value }, textAt(at, ''));
    return variable;
  }

  addAll(value: Located): void {
    const map = asMap(value);
    if (map.kind !== 'map') {
      this.#project.report.invalid(value.at, `services.${this.#name}.environment must be a map or a list`);
      return;
    }
    for (const [name, field] of map.fields)
      if (field.value.kind === 'scalar') this.#add(name, field.value);
      else this.#project.report.invalid(field.at, `the variable ${name} must be a single value`);
  }

  #add(name: string, scalar: LocatedScalar): void {
    const { report, model } = this.#project;
    if (scalar.value === null && !scalar.parts) {
      const known = model.variables.get(name);
      if (!known && !isSecretVariable(name, undefined))
        report.missing(
          scalar.at,
          `the variable ${name} is taken from the shell, and .env does not set it`,
          `write ${name}=...`,
        );
      else if (known && !known.secret)
        this.#plain.set(name, { name, value: referring(textAt(scalar.at, known.value)).text });
      else this.#secretNamed(name, ENV_SECRET, { secret: name, value: known?.value }, scalar);
      return;
    }
    const [only, ...more] = scalar.parts ?? [];
    if (typeof only === 'object' && more.length === 0) this.#secretNamed(name, ENV_SECRET, only, scalar);
    else if (scalar.parts) this.#plain.set(name, { name, value: this.textOf(scalar) });
    else {
      const value = environmentText(scalar);
      if (isSecretVariable(name, value))
        this.#secretNamed(name, `${dnsLabel(this.#name)}-secrets`, { secret: name, value }, scalar);
      else this.#plain.set(name, { name, value: referring(textAt(scalar.at, value)).text });
    }
  }

  #secretNamed(variable: string, secret: string, part: SecretPart, { at }: LocatedScalar): void {
    this.#plain.delete(variable);
    this.#secrets.set(variable, {
      name: variable,
      valueFrom: { secretKeyRef: this.#project.secretKey(secret, part, at) },
    });
  }

  addFiles(items: readonly Located[]): void {
    const { report, tree, model } = this.#project;
    for (const item of items) {
      const fields = item.kind === 'map' ? item.fields : undefined;
      const path = item.kind === 'scalar' ? item : fields?.get('path')?.value;
      const required = fields?.get('required')?.value;
      if (path?.kind !== 'scalar') continue;
      const file = pathFrom(path.at, path.source);
      const text = file === undefined ? undefined : tree.texts.get(file);
      if (file === undefined || text === undefined) {
        if (required?.kind !== 'scalar' || required.value !== false)
          report.missing(
            path.at,
            `the file ${path.source} is not there, or could not be read`,
            'its variables are not set',
          );
        continue;
      }
      this.#addFile(dnsLabel(file, ENV_SECRET), readEnvironmentFile(file, text, model.variables, report).entries);
    }
  }

  #addFile(name: string, entries: ReadonlyMap<string, LocatedScalar>): void {
    const plain: Record<string, string> = {};
    let secrets = false;
    for (const [variable, scalar] of entries) {
      const [part] = scalar.parts ?? ([] as TextPart[]);
      if (typeof part !== 'object') plain[variable] = scalar.source;
      else {
        this.#project.secretKey(name, part, scalar.at);
        secrets = true;
      }
    }
    if (Object.keys(plain).length > 0) this.from.push({ configMapRef: { name: this.#project.configMap(name, plain) } });
    if (secrets) this.from.push({ secretRef: { name } });
  }
}

/** Numbers and booleans without quotes as Compose writes them out. */
function environmentText({ value, source }: LocatedScalar): string {
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : source;
}

function resourcesOf(service: Fields, deploy: Fields, project: Project): Json | undefined {
  const resources = deploy.map('resources');
  const [limits, reservations] = [resources.map('limits'), resources.map('reservations')];
  const cpu = (fields: Fields, name: string): string | undefined => quantity(fields, name, cpuQuantity, project);
  const memory = (fields: Fields, name: string): string | undefined => quantity(fields, name, byteQuantity, project);
  const limit = {
    cpu: cpu(limits, 'cpus') ?? cpu(service, 'cpus'),
    memory: memory(limits, 'memory') ?? memory(service, 'mem_limit'),
  };
  const request = {
    cpu: atMost(cpu(reservations, 'cpus'), limit.cpu),
    memory: atMost(memory(reservations, 'memory') ?? memory(service, 'mem_reservation'), limit.memory),
  };
  for (const rest of [limits, reservations, resources])
    rest.rest({ devices: 'devices are not given to pods yet', pids: 'the number of processes is limited per node' });
  const isSet = (amounts: Json): boolean => Object.values(amounts).some((amount) => amount !== undefined);
  if (!isSet(limit) && !isSet(request)) return undefined;
  return { requests: isSet(request) ? request : undefined, limits: isSet(limit) ? limit : undefined };
}

/** A container that asks for more than it may have is refused. */
function atMost(amount: string | undefined, limit: string | undefined): string | undefined {
  return amount !== undefined && limit !== undefined && parseQuantity(amount) > parseQuantity(limit) ? limit : amount;
}

function quantity(
  fields: Fields,
  name: string,
  read: (text: string) => string | undefined,
  project: Project,
): string | undefined {
  const scalar = fields.scalar(name);
  if (!scalar || scalar.source === '0') return undefined;
  const amount = read(scalar.source);
  if (amount === undefined)
    project.report.invalid(scalar.at, `${fields.where}.${name} is no amount`, 'write 0.5, or 512m');
  return amount;
}
