/**
 * Files as isomorphic-git reads and writes them. At each call it asks for a file without a name, to see whether the answer
 * is a promise: Node's own answer is an error with its stack, twice for each object of a tree that is read.
 */
import { promises } from 'node:fs';

const NO_FILE = Promise.resolve();

/** Node's file system; the `fs` of every call. */
export const gitFiles = {
  promises: {
    ...promises,
    readFile: (...args: Parameters<typeof promises.readFile> | []) =>
      args.length === 0 ? NO_FILE : promises.readFile(...args),
  },
};
