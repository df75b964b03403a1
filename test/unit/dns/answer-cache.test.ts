import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encode, decode } from 'dns-packet';
import { AnswerCache, queryKey, type QueryKey } from '../../../nodeagent/core/dns/answer-cache.ts';
import { answerTimes } from '../../../nodeagent/core/wire/dns-message.ts';

const question = { type: 'A', name: 'db.example.com', class: 'IN' } as const;
const query = (id: number): Buffer => encode({ type: 'query', id, questions: [question] });
const keyOf = (message: Buffer): QueryKey => queryKey(message) ?? assert.fail('no answer is kept of it');
const answer = encode({
  type: 'response',
  id: 1,
  questions: [question],
  answers: [{ type: 'A', name: 'db.example.com', ttl: 20, data: '192.0.2.1' }],
});
const { ttl, places } = answerTimes(answer, query(1).length - 12);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('kept answers', () => {
  it('keep no memory but their own, whatever was answered meanwhile', () => {
    const cache = new AnswerCache(1000);
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) {
      cache.put(`${i}`, answer, 0);
      Buffer.from('x'.repeat(3000));
    }
    collectGarbage();
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
    assert.ok(cache.get('0', query(1), 0), 'all are kept');
  });

  it('are given with the id of who asks, and with the time that is left', () => {
    const cache = new AnswerCache(10);
    cache.put(keyOf(query(1)), answer, 1000, { ttlMs: ttl * 1000, places });
    const packet = decode(cache.get(keyOf(query(77)), query(77), 6500) ?? Buffer.alloc(0));
    assert.equal(packet.id, 77);
    assert.deepEqual(
      packet.answers?.map((a) => 'ttl' in a && a.ttl),
      [15],
    );
    assert.equal(cache.get(keyOf(query(77)), query(77), 21_000), undefined);
  });

  it('are few: what was not asked for longest goes', () => {
    const cache = new AnswerCache(2);
    const ask = (name: string): Buffer => encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] });
    cache.put(keyOf(ask('a')), answer, 0);
    cache.put(keyOf(ask('b')), answer, 0);
    assert.ok(cache.get(keyOf(ask('a')), ask('a'), 0), 'a is kept');
    cache.put(keyOf(ask('c')), answer, 0);
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => cache.get(keyOf(ask(name)), ask(name), 0) !== undefined),
      [true, false, true],
    );
  });

  it('are small: neither a long question nor a long answer stays', () => {
    const cache = new AnswerCache(10);
    const long = Buffer.concat([query(1), Buffer.alloc(400)]);
    cache.put(keyOf(query(1)), Buffer.alloc(600), 0);
    assert.deepEqual([queryKey(long), cache.get(keyOf(query(1)), query(1), 0)], [undefined, undefined]);
  });

  it('are of one form of a question: another case of its name is another one', () => {
    const cache = new AnswerCache(10);
    cache.put(keyOf(query(1)), answer, 0);
    const other = encode({ type: 'query', id: 1, questions: [{ ...question, name: 'DB.example.com' }] });
    assert.equal(cache.get(keyOf(other), other, 0), undefined);
  });
});
