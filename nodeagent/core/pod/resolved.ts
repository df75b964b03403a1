/** A value, or why it cannot be had as the pod is written, in kubelet's words. */
export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };
