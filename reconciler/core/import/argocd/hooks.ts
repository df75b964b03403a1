/**
 * Hooks of manifests and of charts' templates stay as they are, and are run as `core/diff` reads them. Told of are those that it
 * does not run. By the text: a template is no YAML yet.
 */
import type { Report } from '../report.ts';

const HOOK = /^\s+["']?argocd\.argoproj\.io\/hook["']?\s*:\s*["']?([^"'\n#]*)/;
const GENERATE_NAME = /^\s+["']?generateName["']?\s*:/;
/** Words of a hook that is run when its App goes. */
const AT_THE_END = ['PreDelete', 'PostDelete'];

export function tellOfHooks(texts: ReadonlyMap<string, string>, report: Report): void {
  for (const [file, text] of texts) {
    if (!/\.ya?ml$/i.test(file) || !text.includes('argocd.argoproj.io/hook')) continue;
    let line = 1;
    for (const document of text.split(/^(?=---(?:\s|$))/m)) {
      const lines = document.split('\n');
      const hook = lines.find((each) => HOOK.test(each));
      const generated = lines.findIndex((each) => GENERATE_NAME.test(each));
      const place = (at: number): { file: string; line: number; column: number } => {
        const written = lines[at] ?? '';
        return { file, line: line + at, column: written.length - written.trimStart().length + 1 };
      };
      if (hook !== undefined) {
        const words = (HOOK.exec(hook)?.[1] ?? '').split(',').map((word) => word.trim());
        for (const word of AT_THE_END.filter((each) => words.includes(each)))
          report.lost(
            place(lines.indexOf(hook)),
            `the hook ${word} of Argo CD is not run here`,
            'do by hand what it does, before its manifests go',
          );
        if (generated >= 0)
          report.invalid(
            place(generated),
            'a hook of Argo CD with generateName has no name of its own',
            'write metadata.name in its place: the one of the last commit goes before it is made anew',
          );
      }
      line += lines.length - 1;
    }
  }
}
