/**
 * `$(NAME)` references in commands, arguments and environment values. `$$` is a literal `$`; a reference to nothing
 * stays as it is. Source: Kubernetes API reference, EnvVar.value and Container.command.
 */
import type { Resolved } from './resolved.ts';

/**
 * Characters of a program's words, or of its environment. The kernel starts none that has more bytes (execve(2): three
 * quarters of _STK_LIM), and a few values that name one another would come to more than any memory holds.
 */
export const MOST_CHARS = 6 * 2 ** 20;

/** Or why not: it would become longer than {@link MOST_CHARS}. */
export function expandReferences(text: string, lookup: (name: string) => string | undefined): Resolved<string> {
  let chars = text.length;
  let isTooLong = chars > MOST_CHARS;
  const value = text.replace(/\$(?:\$|\(([^()]*)\))/g, (whole, name: string | undefined) => {
    const meant = name === undefined ? '$' : (lookup(name) ?? whole);
    chars += meant.length - whole.length;
    isTooLong ||= chars > MOST_CHARS;
    return isTooLong ? '' : meant;
  });
  return isTooLong ? tooLong('a text with references') : { ok: true, value };
}

export function tooLong(what: string): Resolved<never> {
  return { ok: false, message: `${what} comes to more than ${MOST_CHARS} characters` };
}
