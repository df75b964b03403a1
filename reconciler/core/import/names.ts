/** Names as Kubernetes takes them. Source: RFC 1123; Kubernetes, "Object Names and IDs". */

const MAX_LABEL = 63;

/** The nearest DNS label: lower case, digits and `-`, at most 63 characters; `fallback` where nothing is left of it. */
export function dnsLabel(text: string, fallback = 'x'): string {
  const label = text
    .slice(0, 4 * MAX_LABEL)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+/g, '')
    .slice(0, MAX_LABEL)
    .replaceAll(/-+$/g, '');
  return label === '' ? fallback : label;
}

export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
}

/** As a label of Services must be: it may not start with a digit. Source: Kubernetes, RFC 1035 label names. */
export function serviceName(text: string): string {
  const label = dnsLabel(text);
  return /^[0-9]/.test(label) ? dnsLabel(`s-${label}`) : label;
}

/** Whether an annotation or a label may have this name. Source: Kubernetes, "Labels and Selectors". */
export function isQualifiedName(text: string): boolean {
  const slash = text.indexOf('/');
  const [prefix, name] = slash < 0 ? [undefined, text] : [text.slice(0, slash), text.slice(slash + 1)];
  const prefixed =
    prefix === undefined ||
    (prefix.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(prefix));
  return prefixed && name.length <= MAX_LABEL && /^[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/.test(name);
}

/** The key of a ConfigMap or Secret that is nearest to a text. */
export function dataKey(text: string): string {
  const key = text.slice(0, 253).replaceAll(/[^-\w.]/g, '_');
  return key === '' || key === '.' || key === '..' ? `_${key}` : key;
}

/** `a/b` and `../c` to `a/c`; undefined where it leads out of the root. */
export function resolvePath(folder: string, path: string): string | undefined {
  const parts: string[] = [];
  for (const part of [...folder.split('/'), ...path.split('/')]) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

export function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}
