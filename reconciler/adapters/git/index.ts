/** The GitSource port over a local repository, HTTPS or SSH. */
export { GitCredentials } from './credentials.ts';
export { HINT_FILE } from './hints.ts';
export { openGitSource, type GitSourceOptions } from './source.ts';
