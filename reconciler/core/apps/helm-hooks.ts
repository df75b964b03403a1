/**
 * What is left out of a chart's hooks. Those that run are the sync's (core/diff/sync-order.ts). Source of the names: Helm's
 * documentation, "Chart Hooks"; pkg/release/v1.
 */
import { LineCounter } from 'yaml';
import { Findings } from '../manifests/findings.ts';
import { readYaml } from '../manifests/read-yaml.ts';
import { nodeAt } from '../manifests/yaml-tree.ts';
import { HELM_HOOK, runsHelmHook } from '../diff/sync-order.ts';
import type { RenderedDocument } from './documents.ts';

/** Run by `helm test` alone: nobody asks for that here. */
const TESTS = new Set(['test', 'test-success', 'test-failure']);

export interface Hooks {
  /** What is applied, and hooks that are run. */
  readonly documents: readonly RenderedDocument[];
  /** Hooks that a chart may count on, and that are never run. */
  readonly warnings: readonly { readonly document: RenderedDocument; readonly message: string }[];
}

/** Hooks that are never run are left out before anything is asked of them: tests, and with a warning all others. */
export function withoutIdleHooks(all: readonly RenderedDocument[]): Hooks {
  const warnings: Hooks['warnings'][number][] = [];
  const documents = all.filter((document) => {
    const { hooks, kind } = hooksOf(document.text);
    if (hooks.length === 0 || hooks.some(runsHelmHook)) return true;
    if (!hooks.every((hook) => TESTS.has(hook)))
      warnings.push({
        document,
        message: `the hook ${hooks.join(', ')} of a ${kind} is left out: nothing here runs it`,
      });
    return false;
  });
  return { documents, warnings };
}

/** As the document's own annotation says; what only looks like one, in a text of a ConfigMap, is none. */
function hooksOf(text: string): { readonly hooks: readonly string[]; readonly kind: string } {
  const none = { hooks: [], kind: '' };
  if (!text.includes(HELM_HOOK)) return none;
  const lines = new LineCounter();
  const findings = new Findings('', lines, text);
  // What cannot be read stays, and is told when all is parsed.
  const root = readYaml(text, lines, findings, 'YAML')[0]?.root;
  const written = root && nodeAt(root, ['metadata', 'annotations', HELM_HOOK]);
  if (!root || written?.kind !== 'scalar') return none;
  const kind = nodeAt(root, ['kind']);
  const hooks = written.source.split(',').map((hook) => hook.trim());
  return { hooks: hooks.filter((hook) => hook !== ''), kind: kind?.kind === 'scalar' ? kind.source : 'object' };
}
