/** What `.gitmodules` says of each submodule. Source: gitmodules(5), and "CONFIGURATION FILE" of git-config(1). */

export interface SubmoduleEntry {
  readonly path: string;
  readonly url: string;
  /** Where its commits are looked for besides the branch of its HEAD. */
  readonly branch: string | undefined;
  /** `update = none`: Git checks it out for nobody. */
  readonly isLeftOut: boolean;
  /** Of its section, from 1. */
  readonly line: number;
}

export type Gitmodules =
  | { readonly ok: true; readonly byPath: ReadonlyMap<string, SubmoduleEntry> }
  | { readonly ok: false; readonly line: number; readonly message: string };

interface Section {
  readonly line: number;
  readonly values: Map<string, string>;
}

const SECTION = /^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\](.*)$/;
const VARIABLE = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=(.*))?$/;
const COMMENT = /^\s*([#;].*)?$/;
/** As a branch may be named, without what nobody has in one. */
const BRANCH = /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$/;

/** Entries without a path or a URL are left out, as Git does. Sections of one name are one. */
export function readGitmodules(text: string): Gitmodules {
  const sections = new Map<string, Section>();
  let section: Section | undefined;
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let rest = lines[at] ?? '';
    const header = SECTION.exec(rest);
    if (header) {
      const [, kind = '', name, more = ''] = header;
      section = undefined;
      if (kind.toLowerCase() === 'submodule' && name !== undefined) {
        const known = sections.get(name) ?? { line, values: new Map<string, string>() };
        sections.set(name, known);
        section = known;
      }
      rest = more;
    }
    if (COMMENT.test(rest)) continue;
    const variable = VARIABLE.exec(rest);
    if (!variable) return { ok: false, line, message: 'is no line of a Git configuration' };
    const parts = [variable[2] ?? ''];
    while (goesOn(parts.at(-1) ?? '') && at + 1 < lines.length) {
      parts.push((parts.pop() ?? '').slice(0, -1));
      parts.push(lines[++at] ?? '');
    }
    const value = valueOf(parts.join(''));
    if (value === undefined) return { ok: false, line, message: 'has a quote or a backslash that Git does not read' };
    section?.values.set((variable[1] ?? '').toLowerCase(), value);
  }
  return byPath(sections.values());
}

/** Whether the next line belongs to this one: its last backslash has none before it that makes it a plain one. */
function goesOn(line: string): boolean {
  let backslashes = 0;
  while (line.charAt(line.length - 1 - backslashes) === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

function byPath(sections: Iterable<Section>): Gitmodules {
  const found = new Map<string, SubmoduleEntry>();
  for (const { line, values } of sections) {
    const [path, url, branch = ''] = [values.get('path'), values.get('url'), values.get('branch')];
    if (path === undefined || url === undefined) continue;
    const plain = path.replace(/\/+$/, '');
    if (found.has(plain)) return { ok: false, line, message: `names ${plain} a second time` };
    found.set(plain, {
      path: plain,
      url,
      branch: BRANCH.test(branch) && !branch.includes('..') ? branch : undefined,
      isLeftOut: values.get('update') === 'none',
      line,
    });
  }
  return { ok: true, byPath: found };
}

const ESCAPED = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['b', '\b'],
  ['"', '"'],
  ['\\', '\\'],
]);

/** Without quotes, comments, and blanks around; undefined where Git would not read it. */
function valueOf(written: string): string | undefined {
  let value = '';
  /** Length up to the last character that is no blank outside of quotes. */
  let kept = 0;
  let isQuoted = false;
  for (let i = 0; i < written.length; i++) {
    const char = written.charAt(i);
    if (char === '\\') {
      const meant = ESCAPED.get(written.charAt(++i));
      if (meant === undefined) return undefined;
      value += meant;
      kept = value.length;
    } else if (char === '"') {
      isQuoted = !isQuoted;
      kept = Math.max(kept, value.length);
    } else if (!isQuoted && (char === '#' || char === ';')) break;
    else if (isQuoted || !/\s/.test(char)) {
      value += char;
      kept = value.length;
    } else if (value !== '') value += char;
  }
  return isQuoted ? undefined : value.slice(0, kept);
}
