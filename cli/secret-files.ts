/** Files of encrypted Secrets, as the commands of `plumb secret` open and seal them. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Cluster } from '../contracts/objects/index.ts';
import { encryptFor } from '../reconciler/adapters/age/encrypt.ts';
import { AgeFileDecryptor } from '../reconciler/adapters/age/file-decryptor.ts';
import { AGE_KEY_NAME } from '../reconciler/adapters/home/home.ts';
import { formatDiagnostic, MAX_FILE_BYTES, parseManifest } from '../reconciler/core/manifests/index.ts';
import type { AgeFile, Opened } from '../reconciler/core/secrets/envelope.ts';
import { placed, writeInline } from '../reconciler/core/secrets/inline-value.ts';
import {
  inlineSealed,
  openedText,
  readSealed,
  SECRET_VALUES,
  sopsSealed,
  type Kept,
  type OpenedText,
} from '../reconciler/core/secrets/secret-file.ts';
import { creationRule, type CreationRule } from '../reconciler/core/secrets/sops-rules.ts';
import type { SopsMetadata } from '../reconciler/core/secrets/sops-metadata.ts';
import { DATA_KEY_BYTES, NONCE_BYTES } from '../reconciler/core/secrets/sops-value.ts';
import { CliFailure } from './failure.ts';
import { homeFolder } from './home.ts';
import { progress } from './print/terminal.ts';
import { renderFolder } from './repository.ts';

const RULES_FILE = '.sops.yaml';
const SOPS_KEY_VARIABLE = 'SOPS_AGE_KEY_FILE';

/** Whoever is named first wins: the option, SOPS' variable, the home folder, SOPS' own file. */
export function identitiesFile(options: { readonly ageKey?: string; readonly home?: string }): string {
  const named = options.ageKey ?? process.env[SOPS_KEY_VARIABLE];
  if (named !== undefined && named !== '') return resolve(named);
  const ours = join(homeFolder(options.home), AGE_KEY_NAME);
  const sops = join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'sops', 'age', 'keys.txt');
  return !existsSync(ours) && existsSync(sops) ? sops : ours;
}

export async function readText(path: string): Promise<string> {
  const { size } = await stat(path).catch(() => {
    throw new CliFailure(2, `there is no file ${path}`);
  });
  if (size > MAX_FILE_BYTES) throw new CliFailure(1, `${path} is larger than a manifest may be`);
  return readFile(path, 'utf8');
}

/** In one step, beside the file: what is written is never plain text. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const { mode } = await stat(path);
  const fresh = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    await writeFile(fresh, text, { mode: mode & 0o777, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

export interface Recipients {
  readonly rule: CreationRule;
  /** Where they are from, for people. */
  readonly from: string;
}

/** For whom a file is encrypted: those that are given, else `.sops.yaml` at or above it, else the Cluster's. */
export async function recipientsFor(path: string, given: readonly string[]): Promise<Recipients> {
  const rulesFile = above(dirname(resolve(path)), RULES_FILE);
  const rule =
    rulesFile && given.length === 0
      ? creationRule(await readText(rulesFile), relative(dirname(rulesFile), resolve(path)))
      : undefined;
  const rules = rule && Object.keys(rule.rules).length > 0 ? rule.rules : { encrypted_regex: SECRET_VALUES };
  if (given.length > 0) return { rule: { recipients: given, rules }, from: '--recipient' };
  if (rule && rule.recipients.length > 0) return { rule: { ...rule, rules }, from: rulesFile ?? RULES_FILE };
  const found = await clusterRecipients(dirname(resolve(path)));
  if (found.length > 0) return { rule: { recipients: found, rules }, from: 'spec.secrets.recipients of the Cluster' };
  throw new CliFailure(
    1,
    'nobody is named for whom to encrypt',
    `write the recipient of the control plane (plumb secret keygen) into the Cluster, spec.secrets.recipients, or into ${RULES_FILE}; or name it with --recipient`,
  );
}

async function clusterRecipients(folder: string): Promise<readonly string[]> {
  const settings = above(folder, 'plumbline.yaml');
  if (!settings) return [];
  const { state } = await renderFolder(dirname(settings));
  const cluster = [...state.values()]
    .map(({ object }) => object)
    .find((object): object is Cluster => object.kind === 'Cluster');
  return cluster?.spec.secrets?.recipients ?? [];
}

function above(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, name))) return join(at, name);
    if (dirname(at) === at) return undefined;
  }
}

/** Ends the command where the manifests in a file are not right: what is encrypted is hard to look at. */
export function checkManifests(path: string, text: string): void {
  const { diagnostics } = parseManifest(path, '', Buffer.from(text, 'utf8'));
  refuse(path, diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic));
}

function refuse(path: string, errors: readonly string[]): void {
  if (errors.length === 0) return;
  for (const line of errors) progress(line);
  throw new CliFailure(1, `${path} was left as it is`);
}

export interface OpenedFile extends OpenedText {
  /** Undefined where its values are encrypted each by itself. */
  readonly sops: { readonly metadata: SopsMetadata; readonly key: Uint8Array } | undefined;
}

/** Opens all of a file with the identities of `keyFile`. Throws what cannot be opened, and why. */
export async function openFile(path: string, text: string, keyFile: string): Promise<OpenedFile> {
  const sealed = readSealed(path, text);
  refuse(path, sealed.errors.map(formatDiagnostic));
  if (sealed.envelopes.length === 0)
    throw new CliFailure(1, `${path} has nothing that is encrypted`, `encrypt it: plumb secret encrypt ${path}`);
  const decryptor = new AgeFileDecryptor(keyFile);
  const signal = new AbortController().signal;
  const opened = new Map<string, Opened>();
  for (const envelope of sealed.envelopes) opened.set(envelope.id, await decryptor.open(envelope, signal));
  const read = readSealed(path, text, { byId: opened });
  refuse(path, read.errors.map(formatDiagnostic));
  const [first] = [...opened.values()];
  return {
    ...openedText(text, read.plain),
    sops: read.sops && first?.state === 'open' ? { metadata: read.sops, key: first.contents } : undefined,
  };
}

/** Under a new data key. */
export async function sealWithSops(text: string, { recipients, rules }: CreationRule): Promise<string> {
  const key = randomBytes(DATA_KEY_BYTES);
  const files: AgeFile[] = [];
  for (const recipient of new Set(recipients)) files.push({ recipient, bytes: await encryptFor([recipient], key) });
  return sealUnder(text, key, files, rules);
}

/** Under the data key that it has, for whom it was. */
export function sealAgain(text: string, { sops, kept }: OpenedFile): string | undefined {
  return sops && sealUnder(text, sops.key, sops.metadata.files, sops.metadata.rules, kept);
}

function sealUnder(
  text: string,
  key: Uint8Array,
  files: readonly AgeFile[],
  rules: CreationRule['rules'],
  kept?: Kept,
): string {
  return sopsSealed(text, {
    key,
    files,
    rules,
    now: `${new Date().toISOString().slice(0, 19)}Z`,
    nonce: () => randomBytes(NONCE_BYTES),
    ...(kept && { kept }),
  });
}

/** Each value by itself. */
export function sealInline(text: string, recipients: readonly string[], kept?: Kept): Promise<string> {
  return inlineSealed(
    text,
    async (place, value) => writeInline(await encryptFor(recipients, placed(place, value))),
    kept,
  );
}
