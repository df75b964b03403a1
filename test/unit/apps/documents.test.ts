import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  lineOfObject,
  objectLines,
  splitDocuments,
  withoutOrigin,
  withoutSource,
} from '../../../reconciler/core/apps/documents.ts';

const noted = (rest: string): string => `apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    config.kubernetes.io/origin: |
      path: ../repository/apps/base/a.yaml
${rest}  name: a
`;

describe('what an engine prints', () => {
  it('is divided where a line ends a document, and nowhere else', () => {
    const text = '---\n# Source: c/a.yaml\na: 1\n---\n\n# nothing\n---\nb: |\n  ---\n  x\n--- # end\nc: 1';
    assert.deepEqual(splitDocuments(text), ['# Source: c/a.yaml\na: 1\n', 'b: |\n  ---\n  x\n', 'c: 1\n']);
  });

  it('loses the note of its origin, and the map of annotations where nothing else is in it', () => {
    assert.deepEqual(withoutOrigin(noted(''), 'app'), {
      text: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n',
      file: 'repository/apps/base/a.yaml',
    });
    assert.deepEqual(withoutOrigin(noted('    other: x\n'), 'app'), {
      text: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    other: x\n  name: a\n',
      file: 'repository/apps/base/a.yaml',
    });
  });

  it('keeps what only looks like a note', () => {
    const text =
      'data:\n  x: |\n    config.kubernetes.io/origin: |\n      path: ../../etc/passwd\nmetadata:\n  name: a\n';
    assert.deepEqual(withoutOrigin(text, 'app'), { text });
    const template = 'metadata:\n  name: a\nspec:\n  annotations:\n    config.kubernetes.io/origin: |\n      path: x\n';
    assert.deepEqual(withoutOrigin(template, 'app'), { text: template });
  });

  it('takes no origin outside of the call', () => {
    const text = noted('').replace('../repository/apps', '../../../etc');
    assert.equal(withoutOrigin(text, 'app').file, undefined);
  });

  it('tells the template that Helm names', () => {
    assert.deepEqual(withoutSource('# Source: c/templates/a.yaml\na: 1\n'), {
      text: 'a: 1\n',
      template: 'c/templates/a.yaml',
    });
    assert.deepEqual(withoutSource('a: 1\n'), { text: 'a: 1\n' });
  });
});

describe('the line of an object in its file', () => {
  const file =
    '# first\nkind: A\nmetadata: {name: one}\n---\n\nkind: A\nmetadata:\n  labels: {name: no}\n  name: "two"\n---\nkind: A\nmetadata: {name: again}\n---\nkind: A\nmetadata: {name: again}\n';
  for (const [title, text, line] of [
    ['of its own name', 'kind: A\nmetadata:\n  name: two\n', 6],
    ['of a name that got a prefix', 'kind: A\nmetadata:\n  name: p-one\n', 2],
    ['of the first of its own name', 'kind: A\nmetadata: {name: again}\n', 11],
    ['of the last that its name may be of', 'kind: A\nmetadata: {name: two-again-one}\n', 14],
    ['that is not there', 'kind: B\nmetadata:\n  name: one\n', 1],
  ] as const)
    it(title, () => {
      assert.equal(lineOfObject(objectLines(file), text), line);
    });
});
