/**
 * Variables in what an App renders to, in Flux' form: `${VAR}`, `${VAR:=default}`, `${VAR:-default}`; `$${VAR}` stands for
 * `${VAR}` itself. Source: Flux, Kustomization API v1, "Post build variable substitution". The other forms of its library
 * (`${VAR/a/b}`, `${VAR:1:2}`) are refused.
 */

export type Variables = ReadonlyMap<string, string>;

export interface Unsubstituted {
  /** In the text as it was, 1-based. */
  readonly line: number;
  readonly message: string;
  readonly code: 'UnsetVariable' | 'UnsupportedValue' | 'AppTooLarge' | 'SecretExposed';
}

/** `$${...}`, or `${...}` with all up to its end. */
const VARIABLE = /\$\$\{|\$\{([^}\n]*)\}?/g;
const FORM = /^([_A-Za-z]\w*)(?:(:?[-=])(.*))?$/;
/** An object with this annotation or label stays as it is. */
const DISABLED = /^ +["']?kustomize\.toolkit\.fluxcd\.io\/substitute["']?: *["']?disabled["']?\s*$/m;

/**
 * The text with the values of the variables, or what stands against it. `maxLength`: of the answer, in characters; no more
 * is built.
 */
export function substitute(
  text: string,
  variables: Variables,
  strict: boolean,
  maxLength: number,
): { readonly text: string } | { readonly wrong: readonly Unsubstituted[] } {
  if (!text.includes('${') || DISABLED.test(text)) return { text };
  const wrong: Unsubstituted[] = [];
  const parts: string[] = [];
  let length = 0;
  let at = 0;
  const add = (part: string): void => {
    length += part.length;
    parts.push(part);
  };
  const tell = (offset: number, code: Unsubstituted['code'], message: string): void => {
    if (wrong.length < MAX_TOLD) wrong.push({ line: text.slice(0, offset).split('\n').length, code, message });
  };
  for (const match of text.matchAll(VARIABLE)) {
    if (length > maxLength) {
      tell(match.index, 'AppTooLarge', 'gets too long by the values of variables');
      break;
    }
    add(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) {
      add('${');
      continue;
    }
    const [, name, operator, otherwise = ''] = FORM.exec(match[1]) ?? [];
    const shown = match[0].slice(0, 60);
    if (name === undefined || !match[0].endsWith('}') || otherwise.includes('$'))
      tell(
        match.index,
        'UnsupportedValue',
        `${shown} is no variable in a form that is known: write $\${ for the text itself`,
      );
    else {
      const value = variables.get(name);
      // As in a shell: with the colon an empty value counts as none.
      const isSet = value !== undefined && !(operator?.startsWith(':') === true && value === '');
      if (isSet) add(value);
      else if (operator !== undefined) add(otherwise);
      else if (strict) tell(match.index, 'UnsetVariable', `the variable ${name} has no value`);
    }
  }
  add(text.slice(at));
  if (wrong.length === 0 && length > maxLength) tell(0, 'AppTooLarge', 'gets too long by the values of variables');
  return wrong.length > 0 ? { wrong } : { text: parts.join('') };
}

/** The variables of a text, each where it stands first, 1-based. */
export function variablesIn(text: string): readonly { readonly name: string; readonly line: number }[] {
  const found = new Map<string, number>();
  let line = 1;
  let at = 0;
  for (const match of text.matchAll(VARIABLE)) {
    const name = match[1] === undefined ? undefined : FORM.exec(match[1])?.[1];
    if (name === undefined || found.has(name)) continue;
    line += text.slice(at, match.index).split('\n').length - 1;
    at = match.index;
    found.set(name, line);
  }
  return [...found].map(([name, first]) => ({ name, line: first }));
}

const MAX_TOLD = 20;
