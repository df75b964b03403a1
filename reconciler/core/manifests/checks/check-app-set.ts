/** AppSet: what can be said of it before its generators are asked. */
import { FORGES, type AppSet, type AppSetPullRequests, type AppSetSpec } from '../../../../contracts/objects/index.ts';
import { isWrong, setText } from '../../apps/set-text.ts';
import { isList, isObject } from '../../fields/json.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

export const GENERATOR_NAMES = ['list', 'directories', 'files', 'machines', 'pullRequests'] as const;
/** Of Argo CD's, which make elements of those of others. */
const COMBINING = ['matrix', 'merge'] as const;
/** Values of a template, each with its field: far more than an App has. */
const MAX_VALUES = 5000;

/** Fields whose places are told of once the set is expanded: generators, elements that are listed, and all of the template. */
export function pathsOfAppSet({ generators, template }: AppSetSpec): readonly FieldPath[] {
  return [
    ...generators.flatMap(({ list = [] }, i) => [
      ['spec', 'generators', i],
      ...GENERATOR_NAMES.map((name) => ['spec', 'generators', i, name]),
      ...list.map((_, j) => ['spec', 'generators', i, 'list', j]),
    ]),
    ...[...valuesIn(template, ['spec', 'template'])].map(({ path }) => path),
  ];
}

export function checkAppSet({ spec }: AppSet, { error }: CheckContext): void {
  spec.generators.forEach((generator, i) => {
    const path = ['spec', 'generators', i];
    const refused = COMBINING.find((name) => generator[name] !== undefined);
    const given = GENERATOR_NAMES.filter((name) => generator[name] !== undefined);
    if (refused !== undefined)
      error(
        'InvalidValue',
        [...path, refused],
        'is not carried out: no generator makes elements of those of others',
        'write the elements as a list, or commit a file for each of them',
      );
    else if (given.length !== 1)
      error(
        given.length === 0 ? 'MissingField' : 'InvalidValue',
        path,
        given.length === 0 ? `needs one of ${GENERATOR_NAMES.join(', ')}` : `may have only one of ${given.join(', ')}`,
        'generators stand beside each other in the list: what all of them give is the set',
      );
    else if (generator.pullRequests) checkPullRequests(generator.pullRequests, [...path, 'pullRequests'], error);
  });
  let count = 0;
  for (const { path, value } of valuesIn(spec.template, ['spec', 'template'])) {
    if (++count > MAX_VALUES) {
      error('TooComplex', ['spec', 'template'], `has more than ${MAX_VALUES} values`, 'keep values in files');
      return;
    }
    if (typeof path.at(-1) === 'string' && String(path.at(-1)).includes('${'))
      error('InvalidValue', path, 'has a variable in its name, and only values are filled in', VARIABLE_HINT);
    if (typeof value !== 'string') continue;
    const text = setText(value);
    if (isWrong(text)) error('InvalidValue', path, text.wrong, VARIABLE_HINT);
  }
}

function checkPullRequests(asked: AppSetPullRequests, path: FieldPath, error: CheckContext['error']): void {
  const given = FORGES.filter((name) => asked[name] !== undefined);
  if (given.length !== 1)
    error(
      given.length === 0 ? 'MissingField' : 'InvalidValue',
      path,
      given.length === 0 ? `needs one of ${FORGES.join(', ')}` : `may have only one of ${given.join(', ')}`,
    );
  if (asked.gitea && asked.gitea.url === undefined)
    error(
      'MissingField',
      [...path, 'gitea'],
      'needs url: there is no public one that is meant',
      'such as https://codeberg.org',
    );
}

const VARIABLE_HINT = 'variables are ${NAME}, without a default; write $${ for the two characters themselves';

/** A value before what is in it. */
function* valuesIn(value: unknown, path: FieldPath): Generator<{ readonly path: FieldPath; readonly value: unknown }> {
  yield { path, value };
  if (!isObject(value) && !isList(value)) return;
  for (const [name, inner] of Object.entries(value))
    yield* valuesIn(inner, [...path, isList(value) ? Number(name) : name]);
}
