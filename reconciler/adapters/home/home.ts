/** The control plane's home folder: keys that must stay, and a claim so that two processes never share one. */
import { execFile } from 'node:child_process';
import { createHash, generateKeyPair, hkdfSync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { chmod, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TerminalError } from '../../core/errors.ts';
import { SigningKey } from '../../core/service-accounts/signing-key.ts';

const SEAL_KEY_BYTES = 32;
/** In the home folder, where no other file is named. */
export const AGE_KEY_NAME = 'age.key';

export interface Home {
  readonly dir: string;
  /** The API's Unix socket. */
  readonly socket: string;
  readonly redisDir: string;
  readonly redisSocket: string;
  readonly gitCache: string;
  readonly runtimeCache: string;
  readonly logFile: string;
  /** Names this folder on this machine, over restarts; a copy of it elsewhere has another. */
  readonly id: string;
  /** 32 bytes that Secrets in Redis are sealed with. */
  readonly sealKey: Buffer;
  /** 32 bytes, made of `sealKey`, that hashes of ConfigMaps and Secrets in pod templates are made with. */
  readonly configKey: Uint8Array;
  /** Age identities that encrypted Secrets are opened with; need not be there. */
  readonly ageKeyFile: string;
  /** Signs the tokens of pods. */
  readonly tokenKey: SigningKey;
  /** What was issued, sealed. */
  readonly vaultDir: string;
}

/**
 * Makes the folder (mode 0700) and what is missing in it. Safe to repeat.
 * Throws TerminalError `ControlPlaneRunning` when a control plane answers on the home's socket.
 */
export async function openHome(dir: string): Promise<Home> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const socket = join(dir, 'control.sock');
  if (await answers(socket))
    throw new TerminalError(
      'ControlPlaneRunning',
      `a control plane already runs with the home ${dir}; stop it first, or choose another home with --home`,
    );
  await rm(socket, { force: true });
  const key = await sealKey(join(dir, 'seal.key'));
  return {
    dir,
    socket,
    redisDir: join(dir, 'redis'),
    redisSocket: join(dir, 'redis.sock'),
    gitCache: join(dir, 'git'),
    runtimeCache: join(dir, 'runtime'),
    logFile: join(dir, 'control-plane.log'),
    id: await homeId(dir),
    sealKey: key,
    configKey: new Uint8Array(hkdfSync('sha256', key, Buffer.alloc(0), 'plumbline config hash', 32)),
    ageKeyFile: join(dir, AGE_KEY_NAME),
    tokenKey: await tokenKey(join(dir, 'service-account.key')),
    vaultDir: join(dir, 'certificates'),
  };
}

/**
 * The control plane's private SSH key: `given`, or `ssh/id_ed25519` in the home, made when it is missing. Throws
 * TerminalError `SshKeyUnreadable`.
 */
export async function sshPrivateKey(
  home: Home,
  given: string | undefined,
): Promise<{ readonly path: string; readonly key: Buffer }> {
  const path = given ?? join(home.dir, 'ssh', 'id_ed25519');
  if (given === undefined) await makeSshKey(path);
  try {
    return { path, key: await readFile(path) };
  } catch (cause) {
    throw new TerminalError(
      'SshKeyUnreadable',
      `the SSH key ${path} cannot be read; name a private key with --ssh-key`,
      { cause },
    );
  }
}

async function makeSshKey(path: string): Promise<void> {
  if (
    await readFile(path).then(
      () => true,
      () => false,
    )
  )
    return;
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'plumbline', '-f', path]).catch(
    (cause: unknown) => {
      throw new TerminalError(
        'SshKeyUnreadable',
        `no SSH key could be made at ${path}: install openssh-client, or name a private key with --ssh-key`,
        { cause },
      );
    },
  );
}

/** A home that was copied for a second control plane lies elsewhere: then it is another one. */
async function homeId(dir: string): Promise<string> {
  const path = join(dir, 'id');
  let text = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (!/^[0-9a-f]{32}$/.test(text)) {
    text = randomBytes(16).toString('hex');
    await writeFile(path, `${text}\n`, { mode: 0o600 });
  }
  return createHash('sha256')
    .update([text, hostname(), await realpath(dir)].join('\n'))
    .digest('hex')
    .slice(0, 32);
}

async function sealKey(path: string): Promise<Buffer> {
  const known = await readFile(path).catch(() => undefined);
  if (known?.length === SEAL_KEY_BYTES) return known;
  if (known)
    throw new TerminalError(
      'SealKeyInvalid',
      `${path} does not hold ${SEAL_KEY_BYTES} bytes; remove it and empty Redis, all state is rebuilt from Git and the nodes`,
    );
  const key = randomBytes(SEAL_KEY_BYTES);
  await writeFile(path, key, { mode: 0o600, flag: 'wx' });
  return key;
}

/** The loss of it costs nothing but that those who verify tokens have to learn the new one. */
async function tokenKey(path: string): Promise<SigningKey> {
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (known !== undefined) {
    try {
      return new SigningKey(known);
    } catch (cause) {
      throw new TerminalError(
        'TokenKeyInvalid',
        `${path} is no private RSA key of 2048 bits or more in PEM; put one there, or remove the file: a new one is made, and all tokens with it`,
        { cause },
      );
    }
  }
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(path, privateKey, { mode: 0o600, flag: 'wx' });
  return new SigningKey(privateKey);
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
