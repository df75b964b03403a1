/** Which variable of a Secret is told of, among many, without a look at the whole text for each. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exposedSecret } from '../../../reconciler/core/apps/secret-variables.ts';
import { substitute } from '../../../reconciler/core/apps/substitution.ts';

describe('a secret variable that is shown, among a thousand that are not', () => {
  const names = Array.from({ length: 1000 }, (_, at) => `V${at}`);
  const variables = new Map(names.map((name) => [name, `value of ${name}`]));
  for (const name of ['V0', 'V617', 'V999'])
    it(`is ${name}`, () => {
      const data = names.map((each) => `  k${each}: \${${each}}\n`).join('');
      const text = `apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n${data}---\nkind: ConfigMap\ndata: {a: "\${${name}}"}\n`;
      const made = substitute(text, variables, true, Infinity);
      const begun = performance.now();
      const found = exposedSecret(text, 'text' in made ? made.text : '', variables, new Set(names));
      assert.ok(performance.now() - begun < 15_000);
      assert.match(found?.message ?? '', new RegExp(`the variable ${name} is of`));
      assert.equal(found?.line, 5 + names.indexOf(name));
    });
});
