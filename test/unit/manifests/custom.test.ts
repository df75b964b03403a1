/** Objects of kinds that a repository brings along, from files to desired state. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RESOURCE } from '../../../contracts/objects/index.ts';
import { composeState, parseManifest, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import { DEFINITION, definition, WIDGET } from './definitions.ts';

function rendered(files: Readonly<Record<string, string>>): Rendering {
  return composeState(
    Object.entries(files).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text))),
    [],
  );
}

function told(files: Readonly<Record<string, string>>): string[] {
  return rendered(files).diagnostics.map((d) => `${d.file}:${d.line}:${d.column} ${d.code} ${d.message}`);
}

describe('an object of a custom kind', () => {
  it('is of the kind that a definition anywhere in the revision makes', () => {
    const { custom, kinds, diagnostics } = rendered({ 'a.yaml': WIDGET, 'z/crd.yaml': DEFINITION });
    assert.deepEqual(diagnostics, []);
    assert.deepEqual([...custom.keys()], ['widgets.example.com/default/a']);
    const [desired] = custom.values();
    assert.equal(desired?.object[RESOURCE], 'widgets.example.com');
    assert.deepEqual(desired.object['spec'], { size: 3, mode: 'fast', parts: [{ name: 'x' }] });
    assert.deepEqual(desired.object.metadata, { name: 'a', namespace: 'default' });
    assert.deepEqual(desired.written['spec'], { size: 3, parts: [{ name: 'x' }] }, 'no defaults');
    assert.deepEqual(desired.written['metadata'], { name: 'a' });
    assert.equal(kinds.find('wd')?.kind, 'Widget');
  });

  it('without a definition is refused, with what to do', () => {
    const { diagnostics } = rendered({ 'a.yaml': WIDGET });
    assert.deepEqual(
      diagnostics.map(({ line, column, code, message, hint }) => ({ line, column, code, message, hint })),
      [
        {
          line: 2,
          column: 7,
          code: 'UnknownKind',
          message:
            'Widget of group example.com is a custom resource, and no CustomResourceDefinition in the repository defines it',
          hint: 'commit its CustomResourceDefinition beside it, or remove it',
        },
      ],
    );
    const [misspelt] = rendered({ 'a.yaml': WIDGET.replace('Widget', 'Wigdet'), 'crd.yaml': DEFINITION }).diagnostics;
    assert.match(misspelt?.hint ?? '', /^did you mean Widget\?/);
  });

  it('of a group whose definition was refused is not blamed for that', () => {
    const broken = DEFINITION.replace('scope: Namespaced', 'scope: Nowhere');
    assert.deepEqual(
      told({ 'a.yaml': WIDGET, 'crd.yaml': broken }).map((line) => line.split(' ')[1]),
      ['InvalidValue'],
    );
  });

  const cases: [string, string, string[]][] = [
    ['another version', WIDGET.replace('example.com/v1', 'example.com/v2'), ['a.yaml:1:13 WrongApiVersion']],
    ['a field that its definition lacks', WIDGET.replace('size: 3', 'sice: 3'), ['a.yaml:6:3 UnknownField']],
    ['a value of another type', WIDGET.replace('size: 3', 'size: three'), ['a.yaml:6:9 WrongType']],
    ['a value out of bounds', WIDGET.replace('size: 3', 'size: 30'), ['a.yaml:6:9 InvalidValue']],
    ['a field of an entry', WIDGET.replace('name: x', 'naem: x'), ['a.yaml:8:7 UnknownField']],
    ['a status', `${WIDGET}status: { up: true }\n`, ['a.yaml:9:1 StatusInManifest']],
    [
      'an annotation of ours',
      WIDGET.replace('name: a', 'name: a\n  annotations: { plumbline.dev/source: x }'),
      ['a.yaml:5:40 ReservedAnnotation'],
    ],
    [
      'a namespace that is in no manifest',
      WIDGET.replace('name: a', 'name: a\n  namespace: nowhere'),
      ['a.yaml:5:14 UnknownNamespace'],
    ],
    ['no name', WIDGET.replace('name: a', 'labels: {}'), ['a.yaml:3:1 MissingField']],
    ['two of one name', `${WIDGET}---\n${WIDGET}`, ['a.yaml:10:1 DuplicateObject']],
  ];
  for (const [title, text, expected] of cases)
    it(`is told what is wrong at its place: ${title}`, () => {
      assert.deepEqual(
        told({ 'a.yaml': text, 'crd.yaml': DEFINITION }).map((line) => line.split(' ').slice(0, 2).join(' ')),
        expected,
      );
    });

  it('of a kind that is not served is told so', () => {
    const { diagnostics } = rendered({
      'a.yaml': WIDGET,
      'crd.yaml': DEFINITION.replace('served: true', 'served: false'),
    });
    assert.deepEqual(
      diagnostics.map(({ code, hint }) => [code, hint]),
      [['WrongApiVersion', 'its definition serves no version: write served: true there']],
    );
  });

  it('of a kind in no namespace may not have one', () => {
    const inNone = DEFINITION.replace('scope: Namespaced', 'scope: Cluster');
    assert.deepEqual([...rendered({ 'a.yaml': WIDGET, 'crd.yaml': inNone }).custom.keys()], ['widgets.example.com//a']);
    const text = WIDGET.replace('name: a', 'name: a\n  namespace: default');
    assert.match(told({ 'a.yaml': text, 'crd.yaml': inNone })[0] ?? '', /^a.yaml:5:14 NamespaceNotAllowed/);
  });

  it('is bounded in depth, values, bytes and names', () => {
    const with_ = (spec: unknown): string =>
      JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec });
    const deep = Array.from({ length: 70 }).reduce<unknown>((inner) => ({ a: inner }), {});
    const aliases = `apiVersion: example.com/v1\nkind: Widget\nmetadata: { name: a }\nspec:\n  text: &t ${'x'.repeat(2000)}\n  more: [${Array.from({ length: 600 }, () => '*t').join(', ')}]\n`;
    const many = with_(Array.from({ length: 60_000 }, () => 1));
    for (const [text, message] of [
      [with_(deep), /nested deeper than 64 levels/],
      [aliases, /at most 1048576 bytes/],
      [many, /at most 50000 values/],
      [with_({ ['k'.repeat(600)]: 1 }), /name has at most 512 characters/],
    ] as const) {
      const found = told({ 'a.yaml': text, 'crd.yaml': DEFINITION });
      assert.match(found[0] ?? '', /ObjectTooLarge/);
      assert.match(found[0] ?? '', message);
    }
  });
});

describe('defaults of a definition', () => {
  const withDefault = (characters: number): string =>
    DEFINITION.replace('name: { type: string }', `$&, more: { type: string, default: ${'x'.repeat(characters)} }`);
  const widget = (parts: number): string =>
    `${WIDGET}${Array.from({ length: parts }, (_, i) => `    - { name: p${i} }\n`).join('')}`;

  it('add no more to an object than may be written of one', () => {
    assert.deepEqual(told({ 'a.yaml': widget(900), 'crd.yaml': withDefault(1000) }), []);
    const [found, ...others] = told({ 'a.yaml': widget(1200), 'crd.yaml': withDefault(1000) });
    assert.match(found ?? '', /^a.yaml:2:7 ObjectTooLarge kind gets more than 1048576 characters by defaults/);
    assert.deepEqual(others, []);
  });
});

describe('a definition', () => {
  const cases: [string, string, string[]][] = [
    [
      'with another name than its own',
      DEFINITION.replace('name: widgets.example.com', 'name: widgets'),
      ['InvalidValue'],
    ],
    ['without a stored version', DEFINITION.replace('storage: true', 'storage: false'), ['InvalidValue']],
    ['of a kind that is built in', definition('scheduling.x-k8s.io', 'podgroups', 'PodGroup'), ['KindTaken']],
    ['in a group of Kubernetes itself', definition('apps.k8s.io', 'things', 'Thing'), []],
    ['in a group of Kubernetes', definition('networking.k8s.io', 'ingresses', 'Ingress'), ['KindTaken']],
    ['in a group of ours', definition('plumbline.dev', 'things', 'Thing'), ['KindTaken']],
    ['with a schema that is none', DEFINITION.replace('type: integer', 'type: whole'), ['InvalidValue']],
    [
      'whose kind another one has',
      `${DEFINITION}---\n${definition('example.com', 'gadgets', 'Widget')}`,
      ['KindTaken'],
    ],
    [
      'with a webhook',
      DEFINITION.replace('scope:', 'conversion: { strategy: Webhook, webhook: {} }\n  scope:'),
      ['InvalidValue', 'UnsupportedField'],
    ],
    [
      'with the status that generators print',
      `${DEFINITION}status:\n  acceptedNames: { kind: "", plural: "" }\n  conditions: []\n  storedVersions: []\n`,
      [],
    ],
  ];
  for (const [title, text, expected] of cases)
    it(title, () => {
      const codes = told({ 'crd.yaml': text }).map((line) => line.split(' ')[1]);
      assert.deepEqual(codes.sort(), [...expected].sort(), told({ 'crd.yaml': text }).join('\n'));
    });
});
