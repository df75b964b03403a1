/** Keeps the ports open at which balancers ask for endpoints of this node: only those that a Service has in its spec. */
import { errorText } from '../../contracts/errors.ts';
import type { Service } from '../../contracts/objects/index.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../contracts/objects/key.ts';
import type { AssignmentSource } from '../core/assignment.ts';
import { ServiceIndex } from '../core/data-plane/service-index.ts';
import { healthPortOf, readyHere } from '../core/load-balancer/health.ts';
import type { LocalPods } from '../core/local-pods.ts';
import type { Clock } from '../ports/clock.ts';
import type { HealthAnswer, HealthPorts } from '../ports/health-ports.ts';
import type { NetworkLog } from './network-log.ts';

export interface HealthPortsDeps {
  readonly assignment: AssignmentSource;
  readonly pods: LocalPods;
  readonly ports: HealthPorts;
  readonly clock: Clock;
  readonly log: NetworkLog;
}

/** An answer stands for so long, however often it is asked for. */
const FRESH_MS = 200;

export function startHealthPorts({ assignment, pods, ports, clock, log }: HealthPortsDeps): { close(): Promise<void> } {
  const services = new Map<ObjectKey<'Service'>, Service>();
  /** Kept up while there is a port to answer at. */
  const index = new ServiceIndex();
  let isIndexed = false;
  let work = Promise.resolve();
  let closed = false;

  const answerOf = (key: ObjectKey<'Service'>): (() => HealthAnswer) => {
    let last: { readonly at: number; readonly answer: HealthAnswer } | undefined;
    return () => {
      const now = clock.monotonic();
      if (last !== undefined && now - last.at < FRESH_MS) return last.answer;
      const view = assignment.current();
      const service = view.get(key);
      const localEndpoints = service ? readyHere(service, index.slices(view, key), view, pods) : 0;
      const { namespace = 'default', name = '' } = service?.metadata ?? {};
      last = { at: now, answer: { namespace, service: name, localEndpoints } };
      return last.answer;
    };
  };

  const serve = async (): Promise<void> => {
    if (closed) return;
    const answers = new Map<number, () => HealthAnswer>();
    for (const [key, service] of services) {
      const port = healthPortOf(service);
      if (port !== undefined && !answers.has(port)) answers.set(port, answerOf(key));
    }
    for (const [port, reason] of await ports.serve(answers))
      log('warn', 'cannot answer balancers at a health check node port', { port, reason });
  };

  const onChange = (changed: readonly ObjectKey[]): void => {
    const view = assignment.current();
    let concerned = false;
    for (const key of changed) {
      if (!isKeyOf(key, 'Service')) continue;
      const service = view.get(key);
      if (service && healthPortOf(service) !== undefined) {
        concerned ||= services.get(key)?.spec.healthCheckNodePort !== service.spec.healthCheckNodePort;
        services.set(key, service);
      } else concerned = services.delete(key) || concerned;
    }
    if (isIndexed && services.size > 0) index.update(view, changed);
    else if (services.size > 0) index.reset(view);
    isIndexed = services.size > 0;
    if (!concerned) return;
    work = work.then(serve).catch((error: unknown) => {
      log('error', 'health check node ports', { reason: errorText(error) });
    });
  };

  const unsubscribe = assignment.onChange(onChange);
  onChange(
    assignment
      .current()
      .list('Service')
      .map(({ metadata }) => objectKey('Service', metadata.namespace, metadata.name)),
  );
  return {
    async close() {
      closed = true;
      unsubscribe();
      await work;
      await ports.close();
    },
  };
}
