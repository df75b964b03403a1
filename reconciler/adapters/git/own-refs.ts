/** Refs of ours in a mirror. Apart from it: who reads one needs nothing of what fetches. */

/** The tag that was fetched last. */
export const FETCHED_TAG = 'refs/plumbline/fetched';
