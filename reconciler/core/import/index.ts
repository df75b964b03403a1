/** From elsewhere to a repository of ours. See README.md. */
export { importArgo } from './argocd/index.ts';
export { importCompose, type ComposeOptions } from './compose/index.ts';
export { importFlux, type FluxOptions } from './flux/index.ts';
export { importHelm, type HelmOptions } from './helm/index.ts';
export { IMPORT_CODES, type Imported, type OutputFile, type SourceTree } from './types.ts';
