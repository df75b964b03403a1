import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classifyFailure, leadsToReplica } from '../../../reconciler/adapters/redis/failure.ts';

const UNBLOCKED = 'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';

describe('classifyFailure', () => {
  for (const [message, wanted] of [
    ["READONLY You can't write against a read only replica.", 'unavailable'],
    ['LOADING Redis is loading the dataset in memory', 'unavailable'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'unavailable'],
    [UNBLOCKED, 'unavailable'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'unavailable'],
    [
      'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
      'unavailable',
    ],
    ['NOREPLICAS Not enough good replicas to write.', 'unavailable'],
    ['BUSY Redis is busy running a script.', 'unavailable'],
    ['CLUSTERDOWN The cluster is down', 'unavailable'],
    ['STORELOST the store was emptied', 'lost'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value script: x, on @user_script:3.', 'lost'],
    ['ERR user_script:9: attempt to compare nil with number script: x, on @user_script:9.', 'lost'],
    ['STORESEALED another key', 'sealed'],
    ['STOREFENCED another control plane took over', 'fenced'],
    ['NOAUTH Authentication required.', 'refused'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'refused'],
    ["NOPERM User x has no permissions to run the 'evalsha' command", 'refused'],
    ["ERR unknown command 'EVALSHA'", 'refused'],
  ] as const) {
    it(`${wanted}: ${message}`, () => {
      assert.equal(classifyFailure(message, true), wanted);
    });
  }

  it('takes what no server said for a connection that failed', () => {
    for (const message of [
      'read ECONNRESET',
      'Connection is closed.',
      'connect ENOENT /run/redis.sock',
      'ERR something',
    ])
      assert.equal(classifyFailure(message, false), 'unavailable');
  });
});

describe('leadsToReplica', () => {
  for (const [message, wanted] of [
    ['READONLY x', true],
    [UNBLOCKED, true],
    ['MASTERDOWN x', true],
    ['READONLYISH x', false],
    ['ERR x', false],
  ] as const) {
    it(`${wanted}: ${message}`, () => {
      assert.equal(leadsToReplica(new Error(message)), wanted);
    });
  }
});
