/**
 * Tests of Gateway API's own conformance suite by name, and how far each behaviour is shown here: on `hosts`, by a test that
 * names it; in `parts`, by what is decided and what a real HAProxy does with that; `not yet`, or `never`, with the reason.
 * Source: kubernetes-sigs/gateway-api, conformance/tests (development of 1.5); of those that came last some may be missing.
 */
import { readFileSync } from 'node:fs';

export const SHOWN = ['hosts', 'parts', 'not yet', 'never'] as const;

export interface GatewayBehaviour {
  readonly name: string;
  readonly shown: (typeof SHOWN)[number];
  /** A test file for `hosts` and `parts`; else why it is not shown. */
  readonly where: string;
}

/** In the order of their names. Throws where a row is not one. */
export function readGatewayBehaviours(): readonly GatewayBehaviour[] {
  const [, ...rows] = readFileSync(new URL('gateway-api.tsv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return rows.map((row) => {
    const [name = '', word, where] = row.split('\t');
    const shown = SHOWN.find((one) => one === word);
    if (!shown || where === undefined) throw new Error(`gateway-api.tsv: not a row: ${row}`);
    return { name, shown, where };
  });
}

/** How many there are of each. */
export function gatewayTally(behaviours: readonly GatewayBehaviour[]): Readonly<Record<string, number>> {
  return Object.fromEntries(SHOWN.map((word) => [word, behaviours.filter(({ shown }) => shown === word).length]));
}
