/**
 * Annotations of pods that a field has taken the place of. AppArmor's are acted on in Kubernetes, so that here they are
 * refused where they say anything else than the field: a pod is never less confined than its manifest says. Seccomp's
 * do nothing in Kubernetes either. Source: Kubernetes pkg/registry/core/pod/strategy.go (applyAppArmorVersionSkew),
 * pkg/api/pod/warnings.go, pkg/apis/core/validation (ValidateAppArmorPodAnnotations).
 */
import type { Container, PodSpec } from '../../../../contracts/objects/index.ts';
import { containersOf, type PodTemplate } from '../pod-templates.ts';
import type { CheckContext } from './context.ts';

const APP_ARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';

type AppArmorProfile = NonNullable<NonNullable<PodSpec['securityContext']>['appArmorProfile']>;
/** What a container has that says nothing, and is not written down. */
const DEFAULT_PROFILE: AppArmorProfile = { type: 'RuntimeDefault' };

export function checkPodAnnotations(template: PodTemplate, context: CheckContext): void {
  for (const [key, value] of Object.entries(template.annotations ?? {})) {
    if (key.startsWith(APP_ARMOR_PREFIX) && value !== '')
      checkAppArmor(template, key, key.slice(APP_ARMOR_PREFIX.length), value, context);
    else if (key === SECCOMP_POD || key.startsWith(SECCOMP_PREFIX))
      context.warning(
        'AnnotationIgnored',
        annotationPath(template, key),
        'does nothing, as in Kubernetes since 1.27',
        `write securityContext.seccompProfile of the ${key === SECCOMP_POD ? 'pod' : 'container'}`,
      );
  }
}

function checkAppArmor(template: PodTemplate, key: string, name: string, value: string, { error }: CheckContext): void {
  const at = annotationPath(template, key);
  const container = containersOf(template).find((placed) => placed.container.name === name)?.container;
  const said = profileIn(value);
  if (!container) {
    error('InvalidValue', at, `names no container of this pod`);
  } else if (!said) {
    error(
      'InvalidValue',
      at,
      `is no AppArmor profile: ${JSON.stringify(value)}`,
      'runtime/default, unconfined or localhost/NAME',
    );
  } else if (!isSame(said, profileOf(container, template.spec))) {
    if (container.securityContext?.appArmorProfile)
      error(
        'InvalidValue',
        at,
        `must say the same as securityContext.appArmorProfile of container ${name}`,
        'remove it',
      );
    else
      error(
        'UnsupportedField',
        at,
        'is the older form of a field, and Plumbline acts on the field alone',
        `write securityContext: {appArmorProfile: ${written(said)}} in container ${name}`,
      );
  }
}

function annotationPath({ path }: PodTemplate, key: string): (string | number)[] {
  return [...path.slice(0, -1), 'metadata', 'annotations', key];
}

function profileIn(value: string): AppArmorProfile | undefined {
  if (value === 'runtime/default') return DEFAULT_PROFILE;
  if (value === 'unconfined') return { type: 'Unconfined' };
  const localhostProfile = value.startsWith('localhost/') ? value.slice('localhost/'.length) : '';
  return localhostProfile === '' ? undefined : { type: 'Localhost', localhostProfile };
}

function profileOf(container: Container, spec: PodSpec): AppArmorProfile {
  return container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile ?? DEFAULT_PROFILE;
}

function isSame(a: AppArmorProfile, b: AppArmorProfile): boolean {
  return a.type === b.type && a.localhostProfile === b.localhostProfile;
}

function written({ type, localhostProfile }: AppArmorProfile): string {
  return localhostProfile === undefined ? `{type: ${type}}` : `{type: ${type}, localhostProfile: ${localhostProfile}}`;
}
