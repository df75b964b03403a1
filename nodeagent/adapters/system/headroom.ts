/** What the machine has left, from /proc. */
import { readFile } from 'node:fs/promises';
import { headroomOf } from '../../core/node/headroom.ts';
import type { HeadroomMeter } from '../../ports/headroom.ts';

export function headroomMeter(ofPods: Omit<HeadroomMeter, 'read'>): HeadroomMeter {
  return {
    ...ofPods,
    async read() {
      const [meminfo = '', loadavg = '', pidMax = '', threadsMax = ''] = await Promise.all(
        ['meminfo', 'loadavg', 'sys/kernel/pid_max', 'sys/kernel/threads-max'].map((name) =>
          readFile(`/proc/${name}`, 'utf8'),
        ),
      );
      return headroomOf({ meminfo, loadavg, pidMax, threadsMax });
    },
  };
}
