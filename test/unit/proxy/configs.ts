/** ProxyConfigs as words, and what becomes of them. */
import type { ProxyBackend, ProxyConfig, ProxyPort, ProxyRule } from '../../../contracts/objects/proxy-config.ts';

export function proxyConfig(ports: readonly ProxyPort[], backends: readonly ProxyBackend[] = []): ProxyConfig {
  return {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'ProxyConfig',
    metadata: { name: 'node-1', generation: 1 },
    spec: { ports, backends },
  };
}

/** Forwards to `to`, a backend's name, when it is a string. */
export function rule(
  match: ProxyRule['match'],
  to: string | ProxyRule['action'],
  more: Partial<Omit<ProxyRule, 'match' | 'action'>> = {},
): ProxyRule {
  return {
    origin: `${JSON.stringify(match)} to ${JSON.stringify(to)}`,
    match,
    filters: [],
    action: typeof to === 'string' ? { type: 'forward', to: [{ backend: to, weight: 1 }] } : to,
    ...more,
  };
}

export function prefix(value: string): ProxyRule['match'] {
  return { path: { type: 'prefix', value } };
}

export function exact(value: string): ProxyRule['match'] {
  return { path: { type: 'exact', value } };
}

/** `default/NAME/http`, of the Service NAME. */
export function backend(name: string, more: Partial<ProxyBackend> = {}): ProxyBackend {
  return { name, namespace: 'default', service: name, portName: 'http', protocol: 'http1', ...more };
}
