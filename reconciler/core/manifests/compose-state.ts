/** All files of a revision to one desired state, checked against each other. */
import { STANDING_NAMESPACES, isCustom, KINDS, namesOf, type ObjectKey } from '../../../contracts/objects/index.ts';
import { finish, type Paced } from '../paced.ts';
import { UNREAD_CODES } from './codes.ts';
import { checkAppOrder, withAppPolicies } from './compose-apps.ts';
import { checkAutoscalers } from './compose-autoscalers.ts';
import { checkBudgets } from './compose-budgets.ts';
import { checkClasses } from './compose-classes.ts';
import { composeCustom } from './compose-custom.ts';
import { checkLimits } from './compose-limits.ts';
import { checkNetwork } from './compose-network.ts';
import { checkObjectOrder } from './compose-order.ts';
import { checkPlugins } from './compose-plugins.ts';
import { checkPodSecurity } from './compose-pod-security.ts';
import { checkQuotas } from './compose-quotas.ts';
import { checkReferences } from './compose-references.ts';
import { checkRecipients } from './compose-secrets.ts';
import { checkRuntimeClasses } from './compose-runtime-classes.ts';
import { checkStorage } from './compose-storage.ts';
import { checkGlobalDefault, checkPlacementReferences, checkSingletons } from './compose-scheduling.ts';
import { byPosition, type Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import { Suggestions } from './suggest.ts';
import type { DesiredCustom, DesiredObject, DesiredState, Diagnostic, ParsedFile, Rendering } from './types.ts';

/**
 * The desired state of a revision: what every file holds, and what is wrong with any of it, ordered by file, line,
 * column and code. The order of `files` does not matter. Where an error is among the diagnostics the state is
 * incomplete and must not be applied. `others`: diagnostics about files that were not parsed.
 */
export function* composing(files: readonly ParsedFile[], others: readonly Diagnostic[]): Paced<Rendering> {
  const diagnostics: Diagnostic[] = [...others, ...files.flatMap((f) => f.diagnostics)];
  const found = { error: new Bounded('errors'), warning: new Bounded('warnings') };
  const tell: Tell = (severity, code, { file, line, column, rendered }, message, hint) => {
    found[severity].add({
      severity,
      code,
      file,
      line,
      column,
      message,
      ...(hint !== undefined && { hint }),
      ...(rendered && { rendered }),
    });
  };
  const suggestions = new Suggestions();
  const ordered = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const state = uniqueObjects(ordered, tell);
  const refused = ordered.flatMap((f) => f.refused ?? []);
  const declared = new Set<ObjectKey>([...state.keys(), ...refused]);
  const complete = !diagnostics.some((d) => d.severity === 'error' && UNREAD_CODES.has(d.code));
  const { custom, kinds } = yield* composeCustom(ordered, state, { refused, complete, suggestions, tell });
  // What an unreadable file declares is not known: blaming others for its absence would only add noise.
  if (complete) {
    checkNamespaces([...state.values(), ...custom.values()], declared, suggestions, tell);
    checkReferences(state, declared, suggestions, tell);
    checkRuntimeClasses(state, declared, suggestions, tell);
    checkPlacementReferences(state, declared, suggestions, tell);
    checkPlugins(state, declared, suggestions, tell);
    checkStorage(state, declared, tell);
    checkAppOrder(state, declared, suggestions, tell);
    checkObjectOrder(state, custom, tell);
    checkClasses(state, declared, tell);
  }
  checkNetwork(state, tell);
  checkAutoscalers(state, complete ? declared : undefined, tell);
  checkBudgets(state, tell);
  yield* checkQuotas(state, tell);
  yield* checkLimits(state, tell);
  yield* checkPodSecurity(state, tell);
  checkSingletons(state, tell);
  checkGlobalDefault(state, tell);
  const sealed = ordered.flatMap((f) => f.sealed ?? []);
  checkRecipients(sealed, state, tell);
  diagnostics.push(...found.error.all(), ...found.warning.all());
  return {
    ...withAppPolicies(state, custom),
    kinds,
    diagnostics: diagnostics.sort(byPosition),
    ...(sealed.length > 0 && { sealed }),
  };
}

/** As {@link composing}, without a pause. */
export function composeState(files: readonly ParsedFile[], others: readonly Diagnostic[]): Rendering {
  return finish(composing(files, others));
}

/** Of one severity, so that warnings hide no error. More than anybody reads, and than one mistake in a label causes. */
const MAX_BETWEEN_OBJECTS = 500;

/** What is wrong between objects: the first ones, and how many more there are. */
class Bounded {
  readonly #word: string;
  readonly #kept: Diagnostic[] = [];
  #more = 0;

  constructor(word: string) {
    this.#word = word;
  }

  add(diagnostic: Diagnostic): void {
    if (this.#kept.length < MAX_BETWEEN_OBJECTS) this.#kept.push(diagnostic);
    else this.#more++;
  }

  all(): readonly Diagnostic[] {
    const last = this.#kept.toSorted(byPosition).at(-1);
    if (!last || this.#more === 0) return this.#kept;
    const { severity, file, line, column } = last;
    const message = `${this.#more} more ${this.#word} between objects are not shown`;
    const hint = 'mend the others, and check again';
    return [...this.#kept, { severity, code: 'TooManyErrors', file, line, column, message, hint }];
  }
}

function uniqueObjects(files: readonly ParsedFile[], tell: Tell): DesiredState {
  const state = new Map<ObjectKey, DesiredObject>();
  for (const desired of files.flatMap((f) => f.objects)) {
    const first = state.get(desired.key);
    if (!first) state.set(desired.key, desired);
    else if (KINDS[desired.object.kind].defaultName === first.object.metadata.name) {
      const { kind } = desired.object;
      tell(
        'error',
        'MultipleConfigurations',
        desired.position,
        `a repository has one ${kind}; the first is at ${first.position.file}:${first.position.line}`,
        'move what this one says there, and remove it here',
      );
    } else
      tell(
        'error',
        'DuplicateObject',
        desired.position,
        `${describe(desired)} is already at ${first.position.file}:${first.position.line}`,
        'remove one of the two',
      );
  }
  return state;
}

function describe({ object }: DesiredObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? `${object.kind} ${name}` : `${object.kind} ${name} in namespace ${namespace}`;
}

function isTyped(desired: DesiredObject | DesiredCustom): desired is DesiredObject {
  return !isCustom(desired.object);
}

function checkNamespaces(
  objects: readonly (DesiredObject | DesiredCustom)[],
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const names = [...STANDING_NAMESPACES, ...namesOf('Namespace', declared)];
  const known = new Set(names);
  for (const desired of objects) {
    const { namespace } = desired.object.metadata;
    // What is in none has been told, or has none.
    if (isTyped(desired) && !KINDS[desired.object.kind].namespaced) continue;
    if (namespace === undefined || known.has(namespace)) continue;
    const close = suggestions.closest(namespace, () => names);
    const hint = `${close ? `did you mean ${close}? If not, ` : ''}add a manifest of kind Namespace with this name`;
    tell(
      'error',
      'UnknownNamespace',
      positionOf(desired, 'metadata', 'namespace'),
      `namespace ${namespace} is in no manifest`,
      hint,
    );
  }
}
