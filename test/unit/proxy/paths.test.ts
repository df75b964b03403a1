import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ProxyMatch, ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { pathNodes, type PathNode } from '../../../nodeagent/core/proxy/paths.ts';
import { planProxy } from '../../../nodeagent/core/proxy/render.ts';
import { backend, exact, proxyConfig, rule } from './configs.ts';

interface Rule {
  readonly id: number;
  readonly match: ProxyMatch;
  readonly always: boolean;
}

function rules(...paths: readonly (readonly ['exact' | 'prefix' | 'regex', string, 'if'?])[]): Rule[] {
  return paths.map(([type, value, conditional], id) => ({
    id,
    match: { path: { type, value } },
    always: conditional === undefined && type !== 'regex',
  }));
}

function shown(nodes: readonly PathNode<Rule>[]): Record<string, number[]> {
  return Object.fromEntries(
    nodes.map(({ type, value, rules: found }) => [`${type} ${value}`, found.map(({ id }) => id)]),
  );
}

/** As maps are looked up: the exact one, else the longest prefix. */
function nodeOf(nodes: readonly PathNode<Rule>[], path: string): PathNode<Rule> | undefined {
  return (
    nodes.find(({ type, value }) => type === 'exact' && value === path) ??
    nodes
      .filter(({ type, value }) => type === 'prefix' && `${path}/`.startsWith(value === '/' ? '/' : `${value}/`))
      .sort((a, b) => b.value.length - a.value.length)[0]
  );
}

function takes({ match: { path } }: Rule, asked: string): boolean {
  if (path === undefined) return true;
  const prefix = path.value === '/' ? '' : path.value;
  if (path.type === 'exact') return asked === path.value;
  if (path.type === 'prefix') return asked === prefix || asked.startsWith(`${prefix}/`);
  return new RegExp(`^(?:${path.value})$`).test(asked);
}

describe('a host with more rules at its paths than there is room for', () => {
  it('answers 500 where there is none, tells, and goes on elsewhere', () => {
    const host = (hostname: string, many: number): ProxyPort['hosts'][number] => ({
      hostname,
      rules: Array.from({ length: many }, (_, n) => [
        rule(exact(`/p${n}`), 'web'),
        rule({ method: `M${n}` }, 'web'),
      ]).flat(),
    });
    const plan = planProxy({
      config: proxyConfig(
        [{ port: 80, protocol: 'http', hosts: [host('steep', 800), host('flat', 2)] }],
        [backend('web')],
      ),
      secrets: { certificate: () => ({ problem: '' }), passwords: () => undefined },
    });
    assert.ok(plan.head.length > 150_000 && plan.head.length < 450_000);
    assert.match(
      plan.problems[0]?.message ?? '',
      /^steep has more rules at its paths than there is room for, \/p\d+ among/,
    );
    assert.ok(plan.problems.every(({ message }) => message.startsWith('steep ')));
  });
});

describe('the paths of a host', () => {
  it('have for each place the rules that may take a request there, up to the first that takes all', () => {
    assert.deepEqual(
      shown(
        pathNodes(
          rules(
            ['exact', '/a'],
            ['prefix', '/a/b', 'if'],
            ['prefix', '/a'],
            ['prefix', '/'],
            ['exact', '/c'],
            ['prefix', '/'],
          ),
        ),
      ),
      { 'exact /a': [0], 'exact /c': [3], 'prefix /a/b': [1, 2], 'prefix /a': [2], 'prefix /': [3] },
    );
  });

  it('go by the order of rules, not by the length of paths', () => {
    assert.deepEqual(shown(pathNodes(rules(['prefix', '/'], ['prefix', '/a']))), { 'prefix /': [0], 'prefix /a': [0] });
  });

  it('try a regular expression everywhere, at its place', () => {
    assert.deepEqual(shown(pathNodes(rules(['exact', '/a'], ['regex', '/x.*'], ['prefix', '/b']))), {
      'exact /a': [0],
      'prefix /b': [1, 2],
      'prefix /': [1],
    });
  });

  it('give every request the first rule that takes it', () => {
    const element = fc.constantFrom('a', 'b', 'ab', '');
    const path = fc.array(element, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
    const value = path.map((text) => (text.length > 1 ? text.replace(/\/+$/, '') || '/' : text));
    const one = fc.tuple(
      fc.constantFrom('exact' as const, 'prefix' as const),
      value,
      fc.constantFrom(undefined, 'if' as const),
    );
    fc.assert(
      fc.property(
        fc.array(
          one.map(([type, text, conditional]): readonly ['exact' | 'prefix', string, 'if'?] =>
            conditional === undefined ? [type, text] : [type, text, conditional],
          ),
          { maxLength: 8 },
        ),
        path,
        fc.func(fc.boolean()),
        (paths, asked, holds) => {
          const all = rules(...paths);
          const ok = (rule: Rule): boolean => takes(rule, asked) && (rule.always || holds(rule.id));
          const found = nodeOf(pathNodes(all), asked)?.rules.find((rule) => rule.always || holds(rule.id));
          assert.equal(found?.id, all.find(ok)?.id);
        },
      ),
      { numRuns: 500 },
    );
  });
});
