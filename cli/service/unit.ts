/** The control plane's systemd unit. */
import { dirname, join } from 'node:path';
import { HINT_FILE } from '../../reconciler/adapters/git/hints.ts';
import { CREDENTIALS, type CredentialOption, type ServiceSettings } from './settings.ts';
import { CURRENT, ENVIRONMENT_FILE, SERVICE_HOME, SERVICE_USER } from './places.ts';

const FLAGS: Readonly<Record<CredentialOption, string>> = {
  sshKey: '--ssh-key',
  ageKey: '--age-key',
  webhookSecret: '--webhook-secret',
  webhookCert: '--webhook-cert',
  webhookKey: '--webhook-key',
};
/** Ports below it are root's. Source: ip-sysctl, ip_unprivileged_port_start. */
const FIRST_FREE_PORT = 1024;

/**
 * One word of a command line or a list in a unit, whatever is in it. Source: systemd.service(5), "COMMAND LINES" (`$$`),
 * systemd.syntax(7), "QUOTING", and systemd.unit(5), "SPECIFIERS" (`%%`). Throws RangeError for control characters.
 */
export function unitWord(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new RangeError(`control characters in ${JSON.stringify(text)}`);
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}

/** What goes on to the end of a line, as it is. */
function bareWord(path: string): string {
  if (/\p{Cc}/u.test(path)) throw new RangeError(`control characters in ${JSON.stringify(path)}`);
  return path.replaceAll('%', '%%');
}

/** A path where no command line is: `$` is itself there. */
function pathWord(path: string): string {
  return unitWord(path).replaceAll('$$', '$');
}

/** What of a repository a push writes. Hooks and settings stay root's: who pushes runs them. */
export function sharedFolders(repo: string): readonly string[] {
  return [...['objects', 'refs'].map((name) => join(repo, name)), dirname(join(repo, HINT_FILE))];
}

/** What is run, word by word; files of secrets are where systemd puts them (`%d`). */
function commandLine(settings: ServiceSettings): string {
  const { repo, branch, tag, semver, redis, source, webhook, files, node } = settings;
  const optional = (flag: string, value: string | undefined): readonly string[] =>
    value === undefined ? [] : [flag, unitWord(value)];
  return [
    ...[unitWord(node), join(CURRENT, 'bin', 'plumb.mjs')],
    ...['--home', SERVICE_HOME, 'up', '--repo', unitWord(repo), '--source', unitWord(source)],
    ...optional('--branch', branch),
    ...optional('--tag', tag),
    ...optional('--semver', semver),
    ...optional('--redis', redis),
    ...optional('--webhook', webhook),
    ...credentialsOf(settings).flatMap((name) =>
      files[name] === undefined ? [] : [FLAGS[name], `%d/${CREDENTIALS[name]}`],
    ),
  ].join(' ');
}

function credentialsOf({ files }: ServiceSettings): readonly CredentialOption[] {
  return (Object.keys(CREDENTIALS) as CredentialOption[]).filter((name) => files[name] !== undefined);
}

function needsLowPort(webhook: string | undefined): boolean {
  const port = Number(webhook?.split(':').at(-1));
  return port > 0 && port < FIRST_FREE_PORT;
}

/**
 * The control plane needs the network, its home folder, and the objects and refs of a repository of this machine;
 * nothing else of the machine. It is left to make user namespaces, in which Kustomize and Helm run, and so to mount and to
 * change its root in those. Not set: MemoryDenyWriteExecute (Node.js compiles at run time) and RestrictSUIDSGID (Git sets
 * the setgid bit of folders that a group shares). Source: systemd.exec(5), systemd.kill(5).
 */
export function serviceUnit(settings: ServiceSettings): string {
  const { files, webhook, repo, repoIsLocal } = settings;
  const capabilities = needsLowPort(webhook) ? 'CAP_NET_BIND_SERVICE' : '';
  return `# Written by \`plumb up --install\`, and anew by each upgrade: put changes into ${UNIT_DROP_IN}.
[Unit]
Description=Plumbline control plane
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=${SERVICE_USER}
Group=${SERVICE_USER}
ExecStart=${commandLine(settings)}
WorkingDirectory=${SERVICE_HOME}
EnvironmentFile=-${ENVIRONMENT_FILE}
${credentialsOf(settings)
  .map((name) => `LoadCredential=${CREDENTIALS[name]}:${bareWord(files[name] ?? '')}\n`)
  .join('')}Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=15
LimitCORE=0
LimitNOFILE=65536
UMask=0077
StateDirectory=plumbline-control
StateDirectoryMode=0700
NoNewPrivileges=yes
CapabilityBoundingSet=${capabilities}
AmbientCapabilities=${capabilities}
ProtectSystem=strict
${repoIsLocal ? `ReadWritePaths=${sharedFolders(repo).map(pathWord).join(' ')}\n` : ''}ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap

[Install]
WantedBy=multi-user.target
`;
}

const UNIT_DROP_IN = 'systemctl edit plumbline';
