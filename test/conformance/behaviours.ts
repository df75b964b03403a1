/**
 * The behaviours that Kubernetes' conformance suite demands, as this project counts them (README.md). A test that shows
 * some on real parts names them at the end of its title: `keeps its hosts file [conformance: kubelet-hostaliases]`.
 */
import { readFileSync } from 'node:fs';

/** `never` makes no sense here; the row's summary says why. */
export const CLASSES = ['pod', 'net', 'api', 'auth', 'storage', 'never'] as const;
export type BehaviourClass = (typeof CLASSES)[number];

export interface Behaviour {
  readonly id: string;
  readonly area: string;
  readonly class: BehaviourClass;
  /** Kubernetes' name of the test. */
  readonly testname: string;
  readonly summary: string;
}

/** All of them, in the table's order. Throws where a row is not one. */
export function readBehaviours(): readonly Behaviour[] {
  const [, ...rows] = readFileSync(new URL('behaviours.tsv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return rows.map((row) => {
    const [id = '', area = '', word = '', testname = '', summary] = row.split('\t');
    const found = CLASSES.find((name) => name === word);
    if (!found || summary === undefined) throw new Error(`behaviours.tsv: not a row: ${row}`);
    return { id, area, class: found, testname, summary };
  });
}

/** The ids that a test's title names, and only those it names as it should: nothing else begins with `[conformance`. */
export function behavioursNamed(title: string): readonly string[] {
  const list = /\[conformance: ([a-z0-9-]+(?:, [a-z0-9-]+)*)\]$/.exec(title)?.[1];
  return list?.split(', ') ?? [];
}
