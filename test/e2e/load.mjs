/**
 * Steady HTTP load, one connection per request: `node load.mjs URL RATE`. Runs until its standard input ends, then
 * prints one JSON line: how many requests were sent, how often each answer came, and every failure.
 */
import http from 'node:http';

const [url, rate] = [process.argv[2], Number(process.argv[3])];
const answers = {};
const failures = [];
let sent = 0;
let open = 0;
let ended = false;

function finish() {
  if (!ended || open > 0) return;
  process.stdout.write(`${JSON.stringify({ sent, answers, failures })}\n`, () => process.exit(0));
}

function ask() {
  sent += 1;
  open += 1;
  const startedAt = new Date().toISOString();
  const done = (failure) => {
    if (failure) failures.push({ startedAt, at: new Date().toISOString(), failure });
    open -= 1;
    finish();
  };
  const request = http.get(url, { agent: false, timeout: 5000 }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    response.on('error', (error) => done(String(error)));
    response.on('end', () => {
      if (response.statusCode !== 200) return done(`status ${response.statusCode}`);
      const version = /hello from (v\d+)/.exec(body)?.[1] ?? body.trim();
      answers[version] = (answers[version] ?? 0) + 1;
      done();
    });
  });
  request.on('timeout', () => request.destroy(new Error('no answer in 5 s')));
  request.on('error', (error) => done(String(error)));
}

const timer = setInterval(ask, 1000 / rate);
process.stdin.resume().on('end', () => {
  clearInterval(timer);
  ended = true;
  finish();
});
process.stdout.write('ready\n');
