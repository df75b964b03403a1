/** What a pod's Volume and a PersistentVolume have in common. Source: Kubernetes v1 API reference. */
import { z } from 'zod';
import { NEVER, type NotYet } from './schema.ts';

/** A name or an address; it is handed to a program, whose option it must not be. */
export const NfsServer = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_:[][A-Za-z0-9._:%[\]-]*$/, 'must be a host name or an address');

/** Kubernetes' sources of both that are not there. */
export const OTHER_PLUGINS: NotYet = {
  awsElasticBlockStore: NEVER,
  azureDisk: NEVER,
  azureFile: NEVER,
  cephfs: NEVER,
  cinder: NEVER,
  csi: NEVER,
  fc: NEVER,
  flexVolume: NEVER,
  flocker: NEVER,
  gcePersistentDisk: NEVER,
  glusterfs: NEVER,
  iscsi: NEVER,
  photonPersistentDisk: NEVER,
  portworxVolume: NEVER,
  quobyte: NEVER,
  rbd: NEVER,
  scaleIO: NEVER,
  storageos: NEVER,
  vsphereVolume: NEVER,
};
