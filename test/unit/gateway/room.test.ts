/** Bounds on what the proxies are given: what is over is told, and what was there before goes on. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { coveringNames } from '../../../reconciler/core/gateway/hostnames.ts';
import { MOST_PATTERNS, MOST_STEPS, Room } from '../../../reconciler/core/gateway/room.ts';
import { pathNodes } from '../../../nodeagent/core/proxy/paths.ts';
import { matchRank } from '../../../reconciler/core/gateway/precedence.ts';
import { PathSteps } from '../../../reconciler/core/gateway/path-steps.ts';
import { gateway, HTTP, httpRoute, ingress, paths, Scene, to } from './scene.ts';

const listener = {};
const at = (...hostnames: readonly string[]) => hostnames.map((hostname) => ({ at: listener, hostname }));
const demand = (length: number, patterns = 0) => ({ length, patterns, matches: [] });

describe('names that take all that a name takes', () => {
  for (const [name, expected] of [
    ['', ['']],
    ['a', ['a', '']],
    ['a.b.c', ['a.b.c', '*.b.c', '*.c', '']],
    ['*.b.c', ['*.b.c', '*.c', '']],
  ] as const)
    it(`of ${JSON.stringify(name)}, the most specific first`, () => assert.deepEqual(coveringNames(name), expected));
});

describe('the room for rules', () => {
  it('counts the rules of a wide name in each narrower one', () => {
    const room = new Room(100);
    assert.equal(room.take(at('a.test', 'b.test', 'c.test'), demand(10)), undefined);
    // In itself and in three.
    assert.ok(room.take(at('*.test'), demand(18)));
    assert.equal(room.take(at('*.test'), demand(10)), undefined);
    // Its own, and what the wildcard has.
    assert.ok(room.take(at('d.test'), demand(21)));
    assert.equal(room.take(at('d.test'), demand(20)), undefined);
    assert.ok(room.take(at('other'), demand(1)));
  });

  it('is of all listeners together, whose names are their own', () => {
    const room = new Room(30);
    assert.equal(room.take([...at('a.test'), { at: {}, hostname: '' }], demand(10)), undefined);
    assert.equal(room.take(at('b.test'), demand(10)), undefined);
    assert.ok(room.take(at('c.test'), demand(1)));
  });

  it('has so many patterns for one name', () => {
    const room = new Room();
    assert.equal(room.take(at('a.test', 'b.test'), demand(1, MOST_PATTERNS)), undefined);
    assert.match(room.take(at('c.test', 'a.test'), demand(1, 1)) ?? '', /regular expressions for a\.test/);
    assert.equal(room.take(at('a.test'), demand(1)), undefined);
    assert.equal(room.take(at('c.test'), demand(1, 1)), undefined);
  });
});

const asking = (n: number) => ({ method: `M${n}` });
const steep = (from: number, many: number) =>
  Array.from({ length: many }, (_, n) => [
    { path: { type: 'exact' as const, value: `/p${from + n}` }, method: 'GET' },
    asking(from + n),
  ]).flat();
const climbing = (matches: ReturnType<typeof steep>) => ({ length: 1, patterns: 0, matches });

describe('the rules at the paths of a host', () => {
  const path = fc.record(
    {
      path: fc.record({
        type: fc.constantFrom('exact', 'prefix', 'regex'),
        value: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/ab', '/b'),
      }),
      method: fc.constant('GET'),
    },
    { requiredKeys: [] },
  );
  it('are no fewer than the proxy has, and more by one at a place at most', () =>
    fc.assert(
      fc.property(fc.array(path, { maxLength: 12 }), (matches) => {
        const steps = new PathSteps();
        for (const match of matches) steps.add(match, true);
        const sorted = matches.toSorted((a, b) => {
          const [x, y] = [matchRank(a), matchRank(b)];
          return y.map((value, at) => value - (x[at] ?? 0)).find((by) => by !== 0) ?? 0;
        });
        const always = ({ path: of, method }: (typeof matches)[number]) => method === undefined && of?.type !== 'regex';
        const nodes = pathNodes(sorted.map((match) => ({ match, always: always(match) })));
        const made = nodes.reduce((sum, { rules }) => sum + rules.length, 0);
        assert.ok(made <= steps.total && steps.total <= made + nodes.length, `${made} ${steps.total}`);
        for (const match of matches) steps.remove(match, true);
        assert.equal(steps.total, 0);
      }),
      { numRuns: 1000 },
    ));

  it('are bounded, where those of wider names count in each', () => {
    const room = new Room();
    assert.equal(room.take(at('a.test'), climbing(steep(0, 150))), undefined);
    assert.equal(room.take(at('*.test'), climbing(steep(150, 70))), undefined);
    assert.match(
      room.take(at('*.test'), climbing(steep(1000, 20))) ?? '',
      new RegExp(`more than ${MOST_STEPS} .* a.test`),
    );
    assert.equal(room.take(at('b.test'), climbing(steep(1000, 20))), undefined);
    assert.match(room.take(at('c.test'), climbing(steep(2000, 190))) ?? '', /of c\.test/);
    assert.equal(room.take(at('d.test'), climbing(steep(2000, 10))), undefined);
  });

  it('are bounded of all hosts together', () => {
    const room = new Room();
    const told = ['a', 'b', 'c', 'd', 'e'].map((name) => room.take(at(name), climbing(steep(0, 210))));
    assert.deepEqual(told.slice(0, 4), [undefined, undefined, undefined, undefined]);
    assert.match(told[4] ?? '', /all host names together/);
  });
});

/** 64 matches with filters of 60 KiB, at 16 names: about 60 MiB. */
function large(name: string): string {
  const header = (at: number): string => `{name: x-${at}, value: ${'v'.repeat(4000)}}`;
  const matches = Array.from({ length: 64 }, (_, n) => `{path: {value: /p${n}}}`).join(', ');
  const set = Array.from({ length: 15 }, (_, n) => header(n)).join(', ');
  const rule = `{matches: [${matches}], filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [${set}]}}], backendRefs: [{name: web, port: 80}]}`;
  return httpRoute(name, rule, `hostnames: [${Array.from({ length: 16 }, (_, n) => `h${n}.test`).join(', ')}]`);
}

describe('what is over', () => {
  it('is a route: it is told, all others are served', () => {
    const scene = new Scene(
      gateway(HTTP),
      httpRoute('web', to('web')),
      large('large'),
      httpRoute('api', to('api', '/api')),
    );
    assert.equal(scene.route('HTTPRoute', 'large', 'Accepted'), 'False TooManyRules');
    assert.equal(scene.get('Gateway', 'edge').status?.listeners?.[0]?.attachedRoutes, 2);
    assert.deepEqual(
      [scene.ask({ host: 'a', path: '/' }), scene.ask({ host: 'a', path: '/api' })],
      ['default/web/http', 'default/api/http'],
    );
  });

  it('is a route with more patterns than a request may be held against', () => {
    const match = (n: number): string => `{path: {type: RegularExpression, value: '/a${n}'}}`;
    const rules = Array.from(
      { length: 2 },
      (_, r) =>
        `{matches: [${Array.from({ length: 60 }, (_, n) => match(r * 60 + n)).join(', ')}], backendRefs: [{name: web, port: 80}]}`,
    );
    const scene = new Scene(gateway(HTTP), httpRoute('web', rules.join(', ')));
    assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), 'False TooManyRules');
  });

  it('is a route whose rules are tried at too many paths', () => {
    const rules = (n: number, one: (at: number) => string): string =>
      Array.from(
        { length: n },
        (_, r) =>
          `{matches: [${Array.from({ length: 60 }, (_, m) => one(r * 60 + m)).join(', ')}], backendRefs: [{name: web, port: 80}]}`,
      ).join(', ');
    const scene = new Scene(
      gateway(HTTP),
      httpRoute(
        'exact',
        rules(6, (n) => `{path: {type: Exact, value: '/a${n}'}, method: GET}`),
      ),
      httpRoute(
        'steep',
        rules(3, (n) => `{headers: [{name: x, value: '${n}'}]}`),
      ),
    );
    assert.equal(scene.route('HTTPRoute', 'exact', 'Accepted'), 'True Accepted');
    assert.equal(scene.route('HTTPRoute', 'steep', 'Accepted'), 'False TooManyRules');
  });

  it('is an Ingress', () => {
    const ranges = Array.from({ length: 256 }, (_, n) => `192.0.${n}.0/24`).join(',');
    const all = Array.from({ length: 1000 }, (_, n) => ['Prefix', `/p${n}`, 'web'] as const);
    const annotation = `nginx.ingress.kubernetes.io/whitelist-source-range: '${ranges}'`;
    const scene = new Scene(
      ingress('small', `rules: [{host: small.test, ${paths(['Prefix', '/', 'web'])}}]`),
      ingress('large', `rules: [{host: large.test, ${paths(...all)}}]`, annotation),
    ).follow();
    const { conditions, loadBalancer } = scene.get('Ingress', 'large').status ?? {};
    assert.match(conditions?.[0]?.message ?? '', /over 4 MiB/);
    assert.deepEqual(loadBalancer?.ingress, []);
    assert.equal(scene.ask({ host: 'small.test' }), 'default/web/http');
    assert.equal(scene.ask({ host: 'large.test', path: '/p1' }), '404');
  });
});
