/**
 * `HealthPorts` over HTTP, in the form of kube-proxy: 200 while there is an endpoint on this node, 503 otherwise. Source:
 * Kubernetes pkg/proxy/healthcheck/service_health.go.
 */
import { createServer, type Server } from 'node:http';
import { errorText } from '../../../contracts/errors.ts';
import type { HealthAnswer, HealthPorts } from '../../ports/health-ports.ts';

/** Of one port: more than a balancer's probes need. */
const MOST_CONNECTIONS = 64;
const REQUEST_MS = 5000;

export function createHealthPorts(): HealthPorts {
  const servers = new Map<number, { readonly server: Server; answer: () => HealthAnswer }>();

  const stop = (port: number): Promise<void> => {
    const entry = servers.get(port);
    servers.delete(port);
    return new Promise((resolve) => {
      if (!entry) {
        resolve();
        return;
      }
      entry.server.close(() => {
        resolve();
      });
      entry.server.closeAllConnections();
    });
  };

  const start = (port: number, answer: () => HealthAnswer): Promise<string | undefined> => {
    const entry = { answer, server: createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }) };
    const { server } = entry;
    server.maxConnections = MOST_CONNECTIONS;
    server.on('request', (_request, response) => {
      const { namespace, service, localEndpoints } = entry.answer();
      response.writeHead(localEndpoints > 0 ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(localEndpoints),
        connection: 'close',
      });
      response.end(
        `${JSON.stringify({ service: { namespace, name: service }, localEndpoints, serviceProxyHealthy: true }, null, '\t')}\n`,
      );
    });
    return new Promise((resolve) => {
      server.once('error', (error) => {
        resolve(errorText(error));
      });
      server.listen({ port, host: '0.0.0.0' }, () => {
        server.removeAllListeners('error');
        server.on('error', () => undefined);
        servers.set(port, entry);
        resolve(undefined);
      });
    });
  };

  return {
    async serve(answers) {
      for (const port of [...servers.keys()]) if (!answers.has(port)) await stop(port);
      const failed = new Map<number, string>();
      for (const [port, answer] of answers) {
        const present = servers.get(port);
        if (present) present.answer = answer;
        else {
          const reason = await start(port, answer);
          if (reason !== undefined) failed.set(port, reason);
        }
      }
      return failed;
    },

    async close() {
      for (const port of [...servers.keys()]) await stop(port);
    },
  };
}
