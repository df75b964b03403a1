/** Git behind OpenSSH: its addresses, how it is started, and what its refusals mean. */
import { type PlumbError, TerminalError } from '../../core/errors.ts';
import type { Explain, ServiceArgv } from './process-remote.ts';

export interface SshAddress {
  readonly destination: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
}

/**
 * `ssh://user@host:port/path` or `user@host:path`; undefined for anything else. A host that looks like an option is
 * refused.
 */
export function parseSshUrl(url: string): SshAddress | undefined {
  const long = /^ssh:\/\/(?:([^@/]+)@)?([^/:]+|\[[0-9a-fA-F:]+\])(?::(\d+))?(\/.*)$/.exec(url);
  const short = long ? null : /^(?:([^@/:]+)@)?([^/:]+):(?!\/\/)(.+)$/.exec(url);
  const [user, host, port, path] = long
    ? [long[1], long[2], long[3], long[4]]
    : [short?.[1], short?.[2], undefined, short?.[3]];
  if (!host || !path) return undefined;
  if (host.startsWith('-') || user?.startsWith('-'))
    throw new TerminalError('GitUrlInvalid', `${url}: a host or user may not begin with '-'`);
  const bare = host.replace(/^\[|\]$/g, '');
  return {
    destination: user ? `${user}@${bare}` : bare,
    host: bare,
    port: port === undefined ? undefined : Number(port),
    path: path.replace(/^\/~/, '~'),
  };
}

/** The remote login shell parses one string: single quotes, as git itself sends it. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

/**
 * The user's known_hosts must hold the host's key; nobody is asked anything. `alone`: only the given files are used, and
 * nothing that the user or the machine has set.
 */
export function sshServiceArgv(
  address: SshAddress,
  keyFile: string | undefined,
  knownHosts: string | undefined,
  alone = false,
): ServiceArgv {
  return (service) => [
    'ssh',
    '-T',
    ...(alone ? ['-F', 'none', '-o', 'IdentityAgent=none', '-o', 'GlobalKnownHostsFile=none'] : []),
    '-o',
    'BatchMode=yes',
    '-o',
    'StrictHostKeyChecking=yes',
    '-o',
    'ConnectTimeout=10',
    '-o',
    'ServerAliveInterval=5',
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${knownHosts}`]),
    ...(keyFile === undefined ? [] : ['-i', keyFile, '-o', 'IdentitiesOnly=yes']),
    ...(address.port === undefined ? [] : ['-p', String(address.port)]),
    '--',
    address.destination,
    `${service} ${quoted(address.path)}`,
  ];
}

/** ssh's own exit code; any other is the remote command's. Source: ssh(1), EXIT STATUS. */
const SSH_FAILED = 255;
const HOST_KEY_CHANGED = /REMOTE HOST IDENTIFICATION HAS CHANGED/;
const HOST_KEY_UNKNOWN = /No \S+ host key is known for|Host key verification failed/;
const KEY_REFUSED = /Permission denied \(/;
/** Source: OpenSSH, sshconnect2.c load_identity_file, and ssherr.c. */
const KEY_UNREADABLE = /^Load key .*: (error in libcrypto|invalid format|incorrect passphrase supplied)/m;

/**
 * One sentence for what ssh says in a banner of many lines, and what to do. `alone`: key and host key are those of a
 * Secret, so that nobody can do anything about the files.
 */
export function explainSsh(address: SshAddress, knownHosts: string | undefined, alone = false): Explain {
  if (alone) return explainSecret(address);
  const { destination, host, port } = address;
  const file = knownHosts ?? '~/.ssh/known_hosts';
  const known = port === undefined || port === 22 ? host : `'[${host}]:${port}'`;
  const scan = `ssh-keyscan ${port === undefined ? '' : `-p ${port} `}${host} >> ${file}`;
  return (exitCode, words): PlumbError | undefined => {
    if (exitCode !== SSH_FAILED) return undefined;
    if (HOST_KEY_CHANGED.test(words)) {
      return new TerminalError(
        'GitHostKeyChanged',
        `the host key of ${host} is not the one in ${file}: it was made anew, or another machine answers; compare it with what the host's owner tells, then \`ssh-keygen -f ${file} -R ${known}\` and \`${scan}\``,
      );
    }
    if (HOST_KEY_UNKNOWN.test(words)) {
      return new TerminalError(
        'GitHostKeyUnknown',
        `the host key of ${host} is not in ${file}: add it with \`${scan}\`, and compare it with what the host's owner tells`,
      );
    }
    if (KEY_REFUSED.test(words)) {
      return new TerminalError(
        'GitAccessDenied',
        `${destination} accepts none of our SSH keys: add the public key there, or name another private key with --ssh-key`,
      );
    }
    return undefined;
  };
}

function explainSecret({ destination, host, port }: SshAddress): Explain {
  const scan = `ssh-keyscan ${port === undefined ? '' : `-p ${port} `}${host}`;
  const wanted = `\`${scan}\` prints the line for it; compare it with what the host's owner tells`;
  return (exitCode, words): PlumbError | undefined => {
    if (exitCode !== SSH_FAILED) return undefined;
    if (HOST_KEY_CHANGED.test(words))
      return new TerminalError(
        'GitHostKeyChanged',
        `the host key of ${host} is not the one in known_hosts of the Secret: it was made anew, or another machine answers; ${wanted}`,
      );
    if (HOST_KEY_UNKNOWN.test(words))
      return new TerminalError(
        'GitHostKeyUnknown',
        `the host key of ${host} is not in known_hosts of the Secret: ${wanted}`,
      );
    if (KEY_UNREADABLE.test(words))
      return new TerminalError(
        'GitAccessDenied',
        `identity of the Secret for ${destination} is no private key that OpenSSH reads without a passphrase`,
      );
    if (KEY_REFUSED.test(words))
      return new TerminalError(
        'GitAccessDenied',
        `${destination} does not accept identity of the Secret: add its public key there`,
      );
    return undefined;
  };
}
