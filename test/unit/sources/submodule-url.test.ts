/** Where submodules are fetched from, and who gets credentials for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSameOrigin, submoduleUrl } from '../../../reconciler/core/sources/submodule-url.ts';

const HTTPS = 'https://git.example.com/shop/web.git';
const SSH = 'ssh://git@git.example.com:2222/shop/web.git';
const SCP = 'git@git.example.com:shop/web.git';

describe('the URL of a submodule', () => {
  const read: readonly (readonly [string, string, string, boolean])[] = [
    // As `git submodule init` resolves them.
    ['../lib.git', HTTPS, 'https://git.example.com/shop/lib.git', true],
    ['../../other/lib.git', HTTPS, 'https://git.example.com/other/lib.git', true],
    ['./lib', HTTPS, 'https://git.example.com/shop/web.git/lib', true],
    ['../lib/', `${HTTPS}/`, 'https://git.example.com/shop/lib', true],
    ['../lib.git', SSH, 'ssh://git@git.example.com:2222/shop/lib.git', true],
    ['../lib.git', SCP, 'git@git.example.com:shop/lib.git', true],
    ['../../lib.git', SCP, 'git@git.example.com:lib.git', true],
    ['../lib.git', 'git@git.example.com:/srv/web.git', 'git@git.example.com:/srv/lib.git', true],
    ['../lib.git', 'http://10.0.0.1:3000/shop/web.git', 'http://10.0.0.1:3000/shop/lib.git', true],
    ['https://git.example.com/a/b.git', HTTPS, 'https://git.example.com/a/b.git', true],
    ['https://GIT.example.com:443/a/b.git', HTTPS, 'https://GIT.example.com:443/a/b.git', true],
    ['git@git.example.com:a/b.git', 'ssh://git@git.example.com/web.git', 'git@git.example.com:a/b.git', true],
    ['https://forge.example.org/a.git', HTTPS, 'https://forge.example.org/a.git', false],
    ['https://git.example.com:8443/a.git', HTTPS, 'https://git.example.com:8443/a.git', false],
    ['https://git.example.com/a.git', SSH, 'https://git.example.com/a.git', false],
    ['https://git.example.com/a.git', '/srv/git/shop.git', 'https://git.example.com/a.git', false],
  ];
  for (const [written, base, url, isOwn] of read)
    it(`${written} of ${base} is ${url}, ${isOwn ? 'with' : 'without'} its login`, () => {
      assert.deepEqual(submoduleUrl(written, base), { ok: true, url, isOwn });
    });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['../../../lib.git', HTTPS, /leads out of the server/],
    ['../../../../evil.example/lib.git', HTTPS, /leads out of the server/],
    ['../a/../../lib.git', HTTPS, /leads out of the server/],
    ['../', HTTPS, /leads out of the server/],
    ['../../../lib.git', SCP, /leads out of the server/],
    ['../secret.git', '/srv/git/shop.git', /a repository of this machine/],
    ['../secret.git', 'file:///srv/git/shop.git', /a repository of this machine/],
    ['../secret.git', '', /a repository of this machine/],
    ['/srv/git/secret.git', '/srv/git/shop.git', /at another server/],
    ['file:///srv/git/secret.git', 'file:///srv/git/shop.git', /at another server/],
    ['ssh://git@other.example/a.git', HTTPS, /at another server/],
    ['ssh://root@git.example.com:2222/a.git', SSH, /at another server/],
    ['git@github.com:a/b.git', HTTPS, /at another server/],
    ['http://forge.example.org/a.git', HTTPS, /at another server/],
    ['git://forge.example.org/a.git', HTTPS, /at another server/],
    ['ext::sh -c id', HTTPS, /is no URL/],
    ['--upload-pack=id', HTTPS, /is no URL/],
    ['https://ada:word@forge.example.org/a.git', HTTPS, /at another server/],
    ['https://ada@git.example.com/a.git', HTTPS, /at another server/],
    ['https://git.example.com\\@evil.example/a.git', HTTPS, /is no URL/],
    ['https://git.example.com/a\nb.git', HTTPS, /is no URL/],
    ['', HTTPS, /is no URL/],
  ];
  for (const [written, base, why] of refused)
    it(`${JSON.stringify(written)} of ${JSON.stringify(base)} is refused`, () => {
      const answer = submoduleUrl(written, base);
      assert.ok(!answer.ok, JSON.stringify(answer));
      assert.match(answer.message, why);
      assert.notEqual(answer.hint, '');
    });

  it('is at the same server where scheme, user, host and port are the same', () => {
    assert.equal(isSameOrigin('ssh://git@h/a', 'git@h:b'), true);
    assert.equal(isSameOrigin('https://h/a', 'https://h:443/b'), true);
    for (const other of ['http://h/a', 'https://h:8443/a', 'https://h.evil/a', 'ssh://h/a', '/h/a'])
      assert.equal(isSameOrigin('https://h/a', other), false, other);
    assert.equal(isSameOrigin('/srv/a', '/srv/a'), false);
  });
});
