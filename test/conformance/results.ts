/**
 * What the last run of each test file has shown, kept in a folder that Git ignores: one small JSON file per test file,
 * so that a run of some files leaves what is known of the others.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { behavioursNamed, type Behaviour } from './behaviours.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const RESULTS = path.join(ROOT, '.cache/conformance');

const FileResult = z.strictObject({ file: z.string(), shown: z.array(z.string()), failed: z.array(z.string()) });
export type FileResult = z.infer<typeof FileResult>;

/** How one test ended, as far as it matters here. */
export interface TestEnd {
  /** Path of the file that has the test: the one that was run, or one that it takes its tests from. */
  readonly file: string | undefined;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'not run';
}

/** Collects the ends of tests of one run, and keeps for each file what it showed. */
export class ConformanceRecord {
  private readonly files = new Map<string, Map<string, boolean>>();
  private readonly known: ReadonlySet<string>;
  /** Titles that name what is no behaviour, or name it in another way than at their end. */
  readonly misnamed: string[] = [];

  constructor(behaviours: readonly Behaviour[]) {
    this.known = new Set(behaviours.map(({ id }) => id));
  }

  /** A behaviour is shown by a file where every test of it that names it, and was run, passed. */
  ended({ file, name, outcome }: TestEnd): void {
    if (file === undefined || outcome === 'not run') return;
    if (!name.includes('[conformance')) return;
    const ids = behavioursNamed(name);
    if (ids.length === 0 || ids.some((id) => !this.known.has(id))) this.misnamed.push(name);
    const of = this.files.get(file) ?? new Map<string, boolean>();
    for (const id of ids) of.set(id, (of.get(id) ?? true) && outcome === 'passed');
    this.files.set(file, of);
  }

  /**
   * Replaces what was kept of these files, which were run, and of those with their tests; of one that names none it
   * goes.
   */
  keep(run: readonly string[], folder: string = RESULTS): void {
    for (const file of new Set([...run, ...this.files.keys()])) {
      const name = path.relative(ROOT, file);
      const kept = path.join(folder, `${name.replaceAll('/', '--')}.json`);
      const ids = this.files.get(file);
      if (!ids) {
        rmSync(kept, { force: true });
        continue;
      }
      const with_ = (passed: boolean): string[] =>
        [...ids].flatMap(([id, value]) => (value === passed ? [id] : [])).sort();
      const result: FileResult = { file: name, shown: with_(true), failed: with_(false) };
      mkdirSync(folder, { recursive: true });
      writeFileSync(kept, JSON.stringify(result));
    }
  }
}

/** What was kept of test files that are still there. */
export function readResults(folder: string = RESULTS): readonly FileResult[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => FileResult.parse(JSON.parse(readFileSync(path.join(folder, name), 'utf8'))))
    .filter(({ file }) => existsSync(path.join(ROOT, file)));
}
