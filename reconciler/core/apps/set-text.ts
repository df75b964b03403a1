/** Texts of an AppSet's template: `${name}`, `${labels.zone}`, and `$${` for the two characters themselves. */

export type SetText = readonly (string | SetVariable)[];
export interface SetVariable {
  /** `name`, `labels.topology.kubernetes.io/zone`. */
  readonly variable: string;
}
/** What a text cannot say; for people. */
export interface WrongText {
  readonly wrong: string;
}

const VARIABLE = /\$\$\{|\$\{([^${}]*)(\}?)/g;
const NAME = /^[A-Za-z_][\w./-]*$/;
const MAX_NAME = 512;

/** The pieces of a text, literal ones not empty. One without variables is itself. */
export function setText(text: string): SetText | WrongText {
  if (!text.includes('${')) return [text];
  const parts: (string | SetVariable)[] = [];
  let literal = '';
  let end = 0;
  for (const { 0: all, 1: name, 2: close, index } of text.matchAll(VARIABLE)) {
    literal += text.slice(end, index);
    end = index + all.length;
    if (name === undefined) {
      literal += '${';
      continue;
    }
    if (close === '') return { wrong: 'has ${ without a } after its name' };
    if (!NAME.test(name) || name.length > MAX_NAME)
      return { wrong: `has \${${name.slice(0, 40)}}, which is no name of a variable` };
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push({ variable: name });
  }
  literal += text.slice(end);
  return literal === '' && parts.length > 0 ? parts : [...parts, literal];
}

export function isWrong(text: SetText | WrongText): text is WrongText {
  return 'wrong' in text;
}
