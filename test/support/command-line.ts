/** The command line of a benchmark or another program of ours: typed options, `--help`, and one line on wrong usage. */
import { parseArgs } from 'node:util';

interface Described {
  /** What it is for, after its name in the usage. */
  readonly says: string;
}
/** At least `least`; whole numbers only unless `fraction`. */
interface NumberOption extends Described {
  readonly takes: 'number';
  readonly default: number;
  readonly least: number;
  readonly fraction?: true;
}
/** Some of these names, the option given once for each. All when absent. */
interface NamesOption extends Described {
  readonly takes: 'names';
  readonly of: readonly string[];
}
/** Text that is in some of these names. Empty when absent. */
interface PatternOption extends Described {
  readonly takes: 'pattern';
  readonly of: readonly string[];
}
interface PathOption extends Described {
  readonly takes: 'path';
}
interface FlagOption extends Described {
  readonly takes: 'nothing';
}
type Option = NumberOption | NamesOption | PatternOption | PathOption | FlagOption;
export type Options = Readonly<Record<string, Option>>;

interface ValueOf {
  readonly number: number;
  readonly names: readonly string[];
  readonly pattern: string;
  readonly path: string | undefined;
  readonly nothing: boolean;
}
export type Values<O extends Options> = { readonly [Name in keyof O]: ValueOf[O[Name]['takes']] };

const PLACEHOLDER: Readonly<Record<Option['takes'], string>> = {
  number: ' N',
  names: ' NAME',
  pattern: ' TEXT',
  path: ' PATH',
  nothing: '',
};

/** The values; a line that says what is wrong; or that the usage is asked for. */
type Read<O extends Options> = { readonly values: Values<O> } | { readonly wrong: string } | { readonly help: true };

export function readCommandLine<const O extends Options>(argv: readonly string[], options: O): Read<O> {
  let given: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  try {
    given = parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(
          Object.entries(options).map(([name, { takes }]) => [
            name,
            { type: takes === 'nothing' ? 'boolean' : 'string', multiple: takes === 'names' } as const,
          ]),
        ),
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  if (given['help'] === true) return { help: true };
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const found = valueOf(name, option, given[name]);
    if (typeof found === 'object' && found && 'wrong' in found) return found;
    values[name] = found;
  }
  return { values: values as Values<O> };
}

function valueOf(name: string, option: Option, given: unknown): ValueOf[Option['takes']] | { readonly wrong: string } {
  switch (option.takes) {
    case 'number': {
      if (typeof given !== 'string') return option.default;
      const number = given.trim() === '' ? Number.NaN : Number(given);
      if (Number.isFinite(number) && number >= option.least && (option.fraction || Number.isInteger(number)))
        return number;
      const kind = option.fraction ? 'a number' : 'a whole number';
      return { wrong: `--${name} takes ${kind} of at least ${option.least}, not ${given}` };
    }
    case 'names': {
      const names = (given as readonly string[] | undefined) ?? option.of;
      const unknown = names.find((one) => !option.of.includes(one));
      return unknown === undefined
        ? names
        : {
            wrong: `there is no ${name} ${unknown}: --${name} takes one of ${option.of.join(', ')}, and may be repeated`,
          };
    }
    case 'pattern': {
      const pattern = (given as string | undefined) ?? '';
      return option.of.some((one) => one.includes(pattern))
        ? pattern
        : { wrong: `--${name} takes a part of one of ${option.of.join(', ')}, not ${pattern}` };
    }
    case 'path':
      return given as string | undefined;
    case 'nothing':
      return given === true;
  }
}

export function usageOf(command: string, options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => [
    `--${name}${PLACEHOLDER[option.takes]}`,
    saysOf(option),
  ]);
  rows.push(['--help', 'says this']);
  const width = Math.max(...rows.map(([name = '']) => name.length));
  return `usage: npm run ${command} -- [OPTION...]\n\n${rows.map(([name = '', says]) => `  ${name.padEnd(width)}  ${says}\n`).join('')}`;
}

function saysOf(option: Option): string {
  switch (option.takes) {
    case 'number':
      return `${option.says} (${option.default})`;
    case 'names':
      return `${option.says}: ${option.of.join(', ')}; may be repeated; all when absent`;
    default:
      return option.says;
  }
}

/**
 * The values of this process' command line. Where there are none it ends here: with 0 after `--help`, with 2 after a
 * line that says what is wrong. `more` follows the usage.
 */
export function commandLine<const O extends Options>(command: string, options: O, more = ''): Values<O> {
  const read = readCommandLine(process.argv.slice(2), options);
  if ('values' in read) return read.values;
  const usage = usageOf(command, options) + more;
  if ('help' in read) process.stdout.write(usage);
  else process.stderr.write(`${read.wrong}\n\n${usage}`);
  process.exit('help' in read ? 0 : 2);
}
