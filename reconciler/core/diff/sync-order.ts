/**
 * Where an object stands in the order of a sync, by annotations that are read as Argo CD and Helm wrote them. Source:
 * Argo CD, docs/user-guide/sync-waves.md, resource_hooks.md and helm.md; Helm, docs "Chart Hooks"; kpt and cli-utils,
 * pkg/object/dependson.
 */
import { readKey, type AnyKey, type AnyObject } from '../../../contracts/objects/index.ts';

export const SYNC_WAVE = 'argocd.argoproj.io/sync-wave';
export const HOOK = 'argocd.argoproj.io/hook';
const HOOK_DELETE_POLICY = 'argocd.argoproj.io/hook-delete-policy';
export const HELM_HOOK = 'helm.sh/hook';
const HELM_HOOK_WEIGHT = 'helm.sh/hook-weight';
const HELM_HOOK_DELETE_POLICY = 'helm.sh/hook-delete-policy';

/** Objects that are made and healthy before this one is touched, as kpt and Config Sync read it. */
export const DEPENDS_ON = 'config.kubernetes.io/depends-on';

/** Whose annotation it is that a live hook carries: of which commit and phase it is. */
export const HOOK_RUN = 'plumbline.dev/hook-run';

/** In their order. `SyncFail` is of no order: its hooks run where another phase failed. */
export const PHASES = ['PreSync', 'Sync', 'PostSync'] as const;
export type Phase = (typeof PHASES)[number] | 'SyncFail';

export interface Hook {
  /** None: it is never run here, and never made. */
  readonly phases: readonly Phase[];
  /** `install`: with the first revision that has its App alone; `upgrade`: with all others. */
  readonly on: 'any' | 'install' | 'upgrade';
  /** Whether it goes when the sync has ended; it always goes before it is made anew. */
  readonly goes: { readonly succeeded: boolean; readonly failed: boolean };
}

const HELM_PHASES: Readonly<Record<string, Phase>> = {
  'pre-install': 'PreSync',
  'pre-upgrade': 'PreSync',
  'post-install': 'PostSync',
  'post-upgrade': 'PostSync',
};

/** Helm's old word for definitions of kinds: they are there to stay. */
const CRD_INSTALL = 'crd-install';

/** Whether a word of the annotation {@link HELM_HOOK} means that the object is ever made. */
export function runsHelmHook(word: string): boolean {
  return word === CRD_INSTALL || readKey(HELM_PHASES, word) !== undefined;
}

/** The hook that an object is; undefined for one that is simply there. */
export function hookOf({ metadata: { annotations } }: AnyObject): Hook | undefined {
  if (!annotations) return undefined;
  const own = wordsOf(readKey(annotations, HOOK));
  if (own.length > 0) {
    const goes = wordsOf(readKey(annotations, HOOK_DELETE_POLICY));
    return {
      phases: [...PHASES, 'SyncFail' as const].filter((phase) => own.includes(phase)),
      on: 'any',
      goes: { succeeded: goes.includes('HookSucceeded'), failed: goes.includes('HookFailed') },
    };
  }
  const helm = wordsOf(readKey(annotations, HELM_HOOK)).filter((word) => word !== CRD_INSTALL);
  if (helm.length === 0) return undefined;
  const goes = wordsOf(readKey(annotations, HELM_HOOK_DELETE_POLICY));
  const has = (when: string): boolean => helm.some((word) => word.endsWith(`-${when}`));
  return {
    phases: PHASES.filter((phase) => helm.some((word) => readKey(HELM_PHASES, word) === phase)),
    on: has('install') === has('upgrade') ? 'any' : has('install') ? 'install' : 'upgrade',
    goes: { succeeded: goes.includes('hook-succeeded'), failed: goes.includes('hook-failed') },
  };
}

/** Lower ones go first, and are healthy before higher ones are touched; 0 where nothing, or no whole number, is said. */
export function syncWave({ metadata: { annotations } }: AnyObject): number {
  if (!annotations) return 0;
  const text = readKey(annotations, SYNC_WAVE) ?? readKey(annotations, HELM_HOOK_WEIGHT) ?? '0';
  return isWave(text) ? Number(text) : 0;
}

/** Whether the text is a wave: a whole number. */
export function isWave(text: string): boolean {
  return /^[-+]?\d{1,9}$/.test(text.trim());
}

/** Words of the annotation {@link HOOK} that nobody knows. */
export function unknownHooks(text: string): readonly string[] {
  const known: readonly string[] = [...PHASES, 'SyncFail', 'Skip', 'PreDelete', 'PostDelete'];
  return wordsOf(text).filter((word) => !known.includes(word));
}

/** References of the annotation {@link DEPENDS_ON}, each once, in its order. */
export function dependsOn({ metadata: { annotations } }: AnyObject): readonly string[] {
  return annotations ? [...new Set(wordsOf(readKey(annotations, DEPENDS_ON)))] : [];
}

/** `apps/namespaces/shop/Deployment/web` or, where it is in no namespace, `scheduling.k8s.io/PriorityClass/high`; the core group is empty. */
export function isReference(text: string): boolean {
  return /^[-.\w]*(?:\/namespaces\/[-.\w]+)?\/[-\w]+\/[-.:\w]+$/.test(text);
}

/** How others name the object. */
export function referenceTo(key: AnyKey, { apiVersion, kind, metadata: { name } }: AnyObject): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const namespace = key.split('/')[1] ?? '';
  return `${group}/${namespace === '' ? '' : `namespaces/${namespace}/`}${kind}/${name}`;
}

function wordsOf(text = ''): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
