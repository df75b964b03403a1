/** Names of images, as a pod writes them. Free of schemas: a node agent uses it. */

/**
 * The name with `:latest` where it has neither tag nor digest, as the runtime is asked for it: it takes a bare name like
 * `cafe` for the beginning of an image's id as well. Source: Kubernetes' pkg/kubelet/images (applyDefaultImageTag).
 */
export function withDefaultTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? image : `${image}:latest`;
}

/** `:latest` and untagged images are pulled Always, others IfNotPresent (Kubernetes' documented default). */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  return withDefaultTag(image).endsWith(':latest') ? 'Always' : 'IfNotPresent';
}
