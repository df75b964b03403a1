/**
 * What a namespace's labels ask of its pods. Source: Kubernetes, pod-security-admission/api (PolicyToEvaluate, ParseLevel,
 * ParseVersion), and 1.26's changelog: `warn` is as `enforce` where no label says it.
 */
import { readKey } from '../../../contracts/objects/index.ts';

export const POD_SECURITY_PREFIX = 'pod-security.kubernetes.io/';

export const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof LEVELS)[number];

/** The newest version whose standard is known; of a newer one nothing else is asked. */
export const LATEST_MINOR = 35;

export interface LevelVersion {
  readonly level: Level;
  /** Kubernetes' version 1.N, as N. */
  readonly version: number | 'latest';
}

export interface PodSecurityPolicy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}
export const MODES = ['enforce', 'audit', 'warn'] as const satisfies readonly (keyof PodSecurityPolicy)[];

/** The names of the labels that are read. */
export const POD_SECURITY_LABELS: readonly string[] = MODES.flatMap((mode) => [
  `${POD_SECURITY_PREFIX}${mode}`,
  `${POD_SECURITY_PREFIX}${mode}-version`,
]);

/** A label whose value says nothing. */
export interface LabelProblem {
  readonly label: string;
  readonly message: string;
}

type Labels = Readonly<Record<string, string>>;

const PRIVILEGED: LevelVersion = { level: 'privileged', version: 'latest' };
const UNLABELLED: PodSecurityPolicy = { enforce: PRIVILEGED, audit: PRIVILEGED, warn: PRIVILEGED };

/**
 * The policy of these labels. A level that cannot be read refuses as the strictest one does where it is enforced, and tells
 * nothing elsewhere; a version that cannot be read is the latest.
 */
export function policyOf(labels: Labels | undefined): PodSecurityPolicy {
  if (labels === undefined || !Object.keys(labels).some((label) => label.startsWith(POD_SECURITY_PREFIX)))
    return UNLABELLED;
  const enforce = modeOf('enforce', labels, PRIVILEGED, 'restricted');
  const isEnforced = isLevel(readKey(labels, `${POD_SECURITY_PREFIX}enforce`));
  return {
    enforce,
    audit: modeOf('audit', labels, PRIVILEGED, 'privileged'),
    warn: modeOf('warn', labels, isEnforced ? enforce : PRIVILEGED, 'privileged'),
  };
}

/** Which of these labels cannot be read. */
export function labelProblems(labels: Labels | undefined): readonly LabelProblem[] {
  return MODES.flatMap((mode) => {
    const [name, versionName] = [`${POD_SECURITY_PREFIX}${mode}`, `${POD_SECURITY_PREFIX}${mode}-version`];
    const [level, version] = [readKey(labels, name), readKey(labels, versionName)];
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [{ label: name, message: `must be one of ${LEVELS.join(', ')}, found "${level}"` }]),
      ...(version === undefined || parseVersion(version) !== undefined
        ? []
        : [{ label: versionName, message: `must be "latest" or "v1.x", found "${version}"` }]),
    ];
  });
}

/** `restricted:latest`, `baseline:v1.30`. */
export function levelText({ level, version }: LevelVersion): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`;
}

function modeOf(mode: keyof PodSecurityPolicy, labels: Labels, unsaid: LevelVersion, unreadable: Level): LevelVersion {
  const level = readKey(labels, `${POD_SECURITY_PREFIX}${mode}`);
  const version = readKey(labels, `${POD_SECURITY_PREFIX}${mode}-version`);
  return {
    level: level === undefined ? unsaid.level : isLevel(level) ? level : unreadable,
    version: version === undefined ? unsaid.version : (parseVersion(version) ?? 'latest'),
  };
}

function isLevel(text: string | undefined): text is Level {
  return LEVELS.some((level) => level === text);
}

/** A number that nobody can mean is none. */
function parseVersion(text: string): LevelVersion['version'] | undefined {
  if (text === 'latest') return 'latest';
  const minor = /^v1\.(0|[1-9]\d{0,3})$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}
