/** What a pod violates of a level. Source: Kubernetes, pod-security-admission/policy/registry.go. */
import { BASELINE } from './baseline.ts';
import type { Check, Judge, SecuredPod } from './check.ts';
import { LATEST_MINOR, levelText, type LevelVersion } from './policy.ts';
import { RESTRICTED } from './restricted.ts';

/** All that a pod may be held against, by Kubernetes' names. */
export const CHECKS: readonly Check[] = [...BASELINE, ...RESTRICTED];

/**
 * `PodSecurity "restricted:latest": REASON (DETAIL), ...` of a pod that violates it, undefined of one that does not.
 * The sentence begins with the caller's verb.
 */
export function violated(asked: LevelVersion, pod: SecuredPod): string | undefined {
  const found = judgesOf(asked).flatMap((judge) => judge(pod) ?? []);
  if (found.length === 0) return undefined;
  const told = found.map(({ reason, detail }) => `${reason} (${detail})`);
  return `PodSecurity "${levelText(asked)}": ${told.join(', ')}`;
}

function judgesOf({ level, version }: LevelVersion): readonly Judge[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? LATEST_MINOR : Math.min(version, LATEST_MINOR);
  const asked = CHECKS.flatMap((check) => {
    const judge = check.level === level || check.level === 'baseline' ? judgeAt(check, minor) : undefined;
    return judge ? [{ check, judge }] : [];
  });
  const overridden = new Set(asked.flatMap(({ check }) => check.overrides ?? []));
  return asked.filter(({ check }) => !overridden.has(check.id)).map(({ judge }) => judge);
}

function judgeAt({ since }: Check, minor: number): Judge | undefined {
  return since.findLast(([first]) => first <= minor)?.[1];
}
