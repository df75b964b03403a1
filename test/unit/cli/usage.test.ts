/** `plumb top`'s tables. Source: Kubernetes, kubectl's metrics_printer.go and its tests. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeUsage, podUsage } from '../../../cli/print/usage.ts';
import type { NodeMetricsObject, PodMetricsObject } from '../../../reconciler/api/types.ts';

const MEASURED = {
  apiVersion: 'metrics.k8s.io/v1beta1',
  timestamp: '2026-01-01T00:00:00Z',
  window: '15s',
} as const;

function node(name: string, cpu: string, memory: string): NodeMetricsObject {
  return { ...MEASURED, kind: 'NodeMetrics', metadata: { name }, usage: { cpu, memory } };
}

function pod(namespace: string, name: string, ...containers: readonly [string, string, string][]): PodMetricsObject {
  return {
    ...MEASURED,
    kind: 'PodMetrics',
    metadata: { name, namespace, uid: name },
    containers: containers.map(([container, cpu, memory]) => ({ name: container, usage: { cpu, memory } })),
  };
}

describe('the use of nodes', () => {
  const items = [node('b', '1500000001n', '1024Mi'), node('a', '250m', '3Gi')];
  const allocatable = new Map([
    ['a', { cpu: '1', memory: '4Gi' }],
    ['b', { cpu: '2', memory: '4Gi' }],
    ['c', { cpu: '2', memory: '4Gi' }],
  ]);

  it('is shown by name, with its part of what pods may take, and those without a sample at the end', () => {
    assert.deepEqual(nodeUsage({ items, missing: [{ name: 'c', reason: 'silent' }] }, allocatable, undefined), {
      headings: ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'],
      rows: [
        ['a', '250m', '25%', '3072Mi', '75%'],
        ['b', '1501m', '75%', '1024Mi', '25%'],
        ['c', '<unknown>', '<unknown>', '<unknown>', '<unknown>'],
      ],
    });
  });

  it('is sorted by either resource, the most first', () => {
    const names = (by: 'cpu' | 'memory') =>
      nodeUsage({ items, missing: [] }, allocatable, by).rows.map(([name]) => name);
    assert.deepEqual(names('cpu'), ['b', 'a']);
    assert.deepEqual(names('memory'), ['a', 'b']);
  });

  it('has no part of what is not known, or is nothing', () => {
    const of = (room: Record<string, string> | undefined) =>
      nodeUsage({ items: [node('a', '1', '1Mi')], missing: [] }, new Map(room && [['a', room]]), undefined).rows[0];
    assert.deepEqual(of(undefined), ['a', '1000m', '<unknown>', '1Mi', '<unknown>']);
    assert.deepEqual(of({ cpu: '0', memory: '2Mi' }), ['a', '1000m', '0%', '1Mi', '50%']);
  });
});

describe('the use of pods', () => {
  const items = [
    pod('shop', 'web', ['app', '100m', '10Mi'], ['side', '300000001n', '5Mi']),
    pod('default', 'db', ['db', '2', '512Ki']),
  ];
  const listing = { containers: false, namespace: false, sortBy: undefined };

  it('is the sum of their containers', () => {
    assert.deepEqual(podUsage(items, listing), {
      headings: ['NAME', 'CPU(cores)', 'MEMORY(bytes)'],
      rows: [
        ['db', '2000m', '0Mi'],
        ['web', '401m', '15Mi'],
      ],
    });
  });

  it('is shown of each container when asked, most first, in every namespace', () => {
    assert.deepEqual(podUsage(items, { containers: true, namespace: true, sortBy: 'memory' }), {
      headings: ['NAMESPACE', 'POD', 'NAME', 'CPU(cores)', 'MEMORY(bytes)'],
      rows: [
        ['shop', 'web', 'app', '100m', '10Mi'],
        ['shop', 'web', 'side', '301m', '5Mi'],
        ['default', 'db', 'db', '2000m', '0Mi'],
      ],
    });
  });
});
