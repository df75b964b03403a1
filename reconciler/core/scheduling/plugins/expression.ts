/**
 * Plugins that users write: a SchedulerPlugin's CEL expressions, see {@link readExpression}. An expression that fails
 * on a node makes the filter refuse the node and the score 0, and nothing else.
 *
 * One evaluation takes a microsecond or a few. A filter is asked for all nodes when a shape of pod is new or a node
 * changed, and for one node when a pod comes or goes there.
 */
import type { SchedulerPlugin } from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import { ClusterNodes, PodFacts } from '../expressions/facts.ts';
import { Failure, isMistake, readExpression, type Expression, type Results } from '../expressions/language.ts';
import { MAX_NODE_SCORE, type Filtering, type Plugin, type Reason, type Scoring } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';

/** Its expressions are read when a profile asks for it first. */
export function expressionPlugin({ metadata: { name }, spec }: Pick<SchedulerPlugin, 'metadata' | 'spec'>): Plugin {
  const { filter, score } = spec;
  return {
    name,
    // Expressions see labels, namespace and priority.
    tellsApart: () => true,
    ...(filter &&
      filterPart(
        name,
        filter.reason,
        once(() => usable(filter.expression, 'bool')),
      )),
    ...(score && scorePart(once(() => usable(score.expression, 'number')))),
  };
}

function filterPart(
  name: string,
  reason: string,
  expression: () => Expression<'bool'>,
): Pick<Plugin, 'preFilter' | 'hint'> {
  return {
    preFilter: (shape, cluster) => filtering(name, reason, expression(), shape, cluster),
    hint(event, shape, cluster) {
      if (
        event.type === 'Other' ||
        (!expression().readsPods && (event.type === 'PodAdd' || event.type === 'PodDelete'))
      )
        return false;
      return filtering(name, reason, expression(), shape, cluster).filter(event.node);
    },
  };
}

function scorePart(expression: () => Expression<'number'>): Pick<Plugin, 'preScore'> {
  return { preScore: (shape, cluster) => scoring(expression(), shape, cluster) };
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Manifests are checked before they come here; one that is wrong all the same fails on every node. */
function usable<R extends keyof Results>(text: string, wanted: R): Expression<R> {
  const read = readExpression(text, wanted);
  return isMistake(read) ? { readsPods: false, evaluate: () => new Failure(read.message) } : read;
}

function filtering(
  name: string,
  reason: string,
  expression: Expression<'bool'>,
  shape: PodShape,
  cluster: ClusterState,
): Filtering {
  const nodes = new ClusterNodes(cluster);
  const pod = podFacts(shape);
  return {
    scope: 'node',
    filter: (node) => expression.evaluate(nodes.at(node), pod) === true,
    reasons(node): readonly Reason[] {
      const result = expression.evaluate(nodes.at(node), pod);
      return [
        result instanceof Failure
          ? { reason: `SchedulerPlugin ${name} failed`, detail: result.detail }
          : { reason, detail: `SchedulerPlugin ${name} refuses it` },
      ];
    },
    preemptable: () => expression.readsPods,
    ...(!expression.readsPods && { fixed: true }),
  };
}

function scoring(expression: Expression<'number'>, shape: PodShape, cluster: ClusterState): Scoring {
  const nodes = new ClusterNodes(cluster);
  const pod = podFacts(shape);
  return {
    scope: 'node',
    score(node) {
      const result = expression.evaluate(nodes.at(node), pod);
      return result instanceof Failure || Number.isNaN(result) ? 0 : Math.min(MAX_NODE_SCORE, Math.max(0, result));
    },
  };
}

function podFacts(shape: PodShape): PodFacts {
  return new PodFacts({ ...shape, tolerations: shape.sample.spec.tolerations });
}
