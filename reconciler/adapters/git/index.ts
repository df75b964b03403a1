/** The GitSource port over a local repository, HTTPS or SSH. */
export { type GitCredentials, splitCredentials } from './credentials.ts';
export { readOrigin } from './find-repository.ts';
export { HINT_FILE, hintsFrom } from './hints.ts';
export { Nudges } from './nudges.ts';
export { openFetched, otherRepositories, type OwnRepository } from './other-repositories.ts';
export { openGitPublisher } from './publisher.ts';
export { openGitSource } from './source.ts';
