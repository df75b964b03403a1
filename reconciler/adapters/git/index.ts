/** The GitSource port over a local repository, HTTPS or SSH. */
export { HINT_FILE } from './hints.ts';
export { openGitSource } from './source.ts';
