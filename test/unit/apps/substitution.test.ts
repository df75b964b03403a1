import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { substitute } from '../../../reconciler/core/apps/substitution.ts';

const VARIABLES = new Map([
  ['NAME', 'web'],
  ['EMPTY', ''],
  ['NESTED', '${NAME}'],
]);
const LONG = 1_000;

describe('variables in what is rendered', () => {
  for (const [title, text, expected] of [
    ['have their value', 'a: ${NAME}-${NAME}', 'a: web-web'],
    ['have their default where they are not set', 'a: ${NONE:=x} ${NONE:-y z} ${NONE:=}', 'a: x y z '],
    ['have their default where they are empty, with the colon alone', 'a: ${EMPTY:=x} ${EMPTY=x} ${EMPTY}', 'a: x  '],
    ['are told from text', 'a: $${NAME} $NAME ${NAME}', 'a: ${NAME} $NAME web'],
    ['bring no further variables', 'a: ${NESTED}', 'a: ${NAME}'],
    [
      'are left alone where an object says so',
      'metadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\na: ${NONE}\n',
      'metadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\na: ${NONE}\n',
    ],
  ] as const)
    it(title, () => {
      assert.deepEqual(substitute(text, VARIABLES, true, LONG), { text: expected });
    });

  it('without a value are an error at their line where that is asked for, and nothing else', () => {
    const text = 'a: 1\nb: ${NONE}\n';
    const found = substitute(text, VARIABLES, true, LONG);
    assert.deepEqual('wrong' in found && found.wrong.map(({ line, code }) => [line, code]), [[2, 'UnsetVariable']]);
    assert.deepEqual(substitute(text, VARIABLES, false, LONG), { text: 'a: 1\nb: \n' });
  });

  for (const form of [
    '${NAME/a/b}',
    '${NAME:1:2}',
    '${}',
    '${{ github.ref }}',
    '${NAME',
    '${NAME:=${OTHER}}',
    '${constructor^^}',
  ])
    it(`are refused in the form ${form}`, () => {
      const found = substitute(`a: ${form}\n`, VARIABLES, false, LONG);
      assert.deepEqual('wrong' in found && found.wrong.map(({ code }) => code), ['UnsupportedValue']);
    });

  it('make no text longer than it may be', () => {
    const found = substitute('${NAME}'.repeat(100_000), new Map([['NAME', 'x'.repeat(500)]]), true, LONG);
    assert.deepEqual('wrong' in found && found.wrong.map(({ code }) => code), ['AppTooLarge']);
  });
});
