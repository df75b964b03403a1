/** Texts of an App with values of its variables: within a bound, and without values of Secrets where all would see them. */
import type { App } from '../../../contracts/objects/index.ts';
import { MAX_FILE_BYTES } from '../manifests/select-files.ts';
import type { Diagnostic, Position } from '../manifests/types.ts';
import type { AppVariables } from './object-values.ts';
import { exposedSecret } from './secret-variables.ts';
import { substitute } from './substitution.ts';

/** Of all that an App becomes by its variables, in characters. */
const MAX_OUTPUT = 32 * 1024 * 1024;

/** What is left of that; one for all texts of an App. */
export interface SubstitutionBudget {
  left: number;
}

export function substitutionBudget(): SubstitutionBudget {
  return { left: MAX_OUTPUT };
}

/**
 * The text with values of variables, where the App asks for them, document by document; or what stands against it.
 * `place`: of a line of it, from 1.
 */
export function substituted(
  { metadata, spec: { substitute: spec } }: App,
  bytes: Uint8Array,
  { values, secret }: AppVariables,
  budget: SubstitutionBudget,
  place: (line: number) => Position,
): Uint8Array | readonly Diagnostic[] {
  if (!spec) return bytes;
  const wrong: Diagnostic[] = [];
  const parts: string[] = [];
  let line = 1;
  for (const document of new TextDecoder().decode(bytes).split(/^(?=---)/m)) {
    const done = substitute(document, values, spec.strict, Math.min(MAX_FILE_BYTES, budget.left));
    const exposed = 'text' in done ? exposedSecret(document, done.text, values, secret) : undefined;
    if ('text' in done) {
      budget.left -= done.text.length;
      parts.push(done.text);
    }
    for (const each of 'wrong' in done ? done.wrong : exposed ? [exposed] : []) {
      const message = `App ${metadata.name}: ${each.message}`;
      wrong.push({
        severity: 'error',
        code: each.code,
        ...place(line + each.line - 1),
        message,
        hint: HINT[each.code],
      });
    }
    line += document.split('\n').length - 1;
  }
  return wrong.length > 0 ? wrong : new TextEncoder().encode(parts.join(''));
}

export function isRefused(said: Uint8Array | readonly Diagnostic[]): said is readonly Diagnostic[] {
  return Array.isArray(said);
}

const HINT = {
  UnsetVariable: 'give it a value in spec.substitute, or write ${NAME:=default} or, for the text itself, $${NAME}',
  UnsupportedValue: 'known are ${NAME}, ${NAME:=default} and ${NAME:-default}',
  AppTooLarge: 'use shorter values',
  SecretExposed: 'put it into a Secret, and let pods read it there; what is no secret belongs in a ConfigMap',
};
