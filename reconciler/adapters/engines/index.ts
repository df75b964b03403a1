/** Kustomize and Helm, run apart. See README.md. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engines } from './engines.ts';
import type { Limits } from './sandbox.ts';

export { Engines, type EnginesOptions } from './engines.ts';

/**
 * Those that the environment names or that come along. What is rendered is kept in `home`; the programs are kept beside
 * this one for all of the machine, and in `home` where that may not be written.
 */
export function openEngines(home: string, limits: Partial<Limits> = {}): Engines {
  const project = projectFolder();
  return new Engines({
    programs: { dir: join(project === undefined ? home : join(project, '.cache'), 'engines'), env: process.env },
    renderings: join(home, 'renderings'),
    charts: join(home, 'charts'),
    limits,
  });
}

/** The package's folder, from the sources as well as from the built file; undefined where it may not be written. */
function projectFolder(): string | undefined {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== dirname(at); at = dirname(at)) {
    if (!existsSync(join(at, 'package.json'))) continue;
    try {
      accessSync(at, constants.W_OK);
      return at;
    } catch {
      return undefined;
    }
  }
  return undefined;
}
