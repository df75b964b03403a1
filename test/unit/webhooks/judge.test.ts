import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { judgeWebhook } from '../../../reconciler/core/webhooks/judge.ts';

const SECRET = Buffer.from('0123456789abcdef');
const BODY = Buffer.from('{"ref":"refs/heads/main"}');
const hex = (body = BODY, secret = SECRET): string => createHmac('sha256', secret).update(body).digest('hex');

function judged(headers: Readonly<Record<string, string>>, body = BODY, method = 'POST'): string {
  const verdict = judgeWebhook({ method, headers: new Map(Object.entries(headers)), body }, SECRET);
  switch (verdict.is) {
    case 'push':
      return `push ${verdict.forge} ${verdict.delivery ?? '-'}`;
    case 'ping':
      return `ping ${verdict.forge}`;
    case 'refused':
      return `${verdict.status} ${verdict.why}`;
  }
}

describe('a webhook', () => {
  const signed = { 'x-hub-signature-256': `sha256=${hex()}` };
  const form = Buffer.from(`payload=${encodeURIComponent(BODY.toString())}`);
  const table: readonly [what: string, got: string, wanted: string | RegExp][] = [
    ['of GitHub', judged({ ...signed, 'x-github-event': 'push', 'x-github-delivery': 'd1' }), 'push github d1'],
    ['of GitHub, that it was set up', judged({ ...signed, 'x-github-event': 'ping' }), 'ping github'],
    [
      'of GitHub, as a form',
      judged(
        { 'content-type': 'application/x-www-form-urlencoded', 'x-hub-signature-256': `sha256=${hex(form)}` },
        form,
      ),
      'push github -',
    ],
    ['of GitLab', judged({ 'x-gitlab-token': SECRET.toString(), 'x-gitlab-event-uuid': 'u1' }), 'push gitlab u1'],
    ['of Gitea', judged({ 'x-gitea-signature': hex(), 'x-gitea-delivery': 'g1' }), 'push gitea g1'],
    ['of Forgejo, which signs several times', judged({ ...signed, 'x-forgejo-signature': hex() }), 'push gitea -'],
    [
      'of Bitbucket',
      judged({ 'x-hub-signature': `sha256=${hex()}`, 'x-event-key': 'repo:push', 'x-request-uuid': 'b1' }),
      'push bitbucket b1',
    ],
    ['of anybody with the secret', judged({ 'x-plumbline-signature': hex() }), 'push generic -'],
    ['without a signature', judged({}), /^401 there is no signature/],
    ['with the signature of another body', judged(signed, Buffer.from('{}')), '401 wrong signature'],
    [
      "with another secret's signature",
      judged({ 'x-hub-signature-256': `sha256=${hex(BODY, Buffer.from('another secret!!'))}` }),
      '401 wrong signature',
    ],
    ['with half a signature', judged({ 'x-hub-signature-256': `sha256=${hex().slice(0, 32)}` }), '401 wrong signature'],
    ['with SHA-1', judged({ 'x-hub-signature': `sha1=${hex().slice(0, 40)}` }), '401 wrong signature'],
    ['with a wrong token', judged({ 'x-gitlab-token': 'no' }), '401 wrong token'],
    ['with a wrong token and a right signature', judged({ ...signed, 'x-gitlab-token': 'no' }), '401 wrong token'],
    [
      'that is no JSON',
      judged({ 'x-plumbline-signature': hex(Buffer.from('{"a":')) }, Buffer.from('{"a":')),
      '400 the body is no JSON',
    ],
    ['that is not posted', judged(signed, BODY, 'GET'), /^405/],
  ];
  for (const [what, got, wanted] of table)
    it(what, () => {
      if (typeof wanted === 'string') assert.equal(got, wanted);
      else assert.match(got, wanted);
    });
});
