/** The CLI as people run it: the bundle, which is also what hooks run. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
export const PLUMB = join(ROOT, 'bin', 'plumb.mjs');

/** Bundles it from the sources at hand, unless who runs this file has. */
export function buildCli(): void {
  if (process.env['PLUMB_BUILT'] !== undefined) return;
  execFileSync(process.execPath, ['build.mjs'], { cwd: ROOT, stdio: 'pipe' });
}
