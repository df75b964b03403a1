import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DnsMetrics, questionType } from '../../../nodeagent/core/dns/metrics.ts';

describe('metrics of the DNS server', () => {
  it('are in the text format of Prometheus, with buckets that hold all below them', () => {
    const metrics = new DnsMetrics();
    const answer = Buffer.from([0, 0, 0x81, 0x80]);
    for (const milliseconds of [0.1, 0.3, 3, 20_000]) metrics.asked(answer, milliseconds);
    const lines = metrics.text(7).split('\n');
    assert.equal(lines.at(-1), '');
    for (const line of lines.slice(0, -1))
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\\]*",?)+\})? \d+(\.\d+)?)$/);
    const bucket = (bound: string): string | undefined =>
      lines
        .find((line) => line.includes('proxy_request') && line.includes(`le="${bound}"`))
        ?.split(' ')
        .at(-1);
    assert.deepEqual(['0.00025', '0.0005', '0.002', '0.004', '8.192', '+Inf'].map(bucket), [
      '1',
      '2',
      '2',
      '3',
      '3',
      '4',
    ]);
    assert.ok(lines.includes('coredns_cache_entries 7'));
  });

  it('find a type, or none, in whatever is sent', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (message) => {
        assert.match(questionType(message), /^(\w+)$/);
      }),
    );
  });
});
