/**
 * Preloaded into an agent that is to be killed: by SIGKILL, at its n-th step that changes anything outside its memory. Counted
 * are calls that the runtime acts on, programs, and changes of files, from the first that has the mark in it. With a call and
 * a program the agent is killed twice: before it, and while it is under way, with nobody to hear how it ends. Changes of files
 * with nothing else between them count once, but for KILL_AT_EVERY_CHANGE.
 */
import childProcess from 'node:child_process';
import { writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const at = Number(process.env['KILL_AT']);
const mark = process.env['KILL_FROM'] ?? '';
const isEveryChange = process.env['KILL_AT_EVERY_CHANGE'] !== undefined;
const CALLS =
  /\b(?:RuntimeService\/(?:RunPodSandbox|CreateContainer|StartContainer|(?:Stop|Remove)(?:PodSandbox|Container))|Tasks\/(?:Exec|Start|Kill|DeleteProcess))\b/;

let isCounting = false;
let steps = 0;
let isAmongChanges = false;

function kill(what) {
  writeSync(2, `killed at ${what}\n`);
  process.kill(process.pid, 'SIGKILL');
  // The signal is here when the call returns.
  for (;;);
}

/** A step is about to be done. */
function step(what, given = [], isChange = false) {
  isCounting ||= given.some((part) => text(part).includes(mark));
  if (!isCounting) return;
  const isCounted = isEveryChange || !isChange || !isAmongChanges;
  isAmongChanges = isChange;
  if (!isCounted) return;
  steps += 1;
  if (steps === at) kill(what);
}

function text(part) {
  if (typeof part === 'string') return part;
  if (Buffer.isBuffer(part) || part instanceof Uint8Array)
    return Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
  return Array.isArray(part) ? part.map(text).join(' ') : '';
}

for (const name of [
  'appendFile',
  'chmod',
  'chown',
  'lchown',
  'mkdir',
  'rename',
  'rm',
  'rmdir',
  'symlink',
  'truncate',
  'unlink',
  'writeFile',
]) {
  const real = fs[name];
  fs[name] = (...given) => {
    step(name, given, true);
    return real(...given);
  };
}

const handle = await fs.open('/dev/null');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['appendFile', 'chmod', 'chown', 'truncate', 'write', 'writeFile', 'writev']) {
  const real = prototype[name];
  prototype[name] = function (...given) {
    step(name, given, true);
    return Reflect.apply(real, this, given);
  };
}

const { spawn } = childProcess;
childProcess.spawn = (program, ...given) => {
  step(program, given);
  const child = spawn(program, ...given);
  if (isCounting) child.once('spawn', () => step(`${program}, begun`));
  return child;
};

const { write } = net.Socket.prototype;
net.Socket.prototype.write = function (data, ...given) {
  const call = CALLS.exec(text(data))?.[0];
  if (call) step(call, [data]);
  const done = Reflect.apply(write, this, [data, ...given]);
  // In the runtime's hands as soon as this process has nothing more to send.
  if (call && isCounting) setImmediate(() => step(`${call}, begun`));
  return done;
};

syncBuiltinESMExports();
