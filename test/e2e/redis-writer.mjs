/**
 * Steady writes to a Redis, one after the other: `node redis-writer.mjs HOST PORT`. Adds 1, 2, 3, ... to the set
 * `acknowledged`, and prints each number once the server has said that it has it. What was not acknowledged is not
 * written again: the server may have it or not. Runs until its standard input ends.
 */
import net from 'node:net';

const [host, port] = [process.argv[2], Number(process.argv[3])];
let next = 1;
let ended = false;

function connect() {
  const socket = net.connect({ host, port, timeout: 2000 });
  let heard = '';
  const write = () => {
    if (ended) process.exit(0);
    socket.write(`SADD acknowledged ${next}\r\n`);
    next += 1;
  };
  socket.setEncoding('utf8').setNoDelay(true);
  socket.on('connect', write);
  socket.on('data', (text) => {
    heard += text;
    if (!heard.endsWith('\r\n')) return;
    // Anything else (LOADING, READONLY, MISCONF) is no promise.
    if (heard === ':1\r\n') process.stdout.write(`${next - 1}\n`);
    heard = '';
    setTimeout(write, 2);
  });
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => setTimeout(connect, 50));
}

process.stdin.resume().on('end', () => {
  ended = true;
  setTimeout(() => process.exit(0), 3000);
});
connect();
