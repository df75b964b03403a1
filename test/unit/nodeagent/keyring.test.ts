import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { Secret } from '../../../contracts/objects/index.ts';
import { loginsFor } from '../../../nodeagent/core/image/keyring.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
function secret(type: string, key: string, content: string): Secret {
  return { apiVersion: 'v1', kind: 'Secret', type, metadata: { name: 'pull' }, data: { [key]: base64(content) } };
}
/** Who logs in where, by name. */
function config(places: Readonly<Record<string, string>>): Secret {
  const auths = Object.fromEntries(
    Object.entries(places).map(([place, name]) => [place, { auth: base64(`${name}:p:w`) }]),
  );
  return secret('kubernetes.io/dockerconfigjson', '.dockerconfigjson', JSON.stringify({ auths }));
}
const names = (image: string, ...secrets: Secret[]): string[] =>
  loginsFor(image, secrets).map((login) => login.reveal().username);

/** Source of the rows: Kubernetes pkg/credentialprovider/keyring_test.go. */
describe('logins for an image', () => {
  for (const [place, image, matches] of [
    ['reg.example.com', 'reg.example.com/app:1', true],
    ['https://reg.example.com', 'reg.example.com/app', true],
    ['http://reg.example.com/', 'reg.example.com/app', true],
    ['reg.example.com', 'reg.example.com:5000/app', false],
    ['reg.example.com:5000', 'reg.example.com:5000/app@sha256:0', true],
    ['reg.example.com:5000', 'reg.example.com/app', false],
    ['reg.example.com/v1/', 'reg.example.com/app', true],
    ['reg.example.com/v2/', 'reg.example.com/app', true],
    ['reg.example.com/team', 'reg.example.com/team/app', true],
    ['reg.example.com/team', 'reg.example.com/other/app', false],
    ['*.example.com', 'reg.example.com/app', true],
    ['*.example.com', 'a.reg.example.com/app', false],
    ['*.*.example.com', 'a.reg.example.com/app', true],
    ['r?g.example.*', 'reg.example.org/app', true],
    ['r*g.example.com', 'ring.example.com/app', true],
    ['r*g.example.com', 'ringo.example.com/app', false],
    ['*', 'reg.example.com/app', false],
    ['example.com', 'reg.example.com/app', false],
    ['https://index.docker.io/v1/', 'nginx', true],
    ['https://index.docker.io/v1/', 'team/nginx:1', true],
    ['https://index.docker.io/v1/', 'reg.example.com/nginx', false],
    ['docker.io', 'nginx', true],
    ['docker.io/team', 'team/nginx', true],
    ['docker.io/team', 'index.docker.io/team/nginx', true],
    ['localhost', 'localhost/app', true],
  ] as const)
    it(`${place} is ${matches ? '' : 'not '}for ${image}`, () =>
      assert.deepEqual(names(image, config({ [place]: 'ann' })), matches ? ['ann'] : []));

  it('are tried from the place that says most, of all Secrets, each once', () => {
    const one = config({ 'reg.example.com': 'host', '*.example.com': 'glob' });
    const other = config({
      'reg.example.com/team': 'path',
      'other.example.com': 'other',
      'https://reg.example.com': 'host',
    });
    assert.deepEqual(names('reg.example.com/team/app', one, other), ['path', 'host', 'glob']);
  });

  it('keep a colon in the password, and are read in the older form and in plain fields', () => {
    assert.deepEqual(loginsFor('r.io/a', [config({ 'r.io': 'ann' })])[0]?.reveal(), {
      username: 'ann',
      password: 'p:w',
    });
    const older = secret('kubernetes.io/dockercfg', '.dockercfg', '{"r.io":{"username":"bob","password":"x"}}');
    assert.deepEqual(names('r.io/a', older), ['bob']);
  });

  it('are none in a Secret of another type', () => {
    assert.deepEqual(names('r.io/a', secret('Opaque', '.dockerconfigjson', '{"auths":{"r.io":{"auth":"YTpi"}}}')), []);
  });

  for (const content of ['{"auths":{"r.io":{"auth":"c2VjcmV0"}}}', '{"secret"', '{"auths":{"r.io":secret'])
    it(`say nothing of what cannot be read: ${content.length}`, () => {
      const broken = secret('kubernetes.io/dockerconfigjson', '.dockerconfigjson', content);
      assert.throws(() => loginsFor('r.io/a', [broken]), {
        message: 'the pull secret "pull" has no valid .dockerconfigjson',
      });
    });

  it('are shown nowhere', () => {
    const login = loginsFor('r.io/a', [config({ 'r.io': 'ann' })]);
    for (const shown of [inspect(login, { depth: 9, showHidden: true }), JSON.stringify(login), String(login)])
      assert.doesNotMatch(shown, /ann|p:w/);
  });

  it('take no longer for a glob that is made to', () => {
    assert.deepEqual(names(`${'a'.repeat(200)}b.io/x`, config({ [`${'*a'.repeat(100)}.io`]: 'ann' })), []);
  });

  it('are none of a place that is longer than the name of a host', () => {
    const host = (length: number): string => `${'*a'.repeat(length)}.io`;
    assert.deepEqual(names(`${'a'.repeat(200)}.io/x`, config({ [host(120)]: 'ann', [host(200)]: 'bob' })), ['ann']);
    assert.deepEqual(names(`${'a'.repeat(300)}.io/x`, config({ '*.io': 'ann' })), []);
  });

  it('are twenty at most, from the place that says most', () => {
    const places = Array.from({ length: 500 }, (_, index): [string, string] => [
      `r.io/${'a'.repeat(index)}`,
      `n${index}`,
    ]);
    const found = names(`r.io/${'a'.repeat(500)}`, config(Object.fromEntries(places)));
    assert.deepEqual([found.length, found[0], found.at(-1)], [20, 'n499', 'n480']);
  });

  it('lose the NULs at the end of a password, however many are in it', () => {
    const auth = (password: string) =>
      loginsFor('r.io/a', [
        secret(
          'kubernetes.io/dockercfg',
          '.dockercfg',
          JSON.stringify({ 'r.io': { auth: base64(`ann:${password}`) } }),
        ),
      ])[0]?.reveal().password;
    assert.equal(auth('p\0\0'), 'p');
    const filled = `${'\0'.repeat(500_000)}p`;
    assert.ok(auth(filled) === filled);
  });
});
