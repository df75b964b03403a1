import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManifestCache } from '../../../reconciler/core/manifests/index.ts';
import { processorTime } from '../../support/processor-time.ts';
import { appSet, configMap, expanded, site, TEMPLATE, type Tree } from './app-sets.ts';

const named = async (tree: Tree): Promise<readonly string[]> => (await expanded(tree)).apps.map((a) => a.metadata.name);
const set = (...generators: readonly object[]): Tree => ({ 'set.yaml': appSet(generators) });
const machine = (name: string, labels: object): string =>
  `${JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'Machine', metadata: { name }, spec: { address: `${name}.example.com`, hostKey: 'ssh-ed25519 AAAA', labels } })}\n`;
/** A set of one element, and of its App the values. */
const ofElement = (element: object, values: object): Tree => ({
  'set.yaml': appSet([{ list: [{ name: 'a', ...element }] }], {
    metadata: { name: 'a' },
    spec: { path: 'sites/a', helm: { values } },
  }),
  ...site('a'),
});

describe('generators', () => {
  const others = { 'plain.yaml': configMap('plain'), ...site('a', 'b', 'old') };
  const sites = (directories: object): Tree => ({ ...others, ...set({ directories }) });
  const machines = { 'm.yaml': `${machine('m1', { disk: 'ssd' })}---\n${machine('m2', {})}` };
  const byMachine = (generator: object, ...on: readonly string[]): Tree => ({
    ...machines,
    'set.yaml': appSet([{ machines: generator }], {
      metadata: { name: 'on-${name}' },
      spec: { path: 'sites/${name}' },
    }),
    ...site(...on),
  });
  const cases: readonly (readonly [string, Tree, readonly string[]])[] = [
    ['a list', { ...others, ...set({ list: [{ name: 'b' }, { name: 'a' }] }) }, ['site-a', 'site-b']],
    ['folders', sites({ include: ['sites/*'] }), ['site-a', 'site-b', 'site-old']],
    ['folders but some', sites({ include: ['sites/*'], exclude: ['*/old'] }), ['site-a', 'site-b']],
    ['folders by part of a name', sites({ include: ['sites/?'] }), ['site-a', 'site-b']],
    ['folders at any depth', sites({ include: ['**/old', '**/a'] }), ['site-a', 'site-old']],
    ['folders that two patterns name', sites({ include: ['sites/a', 'sites/?'] }), ['site-a', 'site-b']],
    [
      'several beside each other',
      { ...others, ...set({ list: [{ name: 'a' }] }, { directories: { include: ['sites/b'] } }) },
      ['site-a', 'site-b'],
    ],
    ['all Machines', byMachine({}, 'm1', 'm2'), ['on-m1', 'on-m2']],
    [
      'some Machines',
      byMachine({ selector: { matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] } }, 'm2'),
      ['on-m2'],
    ],
    ['Machines by label', byMachine({ selector: { matchLabels: { disk: 'ssd' } } }, 'm1'), ['on-m1']],
    [
      'files, as YAML and as JSON',
      {
        ...set({ files: { include: ['sites/*/site.*'] } }),
        ...site('a', 'b'),
        'sites/a/site.yaml': 'name: a\n',
        'sites/b/site.json': '{"name": "b"}',
      },
      ['site-a', 'site-b'],
    ],
    [
      'files in a hidden folder that the pattern names',
      {
        ...set({ files: { include: ['.sites/*.yaml'] } }),
        ...site('a'),
        '.sites/one.yaml': 'name: a\n',
        '.sites/.b.yaml': 'x: 1\n',
      },
      ['site-a'],
    ],
  ];
  for (const [what, tree, names] of cases)
    it(`give ${what}`, async () => {
      const { told, apps } = await expanded(tree);
      assert.deepEqual(told, []);
      assert.deepEqual(
        apps.map((a) => a.metadata.name),
        names,
      );
    });

  it('give nothing of hidden folders, links and submodules, which is told', async () => {
    const { told, apps } = await expanded({
      ...set({ directories: { include: ['**/x'] } }, { machines: {} }, { list: [] }),
      '.x/x/map.yaml': configMap('a'),
    });
    assert.deepEqual(apps, []);
    assert.deepEqual(
      told.map((line) => line.split(';')[0]),
      [
        'set.yaml:1:107 NoElements warning: AppSet sites: spec.generators[0].directories finds nothing in this commit',
        'set.yaml:1:144 NoElements warning: AppSet sites: spec.generators[1].machines finds nothing in this commit',
      ],
    );
  });

  it('make files theirs that are no manifests, in an App’s folder too', async () => {
    const { told, state } = await expanded({
      ...set({ files: { include: ['sites/*/site.yaml'] } }),
      ...site('a'),
      'sites/a/site.yaml': 'name: a\n',
    });
    assert.deepEqual(told, []);
    assert.equal(state.get('configmaps/default/a')?.app, 'site-a');
  });
});

describe('a template', () => {
  const cases: readonly (readonly [string, object, object, object])[] = [
    ['a number', { n: 2 }, { x: '${n}' }, { x: 2 }],
    ['a boolean', { t: false }, { x: '${t}' }, { x: false }],
    ['a map', { m: { a: [1, { b: 'c' }] } }, { x: '${m}' }, { x: { a: [1, { b: 'c' }] } }],
    ['what is in a map', { m: { a: { b: 3 } } }, { x: '${m.a.b}' }, { x: 3 }],
    [
      'a name with dots',
      { labels: { 'example.com/zone': 'z' } },
      { x: 'in-${labels.example.com/zone}' },
      { x: 'in-z' },
    ],
    ['the longest name that there is', { 'a.b': 1, a: { b: 2 } }, { x: '${a.b}' }, { x: 1 }],
    ['scalars inside a text', { n: 1.5, t: true }, { x: '${n}/${t}/${name}' }, { x: '1.5/true/a' }],
    ['an empty text', { e: '' }, { x: '${e}', y: '<${e}>' }, { x: '', y: '<>' }],
    [
      'the characters themselves',
      {},
      { x: '$${name} $$${name} $name $', y: '$${' },
      { x: '${name} $${name} $name $', y: '${' },
    ],
    ['no variable of a variable', { v: '${name}' }, { x: '${v}' }, { x: '${name}' }],
    ['values that are no texts', {}, { x: [1, true, { y: 0 }] }, { x: [1, true, { y: 0 }] }],
    ['texts in lists', { p: 80 }, { x: ['${p}', 'p${p}'] }, { x: [80, 'p80'] }],
  ];
  for (const [what, element, values, expected] of cases)
    it(`is filled with ${what}`, async () => {
      const [app] = (await expanded(ofElement(element, values))).apps;
      assert.deepEqual(app?.spec.helm?.values, expected);
    });
});

describe('what is refused', () => {
  const template = (spec: object): Tree => ({
    ...site('a', 'b', 'c'),
    'set.yaml': appSet([{ list: [{ name: 'a' }, { name: 'b', x: 1 }, { name: 'c' }] }], {
      metadata: { name: '${name}' },
      spec: { path: 'sites/${name}', ...spec },
    }),
  });
  const file = (contents: string): Tree => ({ ...set({ files: { include: ['d/*'] } }), 'd/x.yaml': contents });
  const cases: readonly (readonly [string, Tree, RegExp])[] = [
    [
      'an element without a name',
      set({ list: [{ nme: 'a' }] }),
      /AppSetFailed AppSet sites: spec\.generators\[0\]\.list: element 1 has no name; each element has a name/,
    ],
    ['a name that is a number', set({ list: [{ name: 1 }] }), /list: element 1 has a name that is no text/],
    ['a name that is null', { 'set.yaml': appSet([{ list: [{ name: null }] }]) }, /element 1 has no name/],
    [
      'two of one name',
      { ...site('a'), ...set({ list: [{ name: 'a' }] }, { directories: { include: ['sites/*'] } }) },
      /^set\.yaml:1:\d+ AppSetFailed .*spec\.generators\[1\]\.directories: sites\/a has the name a, as has the element a of spec\.generators\[0\]\.list; .*rename one/,
    ],
    [
      'a variable that some have not, told once',
      template({ namespace: 'n${x}' }),
      /^set\.yaml:1:\d+ AppSetFailed AppSet sites, element a of spec\.generators\[0\]\.list and 1 more: spec\.namespace: \$\{x\} is not set; the element has name; write \$\$\{x\} for/,
    ],
    [
      'a map inside a text',
      ofElement({ m: {} }, { x: 'a${m}' }),
      /AppSet sites, element a of .*: spec\.helm\.values\.x: \$\{m\} is a map, and stands inside a longer text; let it be the whole value/,
    ],
    ['a list inside a text', ofElement({ m: [] }, { x: 'a${m}' }), /\$\{m\} is a list/],
    ['what every JavaScript object has', ofElement({}, { x: '${constructor}' }), /\$\{constructor\} is not set/],
    [
      'a number where an App has text',
      template({ namespace: '${x}' }),
      /element b of .*WrongType|WrongType AppSet sites, element b of/,
    ],
    [
      'a field that an App has not',
      template({ pth: 'x' }),
      /^set\.yaml:1:\d+ UnknownField AppSet sites, element a of spec\.generators\[0\]\.list and 2 more: unknown field spec\.pth/,
    ],
    [
      'a rule of an App that is broken',
      template({ helm: { chart: { repository: 'https://x', name: 'y', version: '1.0.0' } } }),
      /InvalidValue AppSet sites, element a .* and 2 more: spec\.path may not stand beside/,
    ],
    [
      'a name that is none',
      {
        ...site('a'),
        'set.yaml': appSet([{ list: [{ name: 'a', n: 'A_' }] }], {
          metadata: { name: '${n}' },
          spec: { path: 'sites/a' },
        }),
      },
      /^set\.yaml:1:\d+ InvalidValue AppSet sites, element a of .*metadata\.name/,
    ],
    [
      'one name of two Apps',
      {
        ...site('a'),
        'set.yaml': appSet([{ list: [{ name: 'a' }, { name: 'b' }] }], {
          metadata: { name: 'one' },
          spec: { path: 'sites/a' },
        }),
      },
      /DuplicateObject AppSet sites, element b of .*: makes the App one, which is already at set\.yaml:1, element a of spec/,
    ],
    [
      'the name of a written App',
      {
        ...site('a'),
        ...set({ list: [{ name: 'a' }] }),
        'app.yaml':
          '{"apiVersion":"plumbline.dev/v1alpha1","kind":"App","metadata":{"name":"site-a"},"spec":{"path":"sites/a"}}',
      },
      /^set\.yaml:1:1 DuplicateObject AppSet sites, element a .* is already at app\.yaml:1/,
    ],
    [
      'the name of an App of another set',
      {
        ...site('a'),
        ...set({ list: [{ name: 'a' }] }),
        'two.yaml': appSet(
          [{ list: [{ name: 'x' }] }],
          { metadata: { name: 'site-a' }, spec: { path: 'sites/a' } },
          'two',
        ),
      },
      /^two\.yaml:1:1 DuplicateObject AppSet two, element x .* at set\.yaml:1/,
    ],
    ['a folder that is not there', set({ list: [{ name: 'gone' }] }), /^set\.yaml:1:\d+ PathNotFound/],
    [
      'a set in the folder of its App',
      { 'sites/a/set.yaml': appSet([{ list: [{ name: 'a' }] }]), ...site('a') },
      /NestedApp AppSet sites lies in sites\/a, the folder of App site-a/,
    ],
    ['matrix', set({ matrix: { generators: [] } }), /InvalidValue spec\.generators\[0\]\.matrix is not carried out/],
    ['merge', set({ merge: {} }), /InvalidValue spec\.generators\[0\]\.merge is not carried out/],
    [
      'two in one',
      set({ list: [], machines: {} }),
      /InvalidValue spec\.generators\[0\] may have only one of list, machines/,
    ],
    ['none in one', set({}), /MissingField spec\.generators\[0\] needs one of list, directories, files, machines/],
    ['a pattern that leads out', set({ directories: { include: ['../*'] } }), /InvalidValue/],
    ['a pattern with a class', set({ files: { include: ['[ab].yaml'] } }), /no brackets or braces/],
    ['** inside a name', set({ files: { include: ['a**/b.yaml'] } }), /\*\* only as a whole name/],
    [
      'a variable that is not closed',
      { 'set.yaml': appSet([{ list: [] }], { metadata: { name: 'a${name' }, spec: {} }) },
      /InvalidValue spec\.template\.metadata\.name has \$\{ without a \}/,
    ],
    [
      'a default',
      { 'set.yaml': appSet([{ list: [] }], { metadata: { name: '${name:=a}' }, spec: {} }) },
      /has \$\{name:=a\}, which is no name of a variable/,
    ],
    [
      'a variable in a field’s name',
      { 'set.yaml': appSet([{ list: [] }], { metadata: { name: 'a' }, spec: { helm: { values: { '${x}': 1 } } } }) },
      /has a variable in its name/,
    ],
    ['a file that is no map', file('- name: a\n'), /^d\/x\.yaml:1:1 AppSetFailed d\/x\.yaml holds no map/],
    ['an empty file', file('# nothing\n'), /holds no map/],
    ['a file with two documents', file('name: a\n---\nname: b\n'), /has several documents/],
    ['a file that is no YAML', file('name: [\n'), /^d\/x\.yaml:\d+:\d+ InvalidYaml/],
    ['a file with a name twice', file('name: a\nname: b\n'), /^d\/x\.yaml:2:1 DuplicateKey/],
    ['a file without a name', file('x: 1\n'), /^d\/x\.yaml:1:1 AppSetFailed .*d\/x\.yaml has no name/],
    ['a file that says where it is', file('name: a\npath: /etc\n'), /has a value for path, which is where the file is/],
    [
      'a file that is encrypted',
      file('name: a\nx: ENC[AES256_GCM,data:abc,type:str]\n'),
      /is encrypted, and what is secret may not go into an App/,
    ],
    ['a file in LFS', file('version https://git-lfs.github.com/spec/v1\noid sha256:a\n'), /is in Git LFS/],
    [
      'a file of another kind',
      { ...set({ files: { include: ['d/*'] } }), 'd/x.txt': 'name: a\n' },
      /d\/x\.txt is no \.yaml, \.yml or \.json file/,
    ],
    [
      'a link',
      { ...set({ files: { include: ['.d/*'] } }), '.d/x.yaml': { mode: '120000' } },
      /\.d\/x\.yaml is a symbolic link/,
    ],
    [
      'a number that is none',
      {
        'set.yaml': appSet([{ list: [{ name: 'a' }] }])
          .replace('"a"', '"a", "n": .inf')
          .replace('sites/${name}', '${n}'),
      },
      /\$\{n\} is no finite number|InvalidYaml|InvalidValue/,
    ],
  ];
  for (const [what, tree, expected] of cases)
    it(what, async () => {
      const { told } = await expanded(tree);
      assert.ok(told.length > 0);
      assert.match(told.filter((line) => !line.includes('warning')).join('\n'), expected);
    });
});

describe('a set that is hostile', () => {
  const elements = (count: number, more: object = {}): object[] =>
    Array.from({ length: count }, (_, i) => ({ name: `e${i}`, ...more }));

  it('gives no more than so many elements, over all sets', async () => {
    const many = Object.fromEntries(
      [0, 1, 2].map((i) => [
        `${i}.yaml`,
        appSet([{ list: elements(900) }], { metadata: { name: `s${i}-\${name}` }, spec: { path: 'a' } }, `s${i}`),
      ]),
    );
    const { told, apps } = await expanded({ ...many, 'a/map.yaml': configMap('a') });
    assert.match(
      told.join('\n'),
      /^2\.yaml:1:1 AppSetFailed AppSet s2: AppSets give more than 2000 elements together/m,
    );
    assert.equal(apps.length, 1800);
    assert.equal(told.filter((line) => line.includes('AppSetFailed')).length, 1);
  });

  it('makes no larger App than a file, and no more text than so much, however often a value is named', async () => {
    const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, '${m}']));
    const m = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 'x'.repeat(100)]));
    assert.match(
      (await expanded(ofElement({ m }, named(4000)))).told.join('\n'),
      /element a .* makes an App of more than 1 MiB/,
    );
    const few = Object.fromEntries(Object.entries(m).slice(0, 200));
    const list = elements(30, { m: few });
    const template = { metadata: { name: '${name}' }, spec: { path: 'a', helm: { values: named(24) } } };
    const { told, apps } = await expanded({ 'set.yaml': appSet([{ list }], template), 'a/map.yaml': configMap('a') });
    assert.match(
      told.join('\n'),
      /^set\.yaml:1:1 AppSetFailed AppSet sites: the Apps that AppSets make are too large together/m,
    );
    assert.ok(apps.length < 30);
  });

  it('is one of few, and holds no Machines against selectors without end', async () => {
    const some = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `${String(i).padStart(3, '0')}.yaml`,
        appSet([{ list: [] }], TEMPLATE, `s${i}`),
      ]),
    );
    assert.deepEqual(
      (await expanded(some)).told.map((line) => line.split(';')[0]),
      ['256.yaml:1:1 AppSetFailed there are more than 256 AppSets'],
    );
    const machines = Array.from({ length: 2000 }, (_, i) => machine(`m${i}`, {})).join('---\n');
    const values = Array.from({ length: 3000 }, (_, i) => `v${i}`);
    const selector = { matchExpressions: [{ key: 'a', operator: 'In', values }] };
    const { told } = await expanded({ 'm.yaml': machines, ...set({ machines: { selector } }) });
    assert.match(
      told.join('\n'),
      /AppSetFailed AppSet sites: spec\.generators\[0\]\.machines: the patterns and selectors of the AppSets take too long/,
    );
  });

  it('searches no longer than so long', async () => {
    const deep = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`${'aaa/'.repeat(60)}${i}/x.txt`, '']));
    const include = Array.from({ length: 60 }, (_, i) => `**/${'a*a*a*/**/'.repeat(20)}${i}`);
    const seconds = processorTime();
    const { told } = await expanded({ ...set({ directories: { include } }), ...deep });
    assert.match(
      told.join('\n'),
      /the patterns and selectors of the AppSets take too long in a repository of this size/,
    );
    assert.ok(seconds() < 20);
  });

  it('tells of no more mistakes than anybody reads, and hides no error behind warnings', async () => {
    const list = elements(500).map((one, i) => ({ ...one, n: `-${i}` }));
    const { told } = await expanded({
      'set.yaml': appSet([{ list }], { metadata: { name: '${name}' }, spec: { path: 'a', namespace: '${n}' } }),
    });
    assert.equal(told.length, 101);
    assert.match(told.join('\n'), /TooManyErrors AppSet sites: 400 more findings are not shown/);
  });

  it('is refused where its template has more than any App', async () => {
    const values = Array.from({ length: 6000 }, () => 1);
    assert.match(
      (await expanded(ofElement({}, { values }))).told.join(),
      /TooComplex spec\.template has more than 5000 values/,
    );
  });
});

describe('expansion', () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/);
  const tree = fc
    .record({
      folders: fc.uniqueArray(name, { maxLength: 6 }),
      files: fc.uniqueArray(name, { maxLength: 6 }),
      listed: fc.array(fc.record({ name, n: fc.oneof(fc.integer(), fc.boolean(), fc.constant('t')) }), {
        maxLength: 4,
      }),
      exclude: fc.option(fc.constantFrom('sites/?', 'sites/a*', '**/b'), { nil: undefined }),
      second: fc.boolean(),
    })
    .map(({ folders, files, listed, exclude, second }): Tree => ({
      'set.yaml': appSet([
        { directories: { include: ['sites/*'], ...(exclude && { exclude: [exclude] }) } },
        { files: { include: ['data/**/*.yaml'] } },
        { list: listed },
      ]),
      ...(second && { 'a.yaml': appSet([{ list: listed }], TEMPLATE, 'two') }),
      ...site(...folders),
      ...Object.fromEntries(files.map((one) => [`data/${one}/x.yaml`, `name: ${JSON.stringify(one)}\n`])),
    }));

  it('is a function of the tree, in whatever order it comes and whatever was read before', async () => {
    const cache = new ManifestCache();
    await fc.assert(
      fc.asyncProperty(
        tree.chain((one) =>
          fc.tuple(fc.constant(one), fc.shuffledSubarray(Object.entries(one), { minLength: Object.keys(one).length })),
        ),
        async ([one, other]) => {
          const [first, shuffled, again] = [
            await expanded(one),
            await expanded(Object.fromEntries(other)),
            await expanded(one, cache),
          ];
          for (const { told, apps } of [shuffled, again]) {
            assert.deepEqual(told, first.told);
            assert.deepEqual(apps, first.apps);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads and makes again only what changed', async () => {
    const cache = new ManifestCache();
    const tree = {
      ...set({ files: { include: ['data/*.yaml'] } }, { directories: { include: ['sites/z*'] } }),
      ...site('a', 'b', 'z'),
      'data/a.yaml': 'name: a\n',
      'data/b.yaml': 'name: b\n',
      'plain.yaml': configMap('plain'),
    };
    const first = await expanded(tree, cache);
    assert.deepEqual(first.told, []);
    const appOf = (one: typeof first, name: string) => one.state.get(`apps.plumbline.dev//${name}`);
    const second = await expanded({ ...tree, 'plain.yaml': configMap('other') }, cache);
    assert.deepEqual(second.reads, ['plain.yaml']);
    assert.equal(appOf(second, 'site-a'), appOf(first, 'site-a'));
    const third = await expanded({ ...tree, 'data/b.yaml': 'name: b\nn: 1\n' }, cache);
    assert.ok(
      third.reads.every((path) => path === 'plain.yaml' || path === 'data/b.yaml'),
      third.reads.join(),
    );
    assert.equal(appOf(third, 'site-a'), appOf(first, 'site-a'));
    const fourth = await expanded({ ...tree, ...site('zz') }, cache);
    assert.deepEqual(
      fourth.apps.map((a) => a.metadata.name),
      ['site-a', 'site-b', 'site-z', 'site-zz'],
    );
    assert.deepEqual((await named(tree)).length, 3);
  });

  it('gives Apps the file and the line of their set, and fields those of the template', async () => {
    const text = [
      '# sites',
      appSet([{ list: [{ name: 'a' }] }])
        .trim()
        .replace('"template"', '\n"template"'),
    ].join('\n');
    const { state } = await expanded({ 'set.yaml': text, ...site('a') });
    const app = state.get('apps.plumbline.dev//site-a');
    assert.deepEqual(app?.position, { file: 'set.yaml', line: 2, column: 1 });
    assert.equal(app?.marks?.['spec.path']?.[0], 3);
  });
});
