/**
 * Debian's prometheus for tests, which has read a page of series: on ports of the loopback, in a temporary folder,
 * ended by `close`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './folder.ts';
import { freePort } from './free-port.ts';
import { inTime } from './in-time.ts';
import { interrupted, whenInterrupted } from './interruption.ts';
import { tied } from './tied.ts';

export interface TestPrometheus {
  readonly url: string;
  close(): Promise<void>;
}

const START_MS = 60_000;
const LOOK_MS = 100;

/** `page`: in Prometheus' text format. Resolves when the series `ready` is known. */
export async function startTestPrometheus(page: string, ready: string): Promise<TestPrometheus> {
  const dir = makeFolder('plumb-prometheus-');
  const target = createServer((_request, response) => response.end(page));
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const scraped = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'page', honor_labels: true, static_configs: [{ targets: [scraped] }] }],
  };
  // YAML is a superset of JSON.
  await writeFile(join(dir, 'prometheus.yml'), JSON.stringify(config));
  const args = [`--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`];
  const [program, ...rest] = tied('prometheus', ...args, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error');
  const server = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(server, 'exit');
  const close = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
    await rm(dir, { recursive: true, force: true });
  };
  const forget = whenInterrupted(`the Prometheus in ${dir}`, close);
  const started = { url, close: () => close().finally(forget) };
  try {
    const failed = ended.then(() => Promise.reject(new Error('prometheus ended')));
    await Promise.race([inTime('prometheus knows its series', START_MS, knows(url, ready)), failed]);
    return started;
  } catch (error) {
    await started.close();
    throw error;
  }
}

async function knows(url: string, series: string): Promise<void> {
  while (!interrupted.aborted) {
    const found = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(series)}`).then(
      (response) => response.text(),
      () => '',
    );
    if (found.includes('"__name__"')) return;
    await delay(LOOK_MS);
  }
}
