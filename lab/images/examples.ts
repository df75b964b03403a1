/**
 * The example images, made of the machine's own static busybox and redis-server. Pure: programs are passed in.
 */
import type { ImageRecipe } from './image.ts';
import type { TarEntry } from '../../contracts/tar.ts';

export interface Busybox {
  readonly program: Uint8Array;
  /** Names it answers to (`busybox --list`). */
  readonly applets: readonly string[];
}

/**
 * The example web server, PID 1 of its container. It answers on port 8080 with `hello from VERSION, pod NAME`; the
 * variable GREETING replaces the first word. When asked to end (SIGTERM) it goes on serving for DRAIN_SECONDS, so that
 * everyone who still sends to it has time to hear that it leaves, lets the answers under way finish, and ends with 0.
 */
const HELLO_SCRIPT = `#!/bin/sh
www=/dev/shm/www
mkdir -p "$www" 2>/dev/null || { www=/tmp/www; mkdir -p "$www"; }
printf '%s from %s, pod %s\\n' "\${GREETING:-hello}" "$(cat /etc/hello-version)" "$(hostname)" > "$www/index.html"
echo ok > "$www/healthz"

leave() {
  trap '' TERM INT
  echo "asked to end: serving for \${DRAIN_SECONDS:-1} s more"
  sleep "\${DRAIN_SECONDS:-1}"
  kill "$server"
  while pidof httpd >/dev/null; do usleep 20000; done
  exit 0
}
trap leave TERM INT

httpd -f -p "\${PORT:-8080}" -h "$www" &
server=$!
echo "serving $(cat "$www/index.html")"
wait "$server"
`;

/**
 * Every example image: `busybox:1`, `hello:1`, `hello:2`, `hello:broken`, which ends with 1 at once, and `redis:lab`,
 * whatever version the machine has. `redis`: its programs with their libraries; empty where it is not installed.
 */
export function exampleRecipes(busybox: Busybox, redis: readonly TarEntry[]): readonly ImageRecipe[] {
  const base = baseLayer(busybox);
  const hello = (version: string): ImageRecipe => ({
    name: `hello:${version}`,
    layers: [base, [file('bin/hello', HELLO_SCRIPT, 0o755), file('etc/hello-version', `v${version}\n`, 0o644)]],
    entrypoint: ['/bin/hello'],
    exposedPorts: [8080],
  });
  return [
    { name: 'busybox:1', layers: [base], cmd: ['sh'] },
    hello('1'),
    hello('2'),
    {
      name: 'hello:broken',
      layers: [base],
      entrypoint: ['/bin/sh', '-c', "echo 'hello: this version is broken on purpose' >&2; exit 1"],
    },
    ...(redis.length > 0
      ? [{ name: 'redis:lab', layers: [base, redis], cmd: ['redis-server'], exposedPorts: [6379] }]
      : []),
  ];
}

function baseLayer(busybox: Busybox): readonly TarEntry[] {
  const folders = ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sys', 'usr', 'usr/bin', 'var', 'var/log'];
  return [
    ...folders.map((path): TarEntry => ({ type: 'folder', path, mode: path === 'root' ? 0o700 : 0o755 })),
    { type: 'folder', path: 'tmp', mode: 0o1777 },
    { type: 'file', path: 'bin/busybox', mode: 0o755, content: busybox.program },
    ...[...busybox.applets]
      .filter((name) => name !== 'busybox')
      .sort()
      .map((name): TarEntry => ({ type: 'symlink', path: `bin/${name}`, target: 'busybox' })),
    { type: 'symlink', path: 'usr/bin/env', target: '../../bin/busybox' },
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n', 0o644),
    file('etc/group', 'root:x:0:\nnogroup:x:65534:\n', 0o644),
  ];
}

function file(path: string, content: string, mode: number): TarEntry {
  return { type: 'file', path, mode, content: Buffer.from(content, 'utf8') };
}
