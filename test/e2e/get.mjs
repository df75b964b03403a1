/** `node get.mjs URL`: prints what an HTTP GET answers; exit code 1 when nothing answers in two seconds. */
import http from 'node:http';

const fail = (error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
};
const request = http.get(process.argv[2], { agent: false, timeout: 2000 }, (response) => {
  if (response.statusCode !== 200) fail(`status ${response.statusCode}`);
  response.pipe(process.stdout);
});
request.on('timeout', () => fail('no answer in 2 s'));
request.on('error', fail);
