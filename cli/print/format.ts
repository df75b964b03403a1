/** `-o`: what a command prints its data as. Data goes to stdout, everything else to stderr. */
import { InvalidArgumentError, Option } from 'commander';
import { escaped, print } from './terminal.ts';

export function outputOption(...choices: readonly string[]): Option {
  return new Option('-o, --output <format>', 'print as').choices([...choices]);
}

/** Prints `data` as JSON or YAML when that was asked for; tells whether it did. */
export async function printData(data: unknown, format: string | undefined): Promise<boolean> {
  if (format === 'json') {
    await print(`${escaped(JSON.stringify(data, null, 2))}\n`);
    return true;
  }
  if (format === 'yaml') {
    const { yamlText } = await import('./yaml.ts');
    await print(yamlText(data));
    return true;
  }
  return false;
}

/** A whole number that is not negative. Throws what commander tells together with the option's name. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It is no whole number of 0 or more.');
  return Number(text);
}

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const;

/**
 * Seconds of a duration as Go writes it (`90s`, `1h30m`), rounded, one at least. Throws what commander tells together with
 * the option's name.
 */
export function durationSeconds(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (text === '' || parts.map(([part]) => part).join('') !== text)
    throw new InvalidArgumentError('It is no duration such as 90s, 5m or 1h30m.');
  const seconds = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS],
    0,
  );
  return Math.max(1, Math.round(seconds));
}
