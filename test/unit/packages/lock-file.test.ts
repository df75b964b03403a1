/** What `npm ci` asks of the lock file, on every platform and with every npm that our Node.js versions come with. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly engines?: { readonly node?: string };
  readonly integrity?: string;
  readonly resolved?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

const { packages } = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, Locked>;
};
const installed = Object.entries(packages).filter(([path]) => path !== '');

/** Where Node.js would find `name` from the package at `path`. */
function found(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === '') return false;
  }
}

describe('package-lock.json', () => {
  it('holds what every package depends on, also what only other platforms install', () => {
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !found(path, name))
        .map((name) => `${path} -> ${name}`),
    );
    assert.deepEqual(missing, []);
  });

  it('has the compiled parts of the bundler for x86-64 and arm64', () => {
    for (const cpu of ['x64', 'arm64']) assert.ok(`node_modules/@esbuild/linux-${cpu}` in packages, cpu);
  });

  it('pins every package by its hash, and names no registry', () => {
    assert.deepEqual(
      installed
        .filter(([, { integrity, resolved }]) => integrity === undefined || resolved !== undefined)
        .map(([path]) => path),
      [],
    );
  });

  it('asks for no newer Node.js than package.json does', () => {
    const newer = installed.filter(
      ([, { engines }]) =>
        engines?.node !== undefined && !engines.node.split('||').some((range) => allows20(range.trim())),
    );
    assert.deepEqual(
      newer.map(([path, { engines }]) => `${path}: ${engines?.node}`),
      [],
    );
  });
});

/** Whether one alternative of an engines range takes Node.js 20.19. Knows the few forms that are written. */
function allows20(range: string): boolean {
  const match = /^(\^|>=|>|~)?\s*v?(\d+)(?:\.(\d+|x))?/.exec(range);
  if (range === '*' || match === null) return range === '*';
  const [, operator = '', majorText = '', minorText = '0'] = match;
  const [major, minor] = [Number(majorText), minorText === 'x' ? 0 : Number(minorText)];
  if (operator === '>=' || operator === '>') return major < 20 || (major === 20 && minor <= 19);
  return major === 20 && minor <= 19;
}
