/** Whether an init container goes on beside the containers that start after it. Source: Kubernetes, KEP-753. */
export function isSidecar(initContainer: { readonly restartPolicy?: string | undefined }): boolean {
  return initContainer.restartPolicy === 'Always';
}
