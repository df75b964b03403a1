/** Which pods a change of a node asks to look at. What is decided about them is in nodes.test.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type ObjectKey, type StoredNode } from '../../../contracts/objects/index.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { taintEvictionController } from '../../../reconciler/controllers/taint-eviction.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { boundPod, nodeObject, withStatus } from '../nodes/stored.ts';

const isReady = (name: string, status: 'True' | 'Unknown'): StoredNode =>
  withStatus(nodeObject(name, '198.18.1.0/24'), { conditions: [{ type: 'Ready', status }] });

describe('the pods that a change of a node concerns', () => {
  function watching(): {
    put(node: StoredNode): readonly ObjectKey[];
    remove(node: StoredNode): readonly ObjectKey[];
  } {
    const table = new ObjectTable();
    for (const [pod, node] of ['a', 'b', 'c'].map((name) => [`of-${name}`, name] as const))
      table.put(boundPod(pod, node));
    const monitor = new NodeMonitor();
    const watch = taintEvictionController(monitor).watches.Node;
    return {
      put(node) {
        table.put(node);
        return (watch?.(node, table, 'put') ?? []) as readonly ObjectKey[];
      },
      remove(node) {
        table.remove(keyOf(node));
        const asked = (watch?.(node, table, 'delete') ?? []) as readonly ObjectKey[];
        // As the node lifecycle does, whoever hears of it first.
        monitor.forget(node.metadata.name);
        return asked;
      },
    };
  }

  it('are all of a node that is well again, once: a mark may be on its way', () => {
    const w = watching();
    w.put(isReady('b', 'True'));
    assert.deepEqual(w.put(isReady('a', 'Unknown')), ['pods/default/of-a']);
    assert.deepEqual(w.put(isReady('a', 'True')), ['pods/default/of-a']);
    assert.deepEqual(w.put(isReady('a', 'True')), []);
  });

  it('are those of all silent nodes once a node is heard after none was', () => {
    const w = watching();
    w.put(isReady('a', 'True'));
    w.put(isReady('b', 'Unknown'));
    w.put(isReady('a', 'Unknown'));
    assert.deepEqual([...w.put(isReady('a', 'True'))].sort(), ['pods/default/of-a', 'pods/default/of-b']);
  });

  it('also where the last ready node did not fall silent but was deleted', () => {
    const w = watching();
    w.put(isReady('a', 'True'));
    w.put(isReady('b', 'Unknown'));
    w.remove(isReady('a', 'True'));
    assert.deepEqual(w.put(isReady('c', 'True')), ['pods/default/of-b']);
  });
});
