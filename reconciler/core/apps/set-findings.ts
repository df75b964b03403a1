/** What is wrong with an AppSet: the same mistake in many of its elements is told once. */
import type { DiagnosticCode } from '../manifests/codes.ts';
import type { Diagnostic, Position } from '../manifests/types.ts';

/** Of one set; more help nobody. */
const MAX_TOLD = 100;

export class SetFindings {
  readonly #set: string;
  readonly #found = new Map<string, { readonly first: Diagnostic; readonly words: string; count: number }>();
  #more = 0;
  #moreSeverity: Diagnostic['severity'] = 'warning';

  constructor(set: string) {
    this.#set = set;
  }

  failed(at: Position, message: string, hint: string): void {
    this.#add({ severity: 'error', code: 'AppSetFailed', ...placed(at), message, hint });
  }

  warning(code: DiagnosticCode, at: Position, message: string, hint: string): void {
    this.#add({ severity: 'warning', code, ...placed(at), message, hint });
  }

  /** Of what an element is made into; `element`: its words. */
  ofElement(element: string, diagnostic: Diagnostic): void {
    this.#add(diagnostic, element);
  }

  all(): readonly Diagnostic[] {
    const all = [...this.#found.values()].map(({ first, words, count }): Diagnostic => {
      const element = words === '' ? '' : `, element ${words}${count > 1 ? ` and ${count - 1} more` : ''}`;
      return { ...first, message: `AppSet ${this.#set}${element}: ${first.message}` };
    });
    const last = all.at(-1);
    if (!last || this.#more === 0) return all;
    const message = `AppSet ${this.#set}: ${this.#more} more findings are not shown`;
    const severity = this.#moreSeverity;
    return [...all, { ...last, severity, code: 'TooManyErrors', message, hint: 'mend the others, and check again' }];
  }

  #add(diagnostic: Diagnostic, words = ''): void {
    const { severity, code, file, line, column, message } = diagnostic;
    const key = JSON.stringify([severity, code, file, line, column, message]);
    const known = this.#found.get(key);
    if (known) known.count++;
    else if (this.#found.size < MAX_TOLD) this.#found.set(key, { first: diagnostic, words, count: 1 });
    else {
      this.#more++;
      if (severity === 'error') this.#moreSeverity = severity;
    }
  }
}

function placed({ file, line, column }: Position): Pick<Position, 'file' | 'line' | 'column'> {
  return { file, line, column };
}
