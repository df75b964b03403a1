import { findProgram } from '../../../lab/process.ts';

/** Why lab tests cannot run on this machine; false when they can. For node:test's `skip`. */
export function labUnsupported(): string | false {
  if (process.platform !== 'linux') return `the lab needs Linux, this is ${process.platform}`;
  if (process.geteuid?.() !== 0) return 'the lab needs root';
  const missing = ['containerd', 'runc', 'sshd', 'docker-registry', 'busybox', 'nft', 'ip'].filter(
    (program) => findProgram(program) === undefined,
  );
  return missing.length > 0 ? `missing on this machine: ${missing.join(', ')}` : false;
}
