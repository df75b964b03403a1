/** What an installed control plane is started with, and how that is kept. */
import { z } from 'zod';
import { CliFailure } from '../failure.ts';

/** Files that only root may read: systemd hands them over, by these names. Source: systemd.exec(5), "CREDENTIALS". */
export const CREDENTIALS = {
  sshKey: 'ssh-key',
  ageKey: 'age-key',
  webhookSecret: 'webhook-secret',
  webhookCert: 'webhook-cert',
  webhookKey: 'webhook-key',
} as const;
export type CredentialOption = keyof typeof CREDENTIALS;

const absolute = z.string().regex(/^\//);
const ServiceSettings = z.object({
  /** Path or URL, without a password. */
  repo: z.string().min(1),
  /** Where `repo` is a folder of this machine. */
  repoIsLocal: z.boolean(),
  branch: z.string().optional(),
  tag: z.string().optional(),
  semver: z.string().optional(),
  /** Without a password. */
  redis: z.string().optional(),
  source: z.string(),
  webhook: z.string().optional(),
  files: z.partialRecord(z.enum(Object.keys(CREDENTIALS) as [CredentialOption, ...CredentialOption[]]), absolute),
  /** The Node.js that runs it. */
  node: absolute,
});
export type ServiceSettings = z.infer<typeof ServiceSettings>;

/** Throws CliFailure 1 for a file that somebody wrote otherwise. */
export function parseSettings(text: string, file: string): ServiceSettings {
  try {
    return ServiceSettings.parse(JSON.parse(text));
  } catch {
    throw new CliFailure(1, `${file} is not as \`plumb up --install\` writes it`, 'run that again, with its options');
  }
}

/** What of the environment the service needs as well; some of these are secrets. */
export const KEPT_VARIABLES = [
  'PLUMB_GIT_PASSWORD',
  'PLUMB_REDIS_URL',
  'PLUMB_REDIS_PASSWORD',
  'PLUMB_REDIS_SENTINEL_PASSWORD',
  'PLUMB_KUBECTL',
  'PLUMB_HELM',
  'PLUMB_LOG_LEVEL',
  'NODE_EXTRA_CA_CERTS',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
] as const;

/**
 * The file of variables: those of `before` that are not given now, and the given ones. Source: systemd.exec(5),
 * `EnvironmentFile=`: in double quotes a backslash stands before `"`, `\`, `` ` `` and `$`. Throws CliFailure 2 for a
 * value of several lines.
 */
export function environmentText(before: string, env: Readonly<NodeJS.ProcessEnv>): string {
  const given = KEPT_VARIABLES.flatMap((name) => {
    const value = env[name];
    if (value === undefined || value === '') return [];
    if (/[\n\r\0]/.test(value)) throw new CliFailure(2, `${name} has several lines`);
    return [[name, `${name}="${value.replaceAll(/["\\`$]/g, '\\$&')}"`] as const];
  });
  const names = new Set<string>(given.map(([name]) => name));
  const kept = before.split('\n').filter((line) => line !== '' && !names.has(line.split('=', 1)[0] ?? ''));
  return [...kept, ...given.map(([, line]) => line), ''].join('\n');
}
