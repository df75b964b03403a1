import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readExecResult } from '../../../cli/container-session.ts';
import { CliFailure } from '../../../cli/failure.ts';

describe('what a node says of the end of a command', () => {
  it('is its exit code', () => {
    assert.deepEqual(readExecResult(Buffer.from('{"exitCode":3}')), { exitCode: 3 });
  });

  for (const told of ['', '{', 'null', '{}', '{"exitCode":"3"}', '{"exitCode":0.5}'])
    it(`is told in one sentence to be none when it is ${told || 'empty'}`, () => {
      assert.throws(
        () => readExecResult(Buffer.from(told)),
        (error) => error instanceof CliFailure && /^the connection to the node is out of step: /.test(error.message),
      );
    });
});
