/** Prefers nodes that have the pod's images. Source: kube-scheduler, ImageLocality. */
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';

const MB = 2 ** 20;
/** Less than this is as good as nothing. */
const LEAST_BYTES = 23 * MB;
/** More than this for each container is as good as all. */
const MOST_BYTES = 1000 * MB;

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  preScore({ images }, cluster) {
    const wanted = images.filter((image) => cluster.nodesWithImage(image) > 0);
    if (wanted.length === 0) return undefined;
    const most = MOST_BYTES * images.length;
    return {
      scope: 'node',
      score(node) {
        let bytes = 0;
        for (const image of wanted) {
          const found = cluster.images(node)?.find(({ names }) => names.includes(image));
          // An image that few nodes have counts for less, so that not all pods go where it happens to be.
          if (found) bytes += (found.sizeBytes * cluster.nodesWithImage(image)) / cluster.nodeCount;
        }
        return (MAX_NODE_SCORE * (Math.min(Math.max(bytes, LEAST_BYTES), most) - LEAST_BYTES)) / (most - LEAST_BYTES);
      },
    };
  },
};
