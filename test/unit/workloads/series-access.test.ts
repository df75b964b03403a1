/** What a Secret says of a Prometheus that asks who asks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SecretManifest } from '../../../contracts/objects/index.ts';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { accessIn } from '../../../reconciler/core/workloads/series-access.ts';

const secret = (stringData: Readonly<Record<string, string>>) => {
  const data = Object.fromEntries(
    Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  return SecretManifest.parse({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'prometheus', namespace: 'monitoring' },
    data,
  });
};
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the access to a Prometheus', () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, object | RegExp])[] = [
    ['is a name and a password', { username: 'me', password: 'pass:word\n' }, { authorization: basic('me:pass:word') }],
    ['is a token', { bearerToken: 'abc.def-_~+/==\n' }, { authorization: 'Bearer abc.def-_~+/==' }],
    ['is an authority alone', { 'ca.crt': 'PEM' }, { ca: 'PEM' }],
    ['is nothing', {}, {}],
    ['has no name', { password: 'a' }, /must have both/],
    ['has a name that ends early', { username: 'a:b', password: 'c' }, /without ':'/],
    ['is two', { username: 'a', password: 'b', bearerToken: 'c' }, /must have either/],
    ['has a token that would be more than one header', { bearerToken: 'a\r\nx: y' }, /is none/],
  ];
  for (const [what, data, expected] of cases)
    it(what, () => {
      const found = accessIn(secret(data));
      if (expected instanceof RegExp) assert.match(JSON.stringify(found), expected);
      else assert.deepEqual(found, expected);
    });

  it('is missing where the Secret is, or is not for us', () => {
    assert.match(JSON.stringify(accessIn(undefined)), /is not there/);
    assert.match(JSON.stringify(accessIn(secret({ bearerToken: 'ENC[AGE,abc]' }))), /encrypted/);
  });

  it('is told to https alone', () => {
    const refusals = (url: string): readonly string[] => {
      const text = `apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata: {name: default}
spec: {metrics: {prometheus: {url: "${url}", secretRef: {namespace: monitoring, name: prometheus}}}}
`;
      return parseManifest('f.yaml', 'oid', new TextEncoder().encode(text)).diagnostics.map(({ message }) => message);
    };
    assert.deepEqual(refusals('https://metrics.example.com'), []);
    assert.match(refusals('http://metrics.example.com').join(), /must be https where there is a secretRef/);
  });
});
