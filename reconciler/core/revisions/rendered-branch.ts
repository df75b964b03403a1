/** The branch that rendered objects are written to is another than the one they come from. */
import type { Rendering } from '../manifests/index.ts';
import type { Followed } from '../sources/follow.ts';

/** With an error where the Cluster names the branch that is followed. */
export function withRenderedBranchJudged<T extends Rendering>(rendering: T, follows: Followed): T {
  const cluster = [...rendering.state.values()].find(({ object }) => object.kind === 'Cluster');
  if (cluster?.object.kind !== 'Cluster' || !('branch' in follows)) return rendering;
  if (cluster.object.spec.publish?.rendered?.branch !== follows.branch) return rendering;
  return {
    ...rendering,
    diagnostics: [
      ...rendering.diagnostics,
      {
        ...cluster.position,
        severity: 'error',
        code: 'RenderedBranchFollowed',
        message: `spec.publish.rendered.branch is ${follows.branch}, which is followed: what is rendered would replace what it is rendered from`,
        hint: 'name a branch that has nothing else',
      },
    ],
  };
}
