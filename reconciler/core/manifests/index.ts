/** Git's side of the truth: manifests to desired state. See README.md. */
export { DIAGNOSTIC_CODES, type DiagnosticCode } from './codes.ts';
export { composeState, composing } from './compose-state.ts';
export { byPosition } from './findings.ts';
export { formatDiagnostic } from './format-diagnostic.ts';
export { ManifestCache } from './manifest-cache.ts';
export { positionOf } from './marks.ts';
export { parseManifest, parsingManifest } from './parse-manifest.ts';
export {
  fileTooLarge,
  isManifestName,
  MANIFEST_FILES,
  MAX_FILE_BYTES,
  selectManifestFiles,
  SUBMODULE_MODE,
  type SelectedFiles,
  type SourceFolder,
  type TreeFile,
} from './select-files.ts';
export * from './types.ts';
