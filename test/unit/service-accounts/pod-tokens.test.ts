/** Tokens of pods: what is in them, who can verify them, when they are made anew, and that only their node gets them. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, it } from 'node:test';
import type { Node, ServiceAccount, StoredSecret } from '../../../contracts/objects/index.ts';
import { tokenKey, tokenRequests } from '../../../contracts/objects/pod-tokens.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { TokenKeeper } from '../../../reconciler/controllers/nodes/token-keeper.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { podTokens, type Bearer } from '../../../reconciler/core/service-accounts/pod-tokens.ts';
import {
  DEFAULT_ISSUER,
  openIdConfiguration,
  SigningKey,
  type JsonWebKeySet,
} from '../../../reconciler/core/service-accounts/signing-key.ts';
import { stored } from '../admission/objects.ts';
import { cluster, pod } from '../controllers/objects.ts';
import { VirtualClock } from '../metrics/virtual-clock.ts';
import { world } from '../runtime/world.ts';

const pemOf = (modulusLength: number): string =>
  generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PEM = pemOf(2048);
const KEY = new SigningKey(PEM);

const asking = (...tokens: readonly object[]): object => ({
  volumes: [{ name: 't', projected: { sources: tokens.map((token) => ({ serviceAccountToken: token })) } }],
});
const CREATED = '2026-01-01T00:00:00Z';
const at = (seconds: number): Date => new Date(Date.parse(CREATED) + seconds * 1000);
const ACCOUNT: ServiceAccount = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace: 'default' },
};
const NODE: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} };
const bearer = (spec: object): Bearer => ({
  pod: stored(pod('web', { nodeName: 'n1', ...spec }), { uid: 'pod-1', creationTimestamp: CREATED }),
  account: stored(ACCOUNT, { uid: 'account-1' }),
  node: stored(NODE, { uid: 'node-1' }),
});

interface Claims {
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly [claim: string]: unknown;
}
/** As whoever is given a token does it: by the published keys alone. */
function verified(token: string, keySet: JsonWebKeySet): Claims {
  const [head = '', body = '', signature = ''] = token.split('.');
  const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string; kid: string };
  assert.equal(alg, 'RS256');
  const key = keySet.keys.find((one) => one.kid === kid);
  assert.ok(key, 'the key is published');
  const isGood = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    createPublicKey({ key, format: 'jwk' }),
    Buffer.from(signature, 'base64url'),
  );
  assert.ok(isGood, 'the signature is of the key');
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
}
function tokenIn(secret: StoredSecret | undefined, expirationSeconds: number, audience?: string): string {
  const data = secret?.data[tokenKey({ expirationSeconds, audience })];
  assert.ok(data !== undefined);
  return Buffer.from(data, 'base64').toString();
}

describe('the token of a pod', () => {
  it('says whom it is of and for, in the words of Kubernetes, and can be verified by its published key', () => {
    const made = podTokens(
      bearer(asking({ path: 'token', audience: 'vault', expirationSeconds: 600 })),
      'https://me.example',
      KEY,
      at(0),
    );
    const { jti, ...claims } = verified(tokenIn(made?.secret, 600, 'vault'), KEY.keySet);
    assert.match(jti, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    const iat = at(0).getTime() / 1000;
    assert.deepEqual(claims, {
      aud: ['vault'],
      exp: iat + 600,
      iat,
      iss: 'https://me.example',
      nbf: iat,
      sub: 'system:serviceaccount:default:default',
      'kubernetes.io': {
        namespace: 'default',
        node: { name: 'n1', uid: 'node-1' },
        pod: { name: 'web', uid: 'pod-1' },
        serviceaccount: { name: 'default', uid: 'account-1' },
      },
    });
  });

  it('is for the issuer itself where it names nobody', () => {
    const made = podTokens(bearer(asking({ path: 'token' })), DEFAULT_ISSUER, KEY, at(0));
    assert.deepEqual(verified(tokenIn(made?.secret, 3600), KEY.keySet)['aud'], [DEFAULT_ISSUER]);
  });

  const lives: readonly (readonly [
    what: string,
    lifeSeconds: number,
    nowSeconds: number,
    issued: number,
    renewed: number,
  ])[] = [
    ['the first one begins with the pod', 600, 0, 0, 480],
    ['is used for 80 % of its life', 600, 479, 0, 480],
    ['the next one begins where it is used up', 600, 480, 480, 960],
    ['also when nobody was there to make those between', 600, 4801, 4800, 5280],
    ['a long one is used for a day', 30 * 86_400, 86_399, 0, 86_400],
    ['and then made anew', 30 * 86_400, 86_400, 86_400, 2 * 86_400],
    ['a clock that was set back makes the first one', 600, -100, 0, 480],
  ];
  for (const [what, expirationSeconds, now, issued, renewed] of lives)
    it(what, () => {
      const made = podTokens(bearer(asking({ path: 'token', expirationSeconds })), DEFAULT_ISSUER, KEY, at(now));
      const { iat, exp } = verified(tokenIn(made?.secret, expirationSeconds), KEY.keySet);
      assert.deepEqual([iat, exp], [at(issued).getTime() / 1000, at(issued + expirationSeconds).getTime() / 1000]);
      assert.equal(made?.renewAt, at(renewed).getTime());
    });

  it('is the same whoever makes it with the same key, so that a restart sends nothing', () => {
    const whom = bearer(asking({ path: 'a' }, { path: 'b', audience: 'x' }, { path: 'c' }));
    assert.deepEqual(
      podTokens(whom, DEFAULT_ISSUER, new SigningKey(PEM), at(10)),
      podTokens(whom, DEFAULT_ISSUER, KEY, at(400)),
    );
    assert.equal(Object.keys(podTokens(whom, DEFAULT_ISSUER, KEY, at(0))?.secret.data ?? {}).length, 2);
    const other = podTokens(whom, DEFAULT_ISSUER, new SigningKey(pemOf(2048)), at(10));
    assert.throws(() => verified(tokenIn(other?.secret, 3600), KEY.keySet), /the key is published/);
  });

  it('is under a name that no manifest can have', () => {
    const { secret } = podTokens(bearer(asking({ path: 'token' })), DEFAULT_ISSUER, KEY, at(0)) ?? {};
    const { spec } = pod('web', asking({ path: 'token' }));
    assert.deepEqual(
      podReferences(spec, 'web').map(({ kind, name }) => [kind, name]),
      [['Secret', secret?.metadata.name]],
    );
    assert.deepEqual(podReferences(spec), [], 'a template has none yet');
    assert.throws(() => pod('thief', { volumes: [{ name: 'v', secret: { secretName: secret?.metadata.name } }] }));
  });
});

describe('the signing key', () => {
  it('is nothing else than an RSA key of enough bits, and is shown nowhere', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const bad of ['', 'secret text', pemOf(1024), ec.toString()])
      assert.throws(() => new SigningKey(bad), { message: 'not a private RSA key of 2048 bits or more' });
    const shown = `${JSON.stringify(KEY)} ${inspect(KEY, { depth: 9, showHidden: true })}`;
    assert.doesNotMatch(shown, /PRIVATE|"d"|KeyObject/);
  });

  it('is found by those who trust the issuer', () => {
    assert.equal(openIdConfiguration('https://me.example/')['jwks_uri'], 'https://me.example/openid/v1/jwks');
  });
});

describe('a manifest that asks for a token', () => {
  const told = (sources: string): readonly string[] => {
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: "a:1"}]\n  volumes:\n  - name: v\n    projected:\n      sources:\n${sources}\n`;
    const file = parseManifest('p.yaml', 'p', new TextEncoder().encode(text));
    return composeState([file], []).diagnostics.map(formatDiagnostic);
  };
  const source = (fields: string): string => `      - serviceAccountToken: {${fields}}`;
  const rows: readonly (readonly [string, RegExp | undefined])[] = [
    [source('path: token'), undefined],
    [source('path: token, audience: vault, expirationSeconds: 600'), undefined],
    [
      source('path: token, expirationSeconds: 599'),
      /^p\.yaml:10:\d+ InvalidValue .*expirationSeconds must be 600 or more/,
    ],
    [source('audience: vault'), /^p\.yaml:10:\d+ MissingField .*path/],
    [source('path: ../token'), /^p\.yaml:10:\d+ InvalidValue .*path must be a relative path/],
    [
      `${source('path: a')}\n${source('path: a, audience: b')}`,
      /^p\.yaml:11:\d+ DuplicateName .*a is the path of another/,
    ],
    [
      Array.from({ length: 33 }, (_, n) => source(`path: t${n}, audience: a${n}`)).join('\n'),
      /^p\.yaml:7:\d+ InvalidValue .*at most 32 different serviceAccountTokens, found 33/,
    ],
  ];
  for (const [sources, expected] of rows)
    it(sources.slice(0, 90).trim(), () => {
      const [first] = told(sources);
      if (expected) assert.match(first ?? '', expected);
      else assert.equal(first, undefined);
    });
});

describe('the token keeper', () => {
  it('gives a pod its tokens once it has node and account, makes them anew in time, and takes them away with it', async () => {
    const clock = new VirtualClock();
    const w = await world({ clock });
    const delivered: string[] = [];
    let isHeld = false;
    const keeper = new TokenKeeper({
      cache: w.cache,
      key: KEY,
      clock,
      log: w.log,
      isHeld: () => isHeld,
      deliver: (type, { metadata, data }) => {
        const [token = ''] = Object.values(data);
        const { iat, iss } = verified(Buffer.from(token, 'base64').toString(), KEY.keySet);
        delivered.push(`${type} ${metadata.name} of ${String(iss)} from ${iat - began}`);
      },
    });
    w.cache.subscribe((type, object, previous) => {
      keeper.observe(type, object, previous);
    });
    const began = clock.now().getTime() / 1000;
    const write = async (...objects: Parameters<typeof w.cache.write>[0]): Promise<void> => {
      for (const result of await w.cache.write(objects)) assert.ok(result.ok, JSON.stringify(result));
      await clock.pass(0);
    };
    try {
      await write({ op: 'create', object: pod('none', { nodeName: 'n1' }) });
      await write({
        op: 'create',
        object: pod('web', { nodeName: 'n1', ...asking({ path: 't', expirationSeconds: 600 }) }),
      });
      await write({ op: 'create', object: NODE });
      assert.deepEqual(delivered, [], 'it has no account yet');
      await write({ op: 'create', object: ACCOUNT });
      assert.deepEqual(delivered, [], 'its node is spoken to from elsewhere');
      isHeld = true;
      keeper.taken();
      await clock.pass(0);
      assert.deepEqual(delivered.splice(0), [`put web:tokens of ${DEFAULT_ISSUER} from 0`]);
      await clock.pass(479_000);
      assert.deepEqual(delivered, []);
      await clock.pass(2_000);
      assert.deepEqual(delivered.splice(0), [`put web:tokens of ${DEFAULT_ISSUER} from 480`]);
      await write({ op: 'create', object: cluster({ serviceAccounts: { issuer: 'https://me.example' } }) });
      assert.deepEqual(delivered.splice(0), ['put web:tokens of https://me.example from 480']);
      const [web] = w.cache.list('Pod', 'default').filter(({ metadata }) => metadata.name === 'web');
      assert.ok(web);
      const { uid, resourceVersion } = web.metadata;
      await write({ op: 'delete', key: 'pods/default/web' as never, uid, resourceVersion });
      assert.deepEqual(delivered.splice(0), ['delete web:tokens of https://me.example from 480']);
    } finally {
      await keeper.close();
      await w.close();
    }
  });
});

describe('the token keeper, where something fails', () => {
  it('gives the others theirs, and tries again', async () => {
    const clock = new VirtualClock();
    const w = await world({ clock });
    const delivered: string[] = [];
    let fails = true;
    const keeper = new TokenKeeper({
      cache: w.cache,
      key: KEY,
      clock,
      log: w.log,
      isHeld: () => true,
      deliver: (_type, { metadata }) => {
        if (metadata.name === 'bad:tokens' && fails) throw new Error('a bug');
        delivered.push(metadata.name);
      },
    });
    w.cache.subscribe((type, object, previous) => {
      keeper.observe(type, object, previous);
    });
    try {
      const objects = ['bad', 'web'].map((name) => pod(name, { nodeName: 'n1', ...asking({ path: 't' }) }));
      for (const object of [NODE, ACCOUNT, ...objects]) await w.cache.write([{ op: 'create', object }]);
      await clock.pass(0);
      assert.deepEqual(delivered.splice(0), ['web:tokens']);
      assert.deepEqual(
        w.log.lines.map(({ level, fields }) => [level, fields?.['error']]),
        [['error', 'a bug']],
      );
      fails = false;
      await clock.pass(120_000);
      assert.deepEqual(delivered, ['bad:tokens']);
    } finally {
      await keeper.close();
      await w.close();
    }
  });
});

describe('the token keeper, where the clock was a day ahead', () => {
  it('makes tokens that are valid now when the clock goes back', async () => {
    const clock = new Stepped();
    const w = await world({ clock });
    const delivered: number[] = [];
    const keeper = new TokenKeeper({
      cache: w.cache,
      key: KEY,
      clock,
      log: w.log,
      isHeld: () => true,
      deliver: (_type, { data }) => {
        const [token = ''] = Object.values(data);
        const { iat } = verified(Buffer.from(token, 'base64').toString(), KEY.keySet);
        delivered.push(iat - began);
      },
    });
    w.cache.subscribe((type, object, previous) => {
      keeper.observe(type, object, previous);
    });
    const began = clock.now().getTime() / 1000;
    try {
      for (const object of [NODE, ACCOUNT, pod('web', { nodeName: 'n1', ...asking({ path: 't' }) })])
        await w.cache.write([{ op: 'create', object }]);
      await clock.pass(0);
      clock.aheadMs = 86_400_000;
      await clock.pass(120_000);
      assert.deepEqual(delivered.splice(0), [0, 86_400]);
      clock.aheadMs = 0;
      await clock.pass(120_000);
      assert.deepEqual(delivered.splice(0), [0]);
      // A clock from before the pod asks for nothing again and again.
      clock.aheadMs = -86_400_000;
      await clock.pass(240_000);
      assert.deepEqual(delivered, []);
    } finally {
      await keeper.close();
      await w.close();
    }
  });
});

/** Its wall clock can be set. */
class Stepped extends VirtualClock {
  aheadMs = 0;
  override now(): Date {
    return new Date(super.now().getTime() + this.aheadMs);
  }
}

describe('requests of a pod', () => {
  it('are each there once', () => {
    const { spec } = pod('web', asking({ path: 'a' }, { path: 'b' }, { path: 'c', audience: 'x' }));
    assert.deepEqual(tokenRequests(spec).map(tokenKey), ['3600:', '3600:x']);
  });
});
