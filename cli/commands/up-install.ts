/** `plumb up --install`, `plumb up --uninstall` and `plumb upgrade`: the control plane as a service of this machine. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorText } from '../../contracts/errors.ts';
import { runOrFail, until } from '../../lab/process.ts';
import { splitCredentials } from '../../reconciler/adapters/git/index.ts';
import { redisOptionsFromUrl } from '../../reconciler/adapters/redis/url.ts';
import type { StatusReport } from '../../reconciler/api/types.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { print, progress } from '../print/terminal.ts';
import { packageRoot } from '../program-path.ts';
import {
  lastWords,
  prepareHome,
  processOf,
  putCommand,
  putFile,
  reachableNode,
  reloadAndRestart,
  removeService,
  requireFile,
  requireSystemd,
  serviceAccount,
  shareRepository,
  type Account,
} from '../service/machine.ts';
import {
  installedAt,
  isInStore,
  openPackage,
  storePackage,
  sweepStore,
  switchBack,
  switchTo,
  type InstalledPackage,
} from '../service/packages.ts';
import {
  CURRENT,
  ENVIRONMENT_FILE,
  PREVIOUS,
  SERVICE_HOME,
  SERVICE_USER,
  SETTINGS_FILE,
  UNIT_FILE,
  UNIT_NAME,
} from '../service/places.ts';
import {
  CREDENTIALS,
  environmentText,
  parseSettings,
  type CredentialOption,
  type ServiceSettings,
} from '../service/settings.ts';
import { serviceUnit } from '../service/unit.ts';
import { webhookSettings } from '../webhook-settings.ts';
import { followOf, type UpOptions } from './up.ts';

/** From the start of the service to an answer: the state may have to be rebuilt from machines that do not answer. */
const ANSWER_MS = 300_000;
/** One that ends again and again will not answer later. */
const GIVE_UP_RESTARTS = 3;

export async function installService(options: UpOptions): Promise<void> {
  await requireSystemd();
  if (options.home !== undefined) throw new CliFailure(2, `--install has a home folder of its own, ${SERVICE_HOME}`);
  if (options.repo === undefined)
    throw new CliFailure(2, 'which repository?', 'name it: plumb up --install --repo PATH|URL');
  // Refuses what the service would refuse.
  await webhookSettings(options);
  const node = await reachableNode();
  const source = packageRoot();
  const installed = (await isInStore(source)) ? await installedAt(CURRENT) : await storePackage(source, node);
  if (!installed) throw new CliFailure(1, `${CURRENT} names no version`, 'run this from a package or a clone');
  const account = await serviceAccount();
  const settings = await settingsOf(options, options.repo, node, account);
  await prepareHome(source, settings.repoIsLocal ? settings.repo : undefined, account);
  const before = await readFile(ENVIRONMENT_FILE, 'utf8').catch(() => '');
  await putFile(ENVIRONMENT_FILE, environmentText(before, environmentWith(options.repo)), 0o600);
  await putFile(SETTINGS_FILE, `${JSON.stringify(settings, undefined, 2)}\n`, 0o644);
  await putCommand(node);
  await switchTo(installed);
  progress(`starting ${UNIT_NAME}`);
  await start(installed, node);
  await answering(installed.version).catch(async (error: unknown) => {
    throw new CliFailure(1, `${UNIT_NAME} does not answer: ${errorText(error)}\n${await lastWords()}`);
  });
  await sweepStore();
  await print(
    [
      `plumb ${installed.version} runs as ${UNIT_NAME}, as the user ${SERVICE_USER}; its home is ${SERVICE_HOME}, its log: journalctl -u ${UNIT_NAME}`,
      ...(settings.files.sshKey === undefined
        ? [`machines must accept its key: ssh-copy-id -f -i ${SERVICE_HOME}/ssh/id_ed25519.pub root@HOST`]
        : []),
      'next: plumb status',
      '',
    ].join('\n'),
  );
}

export async function uninstallService(): Promise<void> {
  await requireSystemd();
  await removeService();
  await print(
    `the service, its programs and settings are gone; pods go on running on their machines.\nIts keys and what it kept stay in ${SERVICE_HOME}: \`rm -r ${SERVICE_HOME} && userdel ${SERVICE_USER}\` removes them.\n`,
  );
}

export interface UpgradeOptions {
  /** Tarball or folder; the package that this program is of when absent. */
  readonly package?: string;
  /** To the version before. */
  readonly back?: boolean;
}

/**
 * Puts another version in the place of the installed one. Where that does not answer, the one before is put back. Agents
 * follow: the control plane brings its own to every machine, and containers are not touched.
 */
export async function upgrade(options: UpgradeOptions): Promise<void> {
  await requireSystemd();
  const { node } = await readSettings();
  const before = await installedAt(CURRENT);
  const beforeThat = await installedAt(PREVIOUS);
  const next = options.back ? await previous() : await stored(options.package, node);
  if (before?.id === next.id) {
    await print(`version ${next.version} is installed already\n`);
    return;
  }
  progress(`from ${before?.version ?? 'none'} to ${next.version}`);
  await switchTo(next);
  try {
    await start(next, node);
    await answering(next.version);
  } catch (error) {
    const words = await lastWords();
    if (!before) throw error;
    await switchBack(before, beforeThat);
    await start(before, node);
    await answering(before.version).catch(() => undefined);
    await sweepStore();
    throw new CliFailure(
      1,
      `version ${next.version} does not answer (${errorText(error)}), so ${before.version} runs again; what it said last:\n${words}`,
    );
  }
  await sweepStore();
  await print(
    `version ${next.version} runs; machines get its agent one after the other, and containers go on running (plumb status)\nback to ${before?.version ?? 'none'}: plumb upgrade --back\n`,
  );
}

async function previous(): Promise<InstalledPackage> {
  const found = await installedAt(PREVIOUS);
  if (!found) throw new CliFailure(1, 'there is no version before this one');
  return found;
}

async function stored(given: string | undefined, node: string): Promise<InstalledPackage> {
  if (given === undefined && (await isInStore(packageRoot())))
    throw new CliFailure(
      2,
      'upgrade to what? This program is the installed one',
      'name a newer package: plumb upgrade plumbline-VERSION.tgz, or run the newer one: npx ./plumbline-VERSION.tgz upgrade',
    );
  const opened = await openPackage(given ?? packageRoot());
  try {
    return await storePackage(opened.folder, node);
  } finally {
    await opened.close();
  }
}

/** Each version writes its own unit: an older one must not get options that it does not know. */
async function start({ folder }: InstalledPackage, node: string): Promise<void> {
  await putFile(UNIT_FILE, await runOrFail([node, join(folder, 'bin', 'plumb.mjs'), 'service-unit']), 0o644);
  await reloadAndRestart();
}

/** `plumb service-unit`: the unit of this version for what was asked for at the installation. */
export async function printUnit(): Promise<void> {
  await print(serviceUnit(await readSettings()));
}

async function readSettings(): Promise<ServiceSettings> {
  const text = await readFile(SETTINGS_FILE, 'utf8').catch(() => {
    throw new CliFailure(1, 'no control plane is installed on this machine', 'install one: plumb up --install');
  });
  return parseSettings(text, SETTINGS_FILE);
}

/** Resolves when the process that systemd runs answers as this version. */
async function answering(version: string): Promise<void> {
  let why = 'nobody answers';
  await until(
    'it did not answer in time',
    async () => {
      const { pid, restarts } = await processOf();
      if (restarts >= GIVE_UP_RESTARTS) throw new Error(`it ended ${restarts} times`);
      const report = await controlPlane(SERVICE_HOME)
        .get<StatusReport>('/plumbline/v1/status')
        .catch((error: unknown) => {
          why = errorText(error);
          return undefined;
        });
      return (report?.controlPlane.pid === pid && report?.controlPlane.version === version) || undefined;
    },
    { timeoutMs: ANSWER_MS, everyMs: 250 },
  ).catch((error: unknown) => {
    throw new Error(`${errorText(error)}: ${why}`, { cause: error });
  });
}

async function settingsOf(options: UpOptions, given: string, node: string, account: Account): Promise<ServiceSettings> {
  const isUrl = /^[a-z+]+:\/\//i.test(given) || /^[^/]+@[^/]+:/.test(given);
  const repo = isUrl ? withoutPassword(given) : await shareRepository(resolve(given), node, account);
  const files: Partial<Record<CredentialOption, string>> = {};
  for (const name of Object.keys(CREDENTIALS) as CredentialOption[]) {
    const path = options[name];
    if (path !== undefined) files[name] = await requireFile(resolve(path));
  }
  if (options.redis !== undefined && redisOptionsFromUrl(options.redis).password !== undefined)
    throw new CliFailure(
      2,
      'the password in --redis could be read by everybody on this machine',
      'give it in PLUMB_REDIS_PASSWORD, or the whole URL in PLUMB_REDIS_URL: they are kept where only root reads',
    );
  return {
    repo,
    repoIsLocal: !isUrl,
    ...(options.branch !== undefined && { branch: options.branch }),
    ...followOf(options),
    ...(options.redis !== undefined && { redis: options.redis }),
    source: options.source,
    ...(options.webhook !== undefined && { webhook: options.webhook }),
    files,
    node,
  };
}

function withoutPassword(url: string): string {
  if (!/^https?:/.test(url) || !URL.canParse(url)) return url;
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}

/** The environment, with the password that stood in the repository's URL. */
function environmentWith(repo: string): NodeJS.ProcessEnv {
  const password = splitCredentials(repo).credentials?.reveal().password ?? '';
  return { ...(password !== '' && { PLUMB_GIT_PASSWORD: password }), ...process.env };
}
