/** Which lab a command is about. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { LAB_DIR_VARIABLE, labStatus } from '../../../lab/lab.ts';

describe('the folder of a lab', () => {
  const before = process.env[LAB_DIR_VARIABLE];
  after(() => {
    if (before === undefined) delete process.env[LAB_DIR_VARIABLE];
    else process.env[LAB_DIR_VARIABLE] = before;
  });

  // There is none in any of them, which the refusal says.
  for (const [what, place, variable, dir] of [
    ['that is given', { dir: '/nowhere/given', name: 'a' }, '/nowhere/variable', '/nowhere/given'],
    ['of the variable, though a name is given', { name: 'a' }, '/nowhere/variable', '/nowhere/variable'],
    ['of its name, where nothing else is said', { name: 'nosuchlab' }, undefined, '/[^ ]*nosuchlab'],
  ] as const) {
    it(`is the one ${what}`, async () => {
      if (variable === undefined) delete process.env[LAB_DIR_VARIABLE];
      else process.env[LAB_DIR_VARIABLE] = variable;
      await assert.rejects(labStatus(place), { message: new RegExp(`^There is no lab in ${dir};`) });
    });
  }
});
