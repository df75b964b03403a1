/** What was thrown may be anything: these give it the form that is told or thrown on. */

/** In words for people, without the name of its class. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An Error as it is; anything else as the message of one. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
