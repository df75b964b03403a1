import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PLAN_CODES } from '../../reconciler/core/diff/index.ts';
import { ERROR_CODES } from '../../reconciler/core/error-codes.ts';
import { IMPORT_CODES } from '../../reconciler/core/import/index.ts';
import { DIAGNOSTIC_CODES } from '../../reconciler/core/manifests/index.ts';

const ROOT = new URL('../../', import.meta.url);
const ROOMS = ['reconciler', 'nodeagent', 'lab', 'cli', 'contracts'];
const CLASSES = { backoff: 'Retryable', after: 'Waiting', never: 'Terminal' } as const;

const sources = ROOMS.flatMap((room) =>
  readdirSync(new URL(room, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: `${room}/${path}`, text: readFileSync(new URL(`${room}/${path}`, ROOT), 'utf8') })),
);

interface Row {
  readonly code: string;
  readonly classes: readonly string[];
  readonly cells: number;
}

/** Rows of the tables, in which the first cell is a code. */
const rows: readonly Row[] = readFileSync(new URL('docs/errors.md', ROOT), 'utf8')
  .split('\n')
  .filter((line) => /^\| *`?[A-Z][A-Za-z0-9]+`? *\|/.test(line))
  .map((line) => {
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    return {
      code: (cells[0] ?? '').replaceAll('`', ''),
      classes: (cells[1] ?? '').split(/, */),
      cells: cells.filter((cell) => cell !== '').length,
    };
  });
const documented = new Map(rows.map((row) => [row.code, rows.filter((other) => other.code === row.code)] as const));

describe('docs/errors.md', () => {
  it('has every code of an error, with its class', () => {
    assert.deepEqual(
      Object.entries(ERROR_CODES).map(([code]) => ({ code, classes: documented.get(code)?.[0]?.classes })),
      Object.entries(ERROR_CODES).map(([code, retry]) => ({ code, classes: [CLASSES[retry]] })),
    );
  });

  it('has no other error', () => {
    const words: readonly string[] = Object.values(CLASSES);
    assert.deepEqual(
      rows.filter(({ code, classes }) => classes.some((word) => words.includes(word)) && !(code in ERROR_CODES)),
      [],
    );
  });

  it('has every finding about a revision, or about what is imported', () => {
    const missing = [...DIAGNOSTIC_CODES, ...PLAN_CODES, ...IMPORT_CODES].filter(
      (code) => !(documented.get(code) ?? []).some((row) => row.classes.some((c) => c === 'Error' || c === 'Warning')),
    );
    assert.deepEqual(missing, []);
  });

  it('has every finding that is written without the lists of codes', () => {
    const literal = sources
      .filter(({ path }) => path.startsWith('reconciler/core/') || path.startsWith('cli/'))
      .flatMap(({ text }) =>
        [...text.matchAll(/severity: '(?:error|warning)',\s*code: '([A-Za-z0-9]+)'/g)].map(([, code]) => code ?? ''),
      );
    assert.deepEqual(
      literal.filter((code) => !documented.has(code)),
      [],
    );
  });

  it('has no code that the source does not have', () => {
    const text = sources
      .filter(({ path }) => path !== 'reconciler/core/error-codes.ts')
      .map((source) => source.text)
      .join('\n');
    assert.deepEqual(
      [...documented.keys()].filter((code) => !text.includes(`'${code}'`)),
      [],
    );
  });

  it('says of every code what it means and what to do', () => {
    assert.ok(rows.length > 40);
    assert.deepEqual(
      rows.filter((row) => row.cells !== 4).map((row) => row.code),
      [],
    );
  });
});
