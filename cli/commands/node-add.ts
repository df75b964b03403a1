/** `plumb node add`: from a server with sshd to a Machine file with its host key pinned. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { stringify } from 'yaml';
import { errorText } from '../../contracts/errors.ts';
import { MachineManifest, OWN_API_VERSION } from '../../contracts/objects/index.ts';
import { SILENT_LOG } from '../../reconciler/ports/log.ts';
import type { NodeTransport } from '../../reconciler/ports/node-transport.ts';
import { CliFailure } from '../failure.ts';
import { homeFolder } from '../home.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { checkoutRoot } from '../repository.ts';
import { commit } from './node-edit.ts';

export interface NodeAddOptions {
  readonly home?: string;
  readonly name?: string;
  readonly hostKey?: string;
  readonly yes?: boolean;
  readonly sshKey?: string;
  readonly internalIp?: string;
  readonly repoDir?: string;
  readonly commit?: boolean;
  /** False: `--no-check`. */
  readonly check: boolean;
  readonly output?: string;
}

export interface Destination {
  readonly user: string;
  readonly address: string;
  readonly port: number;
}

const TIMEOUT_MS = 20_000;

/** `[user@]host[:port]`, also `user@[v6]:port`. CliFailure 2 for anything else. */
export function parseDestination(text: string): Destination {
  const match = /^(?:([a-z_][\w.-]*)@)?(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9][\w.-]*))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[2] ?? match?.[3];
  const port = Number(match?.[4] ?? 22);
  if (address === undefined || port < 1 || port > 65535)
    throw new CliFailure(2, `${JSON.stringify(text)} is no [user@]host[:port]`, 'for example: root@203.0.113.7:22');
  return { user: match?.[1] ?? 'root', address, port };
}

/** As `ssh-keygen -lf` prints it. */
export function fingerprintOf(hostKey: string): string {
  const blob = Buffer.from(hostKey.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

export async function nodeAdd(text: string, options: NodeAddOptions): Promise<void> {
  const { user, address, port } = parseDestination(text);
  const root = checkoutRoot(options.repoDir);
  const name = options.name ?? defaultName(address);
  const path = join(root, 'machines', `${name}.yaml`);
  if (existsSync(path))
    throw new CliFailure(
      1,
      `${path} is there already`,
      'choose another --name, or remove the machine first: plumb node rm',
    );
  const keyFile = options.sshKey ?? join(homeFolder(options.home), 'ssh', 'id_ed25519');
  const [{ SshNodeTransport }, { SystemClock }] = await Promise.all([
    import('../../reconciler/adapters/ssh/transport.ts'),
    import('../../reconciler/adapters/system/clock.ts'),
  ]);
  const transport = new SshNodeTransport({
    privateKey: await privateKey(keyFile),
    log: SILENT_LOG,
    clock: new SystemClock(),
  });
  try {
    const hostKey = await settleHostKey(transport, { user, address, port }, options);
    if (options.check) await checkLogin(transport, { user, address, port }, name, hostKey, keyFile);
    const machine = {
      apiVersion: OWN_API_VERSION,
      kind: 'Machine',
      metadata: { name },
      spec: {
        address,
        ...(port !== 22 && { port }),
        user,
        hostKey,
        ...(options.internalIp !== undefined && { internalIP: options.internalIp }),
      },
    };
    const valid = MachineManifest.safeParse(machine);
    if (!valid.success)
      throw new CliFailure(2, valid.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, stringify(machine, { lineWidth: 0 }));
    if (options.commit) await commit(root, path, `Add machine ${name}`);
    if (await printData({ file: path, machine }, options.output)) return;
    await print(
      `wrote machines/${name}.yaml${options.commit ? ', committed' : ''}; it joins with the push: ${options.commit ? '' : `git add machines && git commit -m "Add machine ${name}" && `}git push\n`,
    );
  } finally {
    await transport.close();
  }
}

/** A DNS name gives its first label; an address is spelled out, as names may not begin with a digit everywhere. */
function defaultName(address: string): string {
  if (/^[\d.]+$|:/.test(address)) return `node-${address.replace(/[^0-9a-z]+/gi, '-').toLowerCase()}`;
  return (address.split('.')[0] ?? address).toLowerCase();
}

/** Reads a private key file. CliFailure 1 with what to do. */
export async function privateKey(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch {
    throw new CliFailure(
      1,
      `the private key ${file} cannot be read`,
      '`plumb up` makes one in its home folder; or name one with --ssh-key',
    );
  }
}

/**
 * The key that the machine shows, once it is the one given, trusted with --yes, or confirmed at the terminal. Sends no
 * credentials.
 */
export async function settleHostKey(
  transport: NodeTransport,
  { address, port }: Destination,
  options: Pick<NodeAddOptions, 'hostKey' | 'yes'>,
): Promise<string> {
  progress(`asking ${address}:${port} for its host key`);
  const shown = await transport.scanHostKey(address, port, AbortSignal.timeout(TIMEOUT_MS));
  const fingerprint = fingerprintOf(shown);
  if (options.hostKey !== undefined) {
    if (options.hostKey.trim().split(/\s+/).slice(0, 2).join(' ') === shown) return shown;
    throw new CliFailure(
      1,
      `${address} shows another host key than --host-key: ${shown.split(' ')[0]} ${fingerprint}`,
      'somebody may be in between; compare on the machine with: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
    );
  }
  progress(`host key: ${shown.split(' ')[0]} ${fingerprint}`);
  if (options.yes) return shown;
  if (!process.stdin.isTTY)
    throw new CliFailure(
      2,
      'nobody is there to confirm the host key',
      'give it with --host-key, or trust it with --yes',
    );
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(
      'Is that the key of this machine (compare on it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)? [y/N] ',
    );
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliFailure(1, 'not confirmed: nothing was written');
    return shown;
  } finally {
    prompt.close();
  }
}

async function checkLogin(
  transport: NodeTransport,
  { user, address, port }: Destination,
  name: string,
  hostKey: string,
  keyFile: string,
): Promise<void> {
  progress(`logging in as ${user}`);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const connection = await transport.connect({ name, address, port, user, hostKey }, signal).catch((error: unknown) => {
    throw new CliFailure(
      1,
      errorText(error),
      `the machine must accept ${keyFile}.pub: ssh-copy-id -f -i ${keyFile}.pub -p ${port} ${user}@${address}`,
    );
  });
  try {
    const { code, stdout, stderr } = await connection.run(
      ['sh', '-c', 'id -u; uname -m; command -v containerd || echo no-containerd'],
      { signal },
    );
    const [uid, machine, containerd] = stdout.trim().split('\n');
    if (code !== 0) throw new CliFailure(1, `${address} could not run a command: ${stderr.trim()}`);
    if (uid !== '0')
      throw new CliFailure(
        1,
        `${user} on ${address} is not root (uid ${uid})`,
        'name a user who is, such as root@HOST',
      );
    if (machine !== 'x86_64' && machine !== 'aarch64')
      throw new CliFailure(1, `${address} is a ${machine}: x86_64 and aarch64 are supported`);
    if (containerd === 'no-containerd')
      throw new CliFailure(
        1,
        `${address} has no containerd`,
        'install it there: apt-get install -y containerd runc containernetworking-plugins nftables iproute2',
      );
  } finally {
    await connection.close();
  }
}
