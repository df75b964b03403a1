/** The PullRequests port at real forges, and what is kept of their answers. */
export { keptListing, keptListings, LISTINGS_FOLDER } from './kept-listings.ts';
export { HttpPullRequests } from './pull-requests.ts';
