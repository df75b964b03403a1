/**
 * What a namespace lets its pods be, and by what others know them. Sources:
 * kubernetes/test/e2e/auth/pod_security_admission.go in spirit, auth/service_accounts.go.
 */
import assert from 'node:assert/strict';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { it } from 'node:test';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

const CONTAINER = 'name: main, image: "registry.lab/busybox:1", command: [sleep, "1000"]';
const HARDENED = 'securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}';
const HARDENED_POD = 'securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}';
const TOKENS = '/var/run/secrets/tokens';

interface Claims {
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly jti: string;
  readonly [claim: string]: unknown;
}

export const security: Theme = (fleet, round) => {
  const namespace = `secure-${round}`;
  const file = `${namespace}/pods.yaml`;
  const HOME = [
    'apiVersion: v1',
    'kind: Namespace',
    `metadata: {name: ${namespace}, labels: {pod-security.kubernetes.io/enforce: restricted}}`,
    '---',
    '',
  ].join('\n');
  const pod = (name: string, container: string, more = ''): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers: [{${container}}]\n${more}---\n`;
  const put = async (...manifests: readonly string[]): Promise<void> => {
    await fleet().write(file, HOME + manifests.join(''));
    await fleet().commit('Change what runs in a restricted namespace');
  };
  const remove = async (): Promise<void> => {
    await fleet().removeFiles(namespace);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  };

  it('a restricted namespace refuses a pod with its push, and the pods of a workload when they are made', async () => {
    await put(pod('bare', CONTAINER));
    const refused = await fleet().push();
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.stderr,
      new RegExp(
        `${file}:8:1 PodSecurityViolated spec violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false \\(container "main" must set`,
      ),
    );
    await put(
      pod('hardened', `${CONTAINER}, ${HARDENED}`, `  ${HARDENED_POD}\n`),
      `apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: bare, namespace: ${namespace}}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: bare}}\n  template:\n    metadata: {labels: {app: bare}}\n    spec: {containers: [{${CONTAINER}}]}\n`,
    );
    const pushed = await fleet().push();
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(
      pushed.stderr,
      /PodSecurityViolated warning: spec\.template\.spec would violate PodSecurity "restricted/,
    );
    await eventually('the pod that keeps to it runs', 60, async () =>
      (await fleet().list('Pod', namespace)).some((one) => one.metadata.name === 'hardened' && isReady(one)),
    );
    const told = await eventually('its owner is told', 60, async () =>
      (await fleet().list('Event', namespace)).find(
        ({ reason, involvedObject }) => reason === 'FailedCreate' && involvedObject.kind === 'ReplicaSet',
      ),
    );
    assert.match(told.message, /violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false/);
    assert.deepEqual(
      (await fleet().list('Pod', namespace)).map(({ metadata }) => metadata.name),
      ['hardened'],
    );
    await remove();
  });

  it('a pod has the tokens that it asks for, which others verify by the published keys [conformance: tokenrequestprojection-should-mount-a-projected]', async () => {
    const sources = [
      '- serviceAccountToken: {path: token}',
      '- serviceAccountToken: {path: vault, audience: vault, expirationSeconds: 600}',
    ];
    const account = `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: ${namespace}}\n---\n`;
    const mount = `volumeMounts: [{name: tokens, mountPath: ${TOKENS}}]`;
    const spec = `  ${HARDENED_POD}\n  serviceAccountName: robot\n  volumes:\n  - name: tokens\n    projected:\n      sources:\n      ${sources.join('\n      ')}\n`;
    await put(account, pod('bearer', `${CONTAINER}, ${HARDENED}, ${mount}`, spec));
    const pushed = await fleet().push();
    assert.equal(pushed.code, 0, pushed.stderr);
    const bearer = await eventually('the pod runs', 60, async () =>
      (await fleet().list('Pod', namespace)).find((one) => one.metadata.name === 'bearer' && isReady(one)),
    );
    const { issuer, jwks_uri } = (await fleet().get('/.well-known/openid-configuration')) as Record<string, string>;
    assert.equal(jwks_uri, `${issuer ?? ''}/openid/v1/jwks`);
    const [robot] = (await fleet().list('ServiceAccount', namespace)).filter((one) => one.metadata.name === 'robot');
    const [node] = (await fleet().list('Node')).filter((one) => one.metadata.name === bearer.spec.nodeName);
    const bound = (one: { metadata: { name: string; uid: string } } | undefined): object => ({
      name: one?.metadata.name,
      uid: one?.metadata.uid,
    });
    for (const [name, audience, life] of [
      ['token', issuer, 3600],
      ['vault', 'vault', 600],
    ] as const) {
      const { stdout, stderr } = await fleet().plumb(
        'exec',
        '-n',
        namespace,
        'bearer',
        '--',
        'cat',
        `${TOKENS}/${name}`,
      );
      assert.equal(stderr, '');
      const { exp, iat, nbf, jti, ...claims } = await verified(stdout);
      assert.deepEqual(claims, {
        iss: issuer,
        aud: [audience],
        sub: `system:serviceaccount:${namespace}:robot`,
        'kubernetes.io': { namespace, node: bound(node), pod: bound(bearer), serviceaccount: bound(robot) },
      });
      assert.deepEqual([exp - iat, nbf, iat], [life, iat, Date.parse(bearer.metadata.creationTimestamp) / 1000]);
      assert.match(jti, /^[0-9a-f-]{36}$/);
    }
    assert.deepEqual(await fleet().list('Secret', namespace), [], 'tokens are in no store');
    await remove();
  });

  /** As one who was given the token does it. */
  async function verified(token: string): Promise<Claims> {
    const { keys } = (await fleet().get('/openid/v1/jwks')) as { keys: (JsonWebKey & { kid: string })[] };
    const [head = '', body = '', signature = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
    const key = keys.find((one) => one.kid === kid);
    assert.ok(key, 'the key is published');
    const signed = Buffer.from(`${head}.${body}`);
    assert.ok(
      verify('sha256', signed, createPublicKey({ key, format: 'jwk' }), Buffer.from(signature, 'base64url')),
      'the signature is of the key',
    );
    return JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
  }
};
