/** The local multi-host lab as a whole: up, down, and what can happen to its hosts in between. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { quote } from './boot-scripts.ts';
import { cgroupExists, killCgroup, machineHierarchies } from './cgroups.ts';
import { LabFailure, LabRefusal } from './errors.ts';
import { hostKey, hostPid, hostState, insideHost, startHost, stopHost, type HostState } from './host.ts';
import { seedDisk } from './host-files.ts';
import { makeControlKey, makeHostKey, writeKnownHosts } from './keys.ts';
import { whileLocked } from './lock.ts';
import {
  blockCable,
  bridgeOwner,
  deviceExists,
  labDevices,
  makeBridge,
  removeDevices,
  unblockCable,
} from './network.ts';
import { hasSysResource, preflight, refuseOtherThanRoot } from './preflight.ts';
import { run, systemPath, type Ran } from './process.ts';
import { pushExampleImages, registryIsUp, startRegistry } from './registry.ts';
import { removeFolder } from './remove-folder.ts';
import {
  bridgeName,
  DEFAULT_LAB_NAME,
  DEFAULT_SUBNET,
  defaultLabDir,
  hostNamed,
  hostsOf,
  labPaths,
  labSettings,
  LabSettings,
  machineAddress,
  REGISTRY_NAME,
  registryAddress,
  type HostSettings,
} from './settings.ts';

export interface LabNode {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `ssh-ed25519 BASE64`, as a Machine manifest pins it. */
  readonly hostKey: string;
  readonly state: HostState;
  /** The machine's process id of the host's PID 1, another one after each power cycle; absent while the host is off. */
  readonly pid?: number;
}

/** What a running lab is, for programs; `lab.json` in its folder is the same as it was when `up` ended. */
export interface LabInfo {
  readonly name: string;
  readonly dir: string;
  readonly subnet: string;
  readonly bridge: string;
  /** The machine's own address on the bridge. */
  readonly hostAddress: string;
  /** Private key that every host lets in as root. */
  readonly sshKeyPath: string;
  /** `name` is what images are called by; `address` (HOST:PORT, plain HTTP) is where the machine itself pushes to. */
  readonly registry?: { readonly name: string; readonly address: string };
  readonly nodes: readonly LabNode[];
}

/** Which lab: by folder, by name, or the default one. */
export interface LabPlace {
  readonly dir?: string | undefined;
  readonly name?: string | undefined;
}

/** One host of a lab. */
export interface LabNodePlace extends LabPlace {
  readonly node: string;
}

export interface LabUpOptions extends LabPlace {
  readonly nodes?: number;
  readonly subnet?: string;
  readonly registry?: boolean;
  readonly signal?: AbortSignal;
  /** Hears what is being done, a line at a time. */
  readonly progress?: (line: string) => void;
}

/** Environment variable that names the lab's folder when no flag does. */
export const LAB_DIR_VARIABLE = 'PLUMB_LAB_DIR';

function labDir(place: LabPlace): string {
  return resolve(place.dir ?? process.env[LAB_DIR_VARIABLE] ?? defaultLabDir(place.name ?? DEFAULT_LAB_NAME));
}

/**
 * Brings the lab up and returns when every host's sshd and containerd answer and the registry serves the example
 * images. A lab that is already up is left as it is and described. Remains of a crashed one are cleared away first.
 * Throws LabRefusal before anything is changed, or LabFailure after everything was taken down again.
 */
export async function labUp(options: LabUpOptions = {}): Promise<LabInfo> {
  refuseOtherThanRoot();
  const progress = options.progress ?? (() => undefined);
  const dir = labDir(options);
  const there = await readSettings(dir);
  const settings = labSettings({
    name: options.name ?? there?.name ?? DEFAULT_LAB_NAME,
    dir,
    subnet: options.subnet ?? there?.subnet ?? DEFAULT_SUBNET,
    nodes: options.nodes ?? there?.nodes ?? 3,
    registry: options.registry ?? there?.registry ?? true,
  });
  if (there && there.name !== settings.name)
    throw new LabRefusal(
      `${dir} is the folder of the lab '${there.name}': take that down first, or give another --dir.`,
    );
  return whileLocked(settings.name, async () => {
    await refuseOtherFolder(settings);
    if (there && isUp(there)) return alreadyUp(there, settings, progress);
    if (there || cgroupExists(machineHierarchies(), settings.name)) {
      progress(`clearing away what is left of the lab '${settings.name}'`);
      await takeDown(there ?? settings);
    }
    await preflight(settings, options.signal);
    try {
      return await build(settings, progress, options.signal);
    } catch (error) {
      progress('taking everything down again');
      await takeDown(settings);
      throw error;
    }
  });
}

async function build(
  settings: LabSettings,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<LabInfo> {
  await mkdir(settings.dir, { recursive: true, mode: 0o700 });
  // The record that `down` works from comes before everything it records.
  await writeJson(labPaths.settings(settings.dir), settings);
  progress(`bridge ${bridgeName(settings)} with ${machineAddress(settings)} on ${settings.subnet}`);
  const [authorizedKey, capable] = await Promise.all([
    makeControlKey(settings, signal),
    hasSysResource(),
    makeBridge(settings, signal),
  ]);
  // All of them, also after one has failed: nothing may still be starting while everything is taken down.
  const outcomes = await Promise.allSettled([
    ...(settings.registry ? [fillRegistry(settings, progress, signal)] : []),
    ...hostsOf(settings).map(async (host) => {
      await makeHostKey(host, signal);
      await seedDisk(settings, host, { authorizedKey, limited: !capable });
      const began = performance.now();
      await startHost(settings, host, signal);
      progress(`${host.name} is up at ${host.address} (${seconds(began)})`);
    }),
  ]);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason instanceof Error ? failed.reason : new LabFailure(String(failed.reason));
  await writeKnownHosts(settings);
  const info = await describe(settings);
  await writeJson(labPaths.info(settings.dir), info);
  return info;
}

async function fillRegistry(
  settings: LabSettings,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const began = performance.now();
  await startRegistry(settings, signal);
  const images = await pushExampleImages(settings, signal);
  progress(`registry ${REGISTRY_NAME} serves ${images.join(', ')} (${seconds(began)})`);
}

/**
 * Takes the lab down: processes, cgroups, network devices, files. Does nothing, and says so with false, when there is
 * none.
 */
export async function labDown(
  options: LabPlace & { readonly progress?: (line: string) => void } = {},
): Promise<boolean> {
  refuseOtherThanRoot();
  const dir = labDir(options);
  const there = await readSettings(dir);
  // A folder without a record names no lab: only a name can say what a lost folder's lab was.
  if (!there && options.dir !== undefined && options.name === undefined) return false;
  const settings = there ?? { name: options.name ?? DEFAULT_LAB_NAME, dir };
  return whileLocked(settings.name, async () => {
    await refuseOtherFolder(settings);
    if (!there && !cgroupExists(machineHierarchies(), settings.name) && !deviceExists(bridgeName(settings)))
      return false;
    options.progress?.(`taking down the lab '${settings.name}'`);
    await takeDown(settings);
    return true;
  });
}

async function takeDown(settings: Pick<LabSettings, 'name' | 'dir'>): Promise<void> {
  await killCgroup(machineHierarchies(), settings.name);
  await removeDevices(settings);
  if (await readSettings(settings.dir)) {
    // The record goes last: a `down` that is cut short can be run again.
    const entries = await readdir(settings.dir);
    const record = labPaths.settings(settings.dir);
    for (const entry of entries)
      if (`${settings.dir}/${entry}` !== record) await removeFolder(`${settings.dir}/${entry}`);
    await rm(record, { force: true });
    await rmdir(settings.dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EBUSY') throw error;
    });
  }
  const left = labDevices(settings);
  if (left.length > 0) throw new LabFailure(`Network devices of the lab cannot be removed: ${left.join(', ')}.`);
}

/** The lab as it is now. Throws LabRefusal when there is none. */
export async function labStatus(place: LabPlace = {}): Promise<LabInfo & { readonly registryUp: boolean }> {
  const settings = await settingsOf(place);
  return { ...(await describe(settings)), registryUp: settings.registry && (await registryIsUp(settings)) };
}

/**
 * Cuts a host's power: its cable falls silent, then all its processes are gone. Its disk stays. Does nothing on a host
 * that is off.
 */
export async function labPowerOff(place: LabNodePlace): Promise<void> {
  await changeHost(place, (settings, host) => stopHost(settings, host));
}

/**
 * Boots a host that is off from its disk; returns when its sshd and containerd answer. Does nothing on one that runs.
 */
export async function labPowerOn(place: LabNodePlace & { readonly signal?: AbortSignal }): Promise<void> {
  await changeHost(place, async (settings, host) => {
    if (hostState(host) === 'off') await startHost(settings, host, place.signal);
  });
}

/** Drops every frame to and from the host, without either side being told. It runs on. */
export async function labPartition(place: LabNodePlace): Promise<void> {
  await changeHost(place, async (_, host) => {
    if (hostState(host) === 'off')
      throw new LabRefusal(
        `${host.name} is off, so there is nothing to part; switch it on with 'plumb lab power-on ${host.name}'.`,
      );
    await blockCable(host);
  });
}

/** Ends {@link labPartition}. */
export async function labHeal(place: LabNodePlace): Promise<void> {
  await changeHost(place, async (_, host) => {
    if (hostState(host) === 'off')
      throw new LabRefusal(`${host.name} is off; switch it on with 'plumb lab power-on ${host.name}'.`);
    await unblockCable(host);
  });
}

/** Runs a command as a process of the host, past its network and sshd. Its exit code is part of the answer. */
export async function labExec(
  place: LabNodePlace & { readonly argv: readonly string[]; readonly signal?: AbortSignal; readonly input?: string },
): Promise<Ran> {
  return run(await labExecArgv(place), {
    signal: place.signal,
    ...(place.input === undefined ? {} : { input: place.input }),
  });
}

/** Argv of what {@link labExec} runs, for callers that need the process itself (streams, long runs). */
export async function labExecArgv(
  place: LabNodePlace & { readonly argv: readonly string[] },
): Promise<readonly string[]> {
  refuseOtherThanRoot();
  const settings = await settingsOf(place);
  return insideHost(settings, hostNamed(settings, place.node), place.argv);
}

/**
 * Argv of the system's ssh to a host, with the lab's key and the pinned host key, and nothing of the user's own
 * configuration. One word is a line for the host's shell, as with ssh itself; several are a program and its arguments,
 * taken as they are.
 */
export async function labSshArgv(
  place: LabNodePlace & { readonly argv?: readonly string[] },
): Promise<readonly string[]> {
  const settings = await settingsOf(place);
  const host = hostNamed(settings, place.node);
  const options = [
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    `UserKnownHostsFile=${labPaths.knownHosts(settings.dir)}`,
    'GlobalKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=yes',
    'HostKeyAlgorithms=ssh-ed25519',
    'ConnectTimeout=10',
    'LogLevel=ERROR',
  ];
  const argv = place.argv ?? [];
  return [
    'ssh',
    '-F',
    '/dev/null',
    '-i',
    labPaths.sshKey(settings.dir),
    ...options.flatMap((option) => ['-o', option]),
    `root@${host.address}`,
    ...(argv.length > 0 ? ['--', argv.length === 1 ? argv.join('') : argv.map(quote).join(' ')] : []),
  ];
}

/** A shell or a command on a host over ssh, on this terminal. Gives ssh's exit code. */
export async function labSsh(place: LabNodePlace & { readonly argv?: readonly string[] }): Promise<number> {
  const [program = 'ssh', ...rest] = await labSshArgv(place);
  return new Promise((settle, reject) => {
    const child = spawn(program, rest, { stdio: 'inherit', env: { ...process.env, PATH: systemPath() } });
    child.on('error', reject);
    child.on('close', (code) => settle(code ?? 255));
  });
}

/** The settings of a lab that is there. Throws LabRefusal when there is none. */
async function settingsOf(place: LabPlace): Promise<LabSettings> {
  const dir = labDir(place);
  const settings = await readSettings(dir);
  if (!settings) throw new LabRefusal(`There is no lab in ${dir}; bring one up with 'plumb lab up'.`);
  return settings;
}

async function changeHost(
  place: LabNodePlace,
  change: (settings: LabSettings, host: HostSettings) => Promise<void>,
): Promise<void> {
  refuseOtherThanRoot();
  const settings = await settingsOf(place);
  const host = hostNamed(settings, place.node);
  await whileLocked(settings.name, () => change(settings, host));
}

async function describe(settings: LabSettings): Promise<LabInfo> {
  return {
    name: settings.name,
    dir: settings.dir,
    subnet: settings.subnet,
    bridge: bridgeName(settings),
    hostAddress: machineAddress(settings),
    sshKeyPath: labPaths.sshKey(settings.dir),
    ...(settings.registry ? { registry: { name: REGISTRY_NAME, address: registryAddress(settings) } } : {}),
    nodes: await Promise.all(hostsOf(settings).map(describeHost)),
  };
}

async function describeHost(host: HostSettings): Promise<LabNode> {
  const pid = hostPid(host);
  return {
    name: host.name,
    address: host.address,
    port: 22,
    hostKey: await hostKey(host).catch(() => ''),
    state: hostState(host),
    ...(pid === undefined ? {} : { pid }),
  };
}

/** Throws LabRefusal when the lab of this name lives in another folder: it is not ours to touch. */
async function refuseOtherFolder(settings: Pick<LabSettings, 'name' | 'dir'>): Promise<void> {
  const owner = bridgeOwner(settings.name);
  if (owner !== undefined && owner !== settings.dir && (await readSettings(owner)))
    throw new LabRefusal(`The lab '${settings.name}' is up in ${owner}: give that with --dir, or another --name.`);
}

/** A lab counts as up while its bridge and any of its hosts are there: hosts that were switched off stay so. */
function isUp(settings: LabSettings): boolean {
  return deviceExists(bridgeName(settings)) && hostsOf(settings).some((host) => hostState(host) !== 'off');
}

async function alreadyUp(there: LabSettings, wanted: LabSettings, progress: (line: string) => void): Promise<LabInfo> {
  const differs = (['nodes', 'subnet', 'registry'] as const).find((key) => there[key] !== wanted[key]);
  if (differs)
    throw new LabRefusal(
      `The lab '${there.name}' is already up with ${differs} ${there[differs]}, not ${wanted[differs]}; take it down first with 'plumb lab down'.`,
    );
  progress(`the lab '${there.name}' is already up`);
  return describe(there);
}

async function readSettings(dir: string): Promise<LabSettings | undefined> {
  const text = await readFile(labPaths.settings(dir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new LabRefusal(`Cannot read ${labPaths.settings(dir)}: ${error.message}.`);
  });
  if (text === undefined) return undefined;
  const parsed = LabSettings.safeParse(parseJson(text));
  if (!parsed.success)
    throw new LabRefusal(
      `${labPaths.settings(dir)} is not a lab's record; move the folder away or give another --dir.`,
    );
  return { ...parsed.data, dir };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
