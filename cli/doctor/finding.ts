/** One thing that `plumb doctor` looked at. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly subject: string;
  /** `warning`: some things will not work. `missing`: nothing will. */
  readonly state: 'ok' | 'warning' | 'missing';
  readonly message: string;
  /** What to do; absent where all is well. */
  readonly advice?: string;
}

export function ok(subject: string, message: string): Finding {
  return { subject, state: 'ok', message };
}

export function warning(subject: string, message: string, advice: string): Finding {
  return { subject, state: 'warning', message, advice };
}

export function missing(subject: string, message: string, advice: string): Finding {
  return { subject, state: 'missing', message, advice };
}
