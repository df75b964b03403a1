/** Kubernetes' resource metrics API. Measured when it is asked. */
import { z } from 'zod';
import { nodeMetrics, nodeMetricsList, podMetrics, podMetricsList, type MetricsNeeds } from '../metrics.ts';
import { type Feature, read } from '../routes.ts';

export type { MetricsNeeds };

const ROOT = '/apis/metrics.k8s.io/v1beta1';
const InNamespace = z.object({ namespace: z.string().optional() });
const Named = z.object({ name: z.string() });
const NamedInNamespace = Named.extend({ namespace: z.string() });
const Selected = z.object({ labelSelector: z.string().optional() });

export function metrics(needs: MetricsNeeds): Feature {
  return ({ app, signalOf }) => {
    app.get(`${ROOT}/nodes`, (request, reply) =>
      nodeMetricsList(needs, read(Selected, request.query).labelSelector, signalOf(reply)),
    );
    app.get(`${ROOT}/nodes/:name`, (request, reply) =>
      nodeMetrics(needs, read(Named, request.params).name, signalOf(reply)),
    );
    for (const path of [`${ROOT}/pods`, `${ROOT}/namespaces/:namespace/pods`])
      app.get(path, (request, reply) => {
        const { namespace } = read(InNamespace, request.params);
        const { labelSelector } = read(Selected, request.query);
        return podMetricsList(needs, { namespace, labelSelector }, signalOf(reply));
      });
    app.get(`${ROOT}/namespaces/:namespace/pods/:name`, (request, reply) => {
      const { namespace, name } = read(NamedInNamespace, request.params);
      return podMetrics(needs, namespace, name, signalOf(reply));
    });
  };
}
