/** Issuer: who issues the certificates of its namespace. */
import { KINDS } from '../../../contracts/objects/index.ts';
import type { KindDescriptor } from './descriptor.ts';
import { ISSUER_KIND } from './issuer-kind.ts';

export const ISSUER: KindDescriptor<'Issuer'> = { identity: KINDS.Issuer, ...ISSUER_KIND };
