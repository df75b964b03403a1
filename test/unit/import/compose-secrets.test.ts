import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { valueAt } from '../../../reconciler/core/manifests/yaml-tree.ts';
import { CONTAINER, find, imported, objectsOf, web } from './compose-files.ts';
import { errorsOf, rendered, resultOf } from './trees.ts';

describe('secrets of Compose', () => {
  const SECRET = 'canary-value';
  const cases: readonly (readonly [says: string, files: Readonly<Record<string, string>>, key: string])[] = [
    ['a variable by its name', { 'compose.yaml': web(`environment: { DB_PASSWORD: ${SECRET} }`) }, 'DB_PASSWORD'],
    [
      'a password in a URL',
      { 'compose.yaml': web(`environment: { DATABASE: "postgres://u:${SECRET}@db/x" }`) },
      'DATABASE',
    ],
    [
      'a variable of .env',
      { 'compose.yaml': web('environment: { PW_OF_DB: "${DB_PASSWORD}" }'), '.env': `DB_PASSWORD=${SECRET}` },
      'DB_PASSWORD',
    ],
    ['a default', { 'compose.yaml': web(`environment: { X: "\${DB_PASSWORD:-${SECRET}}" }`) }, 'DB_PASSWORD'],
    [
      'a variable within a text',
      { 'compose.yaml': web('command: run --with=${API_TOKEN}'), '.env': `API_TOKEN=${SECRET}` },
      'API_TOKEN',
    ],
    [
      'a variable made of one',
      { 'compose.yaml': web('environment: { X: "$MADE" }'), '.env': `API_TOKEN=${SECRET}\nMADE=x-$API_TOKEN` },
      'MADE',
    ],
    [
      'an option and its value',
      { 'compose.yaml': web(`command: redis-server --requirepass ${SECRET}`) },
      'REQUIREPASS',
    ],
    ['an option with its value', { 'compose.yaml': web(`command: [run, "--api-token=${SECRET}"]`) }, 'API_TOKEN'],
    [
      'a file of variables',
      { 'compose.yaml': web('env_file: [a.env]'), 'a.env': `SMTP_PASSWORD="${SECRET}"` },
      'SMTP_PASSWORD',
    ],
    [
      'a file of settings',
      { 'compose.yaml': web('volumes: ["./app.ini:/app.ini"]'), 'app.ini': `[db]\npassword = ${SECRET}\n` },
      'app.ini',
    ],
    [
      'a private key',
      { 'compose.yaml': web('volumes: ["./tls:/tls:ro"]'), 'tls/a.txt': `-----BEGIN PRIVATE KEY-----\n${SECRET}\n` },
      'a.txt',
    ],
    [
      'a health check',
      {
        'compose.yaml': web('healthcheck: { test: "redis-cli -a ${REDIS_PASSWORD} ping" }'),
        '.env': `REDIS_PASSWORD=${SECRET}`,
      },
      'REDIS_PASSWORD',
    ],
    [
      'a label',
      {
        'compose.yaml': `${web('labels: { com.example.token: "${API_TOKEN}" }', 'environment: { API_TOKEN: }')}`,
        '.env': `API_TOKEN=${SECRET}`,
      },
      'API_TOKEN',
    ],
    [
      'a secret',
      { 'compose.yaml': `${web('secrets: [db]')}secrets:\n  db:\n    file: db.txt\n`, 'db.txt': SECRET },
      'db',
    ],
    [
      'a config with one in it',
      {
        'compose.yaml': `${web('configs: [c]')}configs:\n  c:\n    content: "token \${API_TOKEN}"\n`,
        '.env': `API_TOKEN=${SECRET}`,
      },
      'c',
    ],
  ];
  for (const [says, files, key] of cases) {
    it(`are neither written nor told: ${says}`, async () => {
      const result = imported(files);
      assert.doesNotMatch(JSON.stringify(result), new RegExp(SECRET));
      const told = result.findings.filter(({ code }) => code === 'SecretLeftOut').map(({ message }) => message);
      assert.ok(
        told.some((message) => message.includes(`key ${key} of Secret`)),
        JSON.stringify(result.findings),
      );
      assert.deepEqual(errorsOf((await rendered(resultOf(result))).diagnostics), []);
    });

    it(`are written when that is asked for: ${says}`, async () => {
      const result = imported(files, { plainSecrets: true });
      const secrets = objectsOf(result).filter((o) => o['kind'] === 'Secret');
      assert.ok(JSON.stringify(secrets.map((o) => o['stringData'])).includes(SECRET));
      const { diagnostics } = await rendered(resultOf(result));
      assert.deepEqual(
        diagnostics.filter(({ code }) => code === 'MissingReference'),
        [],
      );
    });
  }

  it('come before the variables that name them', () => {
    const result = imported(web('environment: { URL: "http://u:${API_TOKEN}@x" }'));
    assert.deepEqual(valueAt(find(result, 'Deployment', 'web'), [...CONTAINER, 'env']), [
      { name: 'API_TOKEN', valueFrom: { secretKeyRef: { name: 'env', key: 'API_TOKEN' } } },
      { name: 'URL', value: 'http://u:$(API_TOKEN)@x' },
    ]);
  });
});
