/** Where this program is: hooks call it by its absolute path. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliFailure } from './failure.ts';

/** The package's folder. */
export function packageRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'bin', 'plumb.mjs'))) return at;
    if (dirname(at) === at)
      throw new CliFailure(
        1,
        `bin/plumb.mjs is not above ${fileURLToPath(import.meta.url)}: the installation is incomplete`,
      );
  }
}

/** `bin/plumb.mjs` of this package. */
export function programPath(): string {
  return join(packageRoot(), 'bin', 'plumb.mjs');
}

/** The package's version, as its package.json has it. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return version;
}
