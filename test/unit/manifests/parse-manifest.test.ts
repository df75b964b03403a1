import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_FILE_BYTES, parseManifest, type ParsedFile } from '../../../reconciler/core/manifests/index.ts';
import { processorTime } from '../../support/processor-time.ts';

function parse(text: string): ParsedFile {
  return parseManifest('f.yaml', 'oid', new TextEncoder().encode(text));
}

/** `LINE:COL CODE` of each diagnostic. */
function places(file: ParsedFile): string[] {
  return file.diagnostics.map((d) => `${d.line}:${d.column} ${d.code}`);
}

const configMap = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: ${data}\n`;

describe('bytes that are no text', () => {
  const cases: readonly (readonly [string, readonly number[], string])[] = [
    ['a lone continuation byte', [0x61, 0x0a, 0x62, 0x80], '2:2 NotUtf8'],
    ['a cut sequence', [0xc3, 0xa9, 0x0a, 0xe2, 0x82], '2:1 NotUtf8'],
    ['an overlong form', [0x61, 0xc0, 0xaf], '1:2 NotUtf8'],
    ['a surrogate', [0xed, 0xa0, 0x80], '1:1 NotUtf8'],
    ['characters before it count once', [0xc3, 0xa9, 0xff], '1:2 NotUtf8'],
    ['UTF-16', [0xff, 0xfe, 0x61, 0x00], '1:1 NotUtf8'],
    ['a NUL byte', [0x61, 0x3a, 0x0a, 0x62, 0x00], '2:2 ControlCharacter'],
  ];
  for (const [name, bytes, expected] of cases) {
    it(name, () => assert.deepEqual(places(parseManifest('f.yaml', 'o', Uint8Array.from(bytes))), [expected]));
  }

  it('accepts a byte order mark and Windows line ends', () => {
    const file = parse(`\ufeff${configMap('{a: b}').replaceAll('\n', '\r\n')}`);
    assert.deepEqual(places(file), []);
    assert.deepEqual(
      file.objects.map((o) => o.key),
      ['configmaps/default/a'],
    );
  });

  it('names Git LFS where a commit has its pointer, and warns of one that may be anything', () => {
    const pointer = new TextEncoder().encode(
      'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
    );
    const [error] = parseManifest('f.yaml', 'o', pointer).diagnostics;
    assert.deepEqual(
      [error?.severity, error?.code, error?.message],
      [
        'error',
        'LfsPointer',
        'f.yaml is in Git LFS: the commit has a pointer to its contents, and these are not fetched',
      ],
    );
    assert.match(error?.hint ?? '', /git lfs untrack/);
    assert.deepEqual(
      parseManifest('f.json', 'o', pointer).diagnostics.map((d) => `${d.severity} ${d.code}`),
      ['warning LfsPointer'],
    );
    assert.deepEqual(places(parse('version: https://git-lfs.github.com/spec/v1\n')).includes('1:1 LfsPointer'), false);
  });

  it('refuses a file over the limit', () => {
    assert.deepEqual(places(parseManifest('f.yaml', 'o', new Uint8Array(MAX_FILE_BYTES + 1))), ['1:1 FileTooLarge']);
  });
});

describe('what plain words mean, as Kubernetes reads them', () => {
  const text = [
    '22:22',
    '2001-12-14',
    '1.2.3',
    '0x',
    'yes please',
    '"yes"',
    "'1'",
    '!!str 5',
    '1e',
    '08:00',
    '.',
    '+',
    '1e400',
    '.5_0',
    '0x1p-2',
    'NaN',
    'inf',
    '.inf5',
    '0b12',
    '0o8',
    '_1',
    '"0x1F"',
    '!!str .inf',
  ];
  for (const word of text) {
    it(`${word} is text`, () => assert.deepEqual(places(parse(configMap(`{k: ${word}}`))), []));
  }
  const notText = [
    'yes',
    'No',
    'on',
    'y',
    '5',
    '0644',
    '0x1F',
    '0b1',
    '1_000',
    '1.5',
    '.5',
    '1e3',
    'True',
    '08',
    '0X1F',
    '0B1',
    '0O17',
    '-0x1',
    '+0b1',
    '0_7',
    '9'.repeat(101),
  ];
  for (const word of notText) {
    it(`${word} is no text`, () => {
      const file = parse(configMap(`{k: ${word}}`));
      assert.deepEqual(
        file.diagnostics.map((d) => d.code),
        ['WrongType'],
      );
    });
  }
});

describe('numbers that JSON has not, which Kubernetes refuses wherever they are', () => {
  for (const word of [
    '.inf',
    '-.Inf',
    '+.INF',
    '.nan',
    '.NaN',
    '!!float .inf',
    '9'.repeat(400),
    `0x${'f'.repeat(300)}`,
  ]) {
    it(word.slice(0, 20), () => {
      for (const place of [`{k: ${word}}`, `{? ${word} : x}`])
        assert.deepEqual(
          parse(configMap(place)).diagnostics.map((d) => d.code),
          ['InvalidYaml'],
          place,
        );
    });
  }
});

describe('files with several documents', () => {
  it('keeps the good ones beside the bad', () => {
    const file = parse(
      `${configMap('{a: b}')}---\n${configMap('{a: 5}').replace('name: a', 'name: b')}---\n# empty\n---\n${configMap('').replace('name: a', 'name: c')}`,
    );
    assert.deepEqual(
      file.objects.map((o) => o.key),
      ['configmaps/default/a', 'configmaps/default/c'],
    );
    assert.deepEqual(file.refused, ['configmaps/default/b']);
    assert.deepEqual(places(file), ['9:11 WrongType']);
  });

  it('goes on after a doubled key, but takes neither', () => {
    const file = parse('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\ndata: {k: 5}\n');
    assert.deepEqual(places(file), ['3:21 DuplicateKey', '4:11 WrongType']);
    const sound = parse('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: x, k: y}\n');
    assert.deepEqual(
      [places(sound), sound.objects, sound.refused],
      [['4:14 DuplicateKey'], [], ['configmaps/default/a']],
    );
  });

  it('an empty file and a file of comments hold nothing and are no mistake', () => {
    for (const content of ['', '\n\n', '# nothing\n', '---\n---\n'])
      assert.deepEqual(parse(content), {
        path: 'f.yaml',
        oid: 'oid',
        bytes: content.length,
        objects: [],
        custom: [],
        refused: [],
        diagnostics: [],
      });
  });

  it('says on which line every item of a List is', () => {
    const file = parse(
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- kind: Nope\n  apiVersion: v1\n',
    );
    assert.deepEqual(
      file.objects.map((o) => o.position.line),
      [4],
    );
    assert.deepEqual(places(file), ['7:9 UnknownKind']);
  });
});

describe('JSON', () => {
  const json = (text: string): ParsedFile => parseManifest('f.json', 'oid', new TextEncoder().encode(text));
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'x' } };

  it('is read as YAML is, whatever it is indented with', () => {
    for (const indent of [undefined, 2, '\t']) {
      const text = JSON.stringify({ ...object, data: { k: '\u{1f600}\\ "/\n\t\u2028' } }, null, indent);
      const [read] = json(text).objects;
      assert.deepEqual(read?.object, {
        ...(JSON.parse(text) as object),
        metadata: { name: 'a', namespace: 'default' },
      });
    }
  });

  const mistakes: readonly (readonly [string, string, string])[] = [
    [
      'a wrong type',
      '{\n "apiVersion": "v1",\n "kind": "ConfigMap",\n "metadata": {"name": "a"},\n "data": {"k": 5}\n}',
      '5:16 WrongType',
    ],
    [
      'a doubled key',
      '{\n "apiVersion": "v1", "kind": "ConfigMap",\n "metadata": {"name": "a", "name": "b"}\n}',
      '3:28 DuplicateKey',
    ],
    [
      'a List',
      '{"apiVersion": "v1", "kind": "List", "items": [\n {"apiVersion": "v1", "kind": "Nope"}\n]}',
      '2:31 UnknownKind',
    ],
    ['no kind', '{"apiVersion": "v1",\n "metadata": {}}', '1:1 MissingField'],
    ['cut off', '{"apiVersion": "v1",\n "kind": "ConfigMap",\n "metadata": {"name": "a"', '3:14 InvalidYaml'],
    [
      'a word that is no JSON',
      '{"apiVersion": "v1",\n "kind": "ConfigMap",\n "metadata": {"name": web}}',
      '3:23 InvalidYaml',
    ],
    [
      'a number that is out of range',
      '{"apiVersion": "v1",\n "kind": "ConfigMap",\n "metadata": {"name": "a"}, "data": {"k": 1e400}}',
      '3:43 InvalidYaml',
    ],
    ['a quote that is not closed', '{"apiVersion": "v1",\n "kind": "ConfigMap,\n "metadata": {}}', '2:10 InvalidYaml'],
  ];
  for (const [name, text, place] of mistakes)
    it(`${name} is told at its place`, () => assert.deepEqual(places(json(text)), [place]));

  const others: readonly (readonly [string, string])[] = [
    ['package.json', '{"name": "shop", "version": "1.0.0", "scripts": {"kind": "x"}}'],
    ['tsconfig.json with comments', '{\n // strict\n "compilerOptions": {"strict": true},\n}'],
    ['a dashboard', '{"title": "web", "panels": [{"kind": "graph", "apiVersion": 1}]}'],
    ['a list', '[{"apiVersion": "v1", "kind": "ConfigMap"}]'],
    ['a word', '"kind"'],
    ['nothing', ''],
    ['no JSON at all', '\u0000\u0001{{'],
    ['too many values for a manifest', `{"data": [${'1,'.repeat(400_000)}1]}`],
    ['nesting without end', `{"kind": ${'['.repeat(900_000)}`],
  ];
  for (const [name, text] of others)
    it(`that is no manifest is left alone: ${name}`, () =>
      assert.deepEqual(json(text), {
        path: 'f.json',
        oid: 'oid',
        bytes: text.length,
        objects: [],
        custom: [],
        diagnostics: [],
      }));
});

describe('hostile files are refused quickly', () => {
  const LENGTH = MAX_FILE_BYTES - 64;
  const repeat = (s: string): string => s.repeat(Math.floor(LENGTH / s.length));
  const laughs = `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`).join('\n')}`;
  const longText = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: &a ${'x'.repeat(500_000)}\n${Array.from({ length: 10_000 }, (_, i) => `  k${i}: *a`).join('\n')}`;
  const cases: readonly (readonly [string, string, string])[] = [
    ['brackets without end', repeat('['), 'TooComplex'],
    ['nested maps', repeat('{a: '), 'TooComplex'],
    ['nested entries', repeat('- '), 'TooComplex'],
    ['a million laughs', laughs, 'AliasBomb'],
    ['one long text many times', longText, 'AliasBomb'],
    ['an alias inside itself', 'a: &a [*a]', 'AliasBomb'],
    ['many aliases', `a: &a 1\nb:\n${'- *a\n'.repeat(25_000)}`, 'AliasBomb'],
    ['bad keys in one line', `{${'[]: 1, '.repeat(35_000)}}`, 'InvalidYaml'],
    ['quotes that are not closed', 'a: "\n--- \n'.repeat(30_000), 'InvalidYaml'],
    ['closing brackets', repeat('}]'), 'InvalidYaml'],
    ['comments', repeat('#\n'), 'TooComplex'],
    [
      'many fields',
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n${Array.from({ length: 40_000 }, (_, i) => `k${i}: x`).join('\n')}`,
      'UnknownField',
    ],
    [
      'white space for base64',
      `apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: "${' '.repeat(900_000)}!"}`,
      'InvalidValue',
    ],
    ['a key that is a prototype', configMap('{__proto__: x}'), 'InvalidYaml'],
  ];
  for (const [name, text, code] of cases) {
    it(name, () => {
      const seconds = processorTime();
      const file = parse(text);
      assert.equal(file.diagnostics[0]?.code, code);
      assert.deepEqual(file.objects, []);
      assert.ok(file.diagnostics.length <= 200);
      assert.ok(seconds() < 10, 'took more than 10 s');
    });
  }
});

describe('speed', () => {
  it('reads 1,000 small manifests in seconds', () => {
    const seconds = processorTime();
    for (let i = 0; i < 1000; i++) {
      const file = parse(
        `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web-${i}}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - {name: web, image: "hello:1", ports: [{containerPort: 80}]}\n`,
      );
      assert.equal(file.objects.length, 1);
    }
    assert.ok(seconds() < 10, 'took more than 10 s');
  });
});

describe("an escaped ' in double quotes, which Kubernetes reads", () => {
  const dataOf = (text: string): unknown => {
    const file = parse(configMap(text));
    assert.deepEqual(places(file), []);
    const [found] = file.objects;
    return found?.object.kind === 'ConfigMap' ? found.object.data : undefined;
  };

  it("is a '", () => {
    assert.deepEqual(dataOf(`{a: "it\\'s \\"x\\"\\n"}`), { a: 'it\'s "x"\n' });
    assert.deepEqual(dataOf(`{a: "it\\\\'s \\\\\\'"}`), { a: "it\\'s \\'" });
    assert.deepEqual(dataOf(`\n  a: "one \\\n    \\'two\\'\n    three"`), { a: "one 'two' three" });
  });

  it('hides no other escape that there is not', () => {
    assert.deepEqual(places(parse(configMap(`{a: "it\\'s \\q"}`))), ['4:18 InvalidYaml']);
  });
});
