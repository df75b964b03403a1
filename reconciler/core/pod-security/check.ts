/** What a check of the standard is, and the words that checks share. */
import { andMore } from '../and-more.ts';
import type { Level } from './policy.ts';

/** Fields of the security context that a pod and its containers share. */
interface Confinement {
  readonly runAsUser?: number | undefined;
  readonly runAsNonRoot?: boolean | undefined;
  readonly seccompProfile?: { readonly type: string } | undefined;
  readonly appArmorProfile?: { readonly type: string } | undefined;
  readonly seLinuxOptions?:
    | { readonly type?: string | undefined; readonly user?: string | undefined; readonly role?: string | undefined }
    | undefined;
}

interface Handler {
  readonly httpGet?: { readonly host?: string | undefined } | undefined;
  readonly tcpSocket?: { readonly host?: string | undefined } | undefined;
}

export interface SecuredContainer {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly { readonly hostPort?: number | undefined }[] | undefined;
  readonly livenessProbe?: Handler | undefined;
  readonly readinessProbe?: Handler | undefined;
  readonly startupProbe?: Handler | undefined;
  readonly lifecycle?: { readonly preStop?: Handler | undefined; readonly postStart?: Handler | undefined } | undefined;
  readonly securityContext?:
    | (Confinement & {
        readonly privileged?: boolean | undefined;
        readonly allowPrivilegeEscalation?: boolean | undefined;
        readonly capabilities?:
          { readonly add?: readonly string[] | undefined; readonly drop?: readonly string[] | undefined } | undefined;
        readonly procMount?: string | undefined;
      })
    | undefined;
}

/**
 * What the checks look at. Wider than what a pod's schema has: a field that is refused there today is judged on the day
 * that it is not.
 */
export interface SecuredSpec {
  readonly containers: readonly SecuredContainer[];
  readonly initContainers?: readonly SecuredContainer[] | undefined;
  readonly ephemeralContainers?: readonly SecuredContainer[] | undefined;
  readonly hostNetwork?: boolean | undefined;
  readonly hostPID?: boolean | undefined;
  readonly hostIPC?: boolean | undefined;
  /** False: the pod has a user namespace of its own. */
  readonly hostUsers?: boolean | undefined;
  readonly securityContext?:
    (Confinement & { readonly sysctls?: readonly { readonly name: string }[] | undefined }) | undefined;
  readonly volumes?: readonly { readonly name: string }[] | undefined;
}

export interface SecuredPod {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: SecuredSpec;
}

/** What is wrong, in a few words, and with whom. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type Judge = (pod: SecuredPod) => Violation | undefined;

export interface Check {
  /** Kubernetes' own. */
  readonly id: string;
  readonly level: Exclude<Level, 'privileged'>;
  /** The check of `baseline` in whose place it stands. */
  readonly overrides?: string;
  /** From which minor version on it is judged so; the newest last. */
  readonly since: readonly (readonly [minor: number, judge: Judge])[];
}

/** All that are ever run, in the order in which Kubernetes names them. */
export function containersOf(spec: SecuredSpec): readonly SecuredContainer[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

/** Names of the containers that are so. */
export function namesOf(pod: SecuredPod, isSo: (container: SecuredContainer) => boolean): readonly string[] {
  return containersOf(pod.spec).flatMap((container) => (isSo(container) ? [container.name] : []));
}

/** Those of one kind that are named in a message: more help nobody. */
const MOST_NAMED = 20;

/** Quoted, each once. */
export function quoted(names: readonly string[]): string {
  return andMore(
    [...new Set(names)].map((name) => `"${name}"`),
    MOST_NAMED,
  );
}

/** Without quotes, each once, in order. */
export function listed(names: Iterable<string>): string {
  return andMore([...new Set(names)].sort(), MOST_NAMED);
}

export function plural(count: number, one: string, more = `${one}s`): string {
  return count === 1 ? one : more;
}

/** `container "a"`, `containers "a", "b"`. */
export function containersText(names: readonly string[]): string {
  return `${plural(names.length, 'container')} ${quoted(names)}`;
}

/** Who sets it: `pod`, `container "a"` or `pod and container "a"`; undefined where nobody does. */
export function settersText(isPod: boolean, containers: readonly string[]): string | undefined {
  const setters = [...(isPod ? ['pod'] : []), ...(containers.length > 0 ? [containersText(containers)] : [])];
  return setters.length === 0 ? undefined : setters.join(' and ');
}

/** Whether the pod is in a user namespace of its own, where root is nobody outside. Source: KEP-127. */
export function hasOwnUsers({ spec }: SecuredPod): boolean {
  return spec.hostUsers === false;
}
