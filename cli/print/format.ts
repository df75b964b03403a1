/** `-o`: what a command prints its data as. Data goes to stdout, everything else to stderr. */
import { Option } from 'commander';
import { CliFailure } from '../failure.ts';
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

/** A whole number that is not negative. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new CliFailure(2, `${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
