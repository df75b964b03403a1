/** Who is reached by which proxy. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { proxyFor, type Environment } from '../../../reconciler/adapters/git/proxy-for.ts';

const PROXY = 'http://proxy.example:3128/';
const by = (no: string): Environment => ({ HTTPS_PROXY: PROXY, NO_PROXY: no });

describe('a proxy', () => {
  const table: readonly (readonly [string, Environment, string | undefined])[] = [
    ['https://git.example/a.git', {}, undefined],
    ['https://git.example/a.git', { HTTPS_PROXY: PROXY }, PROXY],
    ['https://git.example/a.git', { https_proxy: 'proxy.example:3128', HTTPS_PROXY: 'http://other/' }, PROXY],
    ['https://git.example/a.git', { HTTP_PROXY: PROXY }, undefined],
    ['https://git.example/a.git', { ALL_PROXY: PROXY }, PROXY],
    ['https://git.example/a.git', { HTTPS_PROXY: '' }, undefined],
    ['http://git.example/a.git', { HTTP_PROXY: PROXY }, PROXY],
    ['http://git.example/a.git', { HTTP_PROXY: PROXY, REQUEST_METHOD: 'POST' }, undefined],
    ['http://git.example/a.git', { http_proxy: PROXY, REQUEST_METHOD: 'POST' }, PROXY],
    ['https://localhost:8443/a.git', { HTTPS_PROXY: PROXY }, undefined],
    ['https://127.0.0.2/a.git', { HTTPS_PROXY: PROXY }, undefined],
    ['https://[::1]/a.git', { HTTPS_PROXY: PROXY }, undefined],
    ['https://git.example/a.git', by('*'), undefined],
    ['https://git.example/a.git', by('other.example, GIT.example'), undefined],
    ['https://git.example/a.git', by('it.example'), PROXY],
    ['https://a.git.example/a.git', by('git.example'), undefined],
    ['https://a.git.example/a.git', by('.git.example'), undefined],
    ['https://a.git.example/a.git', by('*.git.example'), undefined],
    ['https://git.example/a.git', by('git.example:443'), undefined],
    ['https://git.example:8443/a.git', by('git.example:443'), PROXY],
    ['https://10.1.2.3/a.git', by('10.0.0.0/8'), undefined],
    ['https://11.1.2.3/a.git', by('10.0.0.0/8, 10.0.0.0/99, x/8'), PROXY],
    ['https://[fd00::7]/a.git', by('fd00::/8'), undefined],
    ['https://[fd00::7]/a.git', by('fd00::7'), undefined],
  ];
  for (const [url, environment, wanted] of table)
    it(`for ${url} by ${JSON.stringify(environment)} is ${wanted ?? 'none'}`, () => {
      assert.equal(proxyFor(new URL(url), environment)?.href, wanted);
    });

  it('is to be an http:// URL', () => {
    for (const written of ['socks5://proxy.example', 'https://proxy.example', 'http://'])
      assert.throws(() => proxyFor(new URL('https://git.example/'), { HTTPS_PROXY: written }), TypeError, written);
  });
});
