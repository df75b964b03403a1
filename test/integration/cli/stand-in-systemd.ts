/**
 * A machine apart, to install on: mounts and processes of its own, whose changes of /etc, /usr/local, /var/lib and /srv
 * are gone with it, and a stand-in for systemd that runs the unit's command line as the unit's user. What the unit's other
 * options do is systemd's, and shown nowhere.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tied } from '../../support/tied.ts';
import { run, type Ran } from './cli-bench.ts';

const SYSTEMCTL = `#!/bin/bash
unit=/etc/systemd/system/plumbline.service
end() {
  pid=$(cat /run/unit.pid 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  rm -f /run/unit.pid
}
case "$1" in
  restart)
    end
    ( cd /var/lib/plumbline-control
      exec setpriv --reuid=plumbline --regid=plumbline --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \\
        env -i HOME=/var/lib/plumbline-control PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
        sh -c "exec $(sed -n 's/^ExecStart=//p' "$unit")" >>/run/unit.log 2>&1 </dev/null ) &
    echo $! >/run/unit.pid ;;
  disable) end ;;
  show)
    pid=$(cat /run/unit.pid 2>/dev/null || echo 0)
    kill -0 "$pid" 2>/dev/null && echo NRestarts=0 || echo NRestarts=3
    echo "MainPID=$pid" ;;
esac
exit 0
`;

/** Mounts of $1 are changes alone; $2 has the stand-ins. Ends what is left over as an init does. */
const MAKE = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
for dir in etc usr/local var/lib srv; do
  mkdir -p "$1/$dir.upper" "$1/$dir.work"
  mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$1/$dir.upper,workdir=$1/$dir.work" "/$dir"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /srv/root
mount --bind "$2/systemctl" "$(command -v systemctl)"
mount --bind "$2/journalctl" "$(command -v journalctl)"
echo made
while :; do sleep 1000 & wait $!; done
`;

export interface MachineApart {
  /** Root's script, in /srv/root. */
  sh(script: string): Promise<Ran>;
  close(): Promise<void>;
}

/** `folder`: empty, and the caller's to remove. */
export async function machineApart(folder: string): Promise<MachineApart> {
  const bin = join(folder, 'bin');
  const mounts = join(folder, 'mounts');
  await mkdir(bin);
  await mkdir(mounts);
  for (const [name, text] of [
    ['systemctl', SYSTEMCTL],
    ['journalctl', '#!/bin/sh\nexec tail -n 8 /run/unit.log\n'],
  ] as const) {
    await writeFile(join(bin, name), text);
    await chmod(join(bin, name), 0o755);
  }
  const apart = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const [program, ...args] = tied(...apart, 'bash', '-c', MAKE, 'make', mounts, bin);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  const first = children.trim().split(' ')[0] ?? '';
  if (first === '') throw new Error('the machine apart could not be made');
  return {
    sh: (script) =>
      run('nsenter', ['--mount', '--pid', `--target=${first}`, 'sh', '-c', `cd /srv/root\n${script}`], '/', {
        HOME: '/srv/root',
      }),
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
