// connect.mjs ADDRESS PORT TIMES: opens connections one after the other; prints how long each took, microseconds, as JSON.
import { connect } from 'node:net';

const [address, port, times] = process.argv.slice(2);
const once = () =>
  new Promise((resolve, reject) => {
    const since = process.hrtime.bigint();
    const socket = connect({ host: address, port: Number(port) });
    socket.once('connect', () => {
      const took = Number(process.hrtime.bigint() - since) / 1000;
      socket.resetAndDestroy();
      resolve(took);
    });
    socket.once('error', reject);
  });
for (let i = 0; i < 100; i += 1) await once();
const all = [];
for (let i = 0; i < Number(times); i += 1) all.push(await once());
console.log(JSON.stringify(all));
