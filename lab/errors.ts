/** Two ways for the lab to say no; the command line turns both into one sentence and an exit code. */

/**
 * The lab cannot be made or used like this: wrong machine, wrong words, something in the way. Nothing was changed. Exit
 * code 2.
 */
export class LabRefusal extends Error {
  readonly exitCode = 2;
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LabRefusal';
  }
}

/** It should have worked and did not. What was begun has been taken down again. Exit code 1. */
export class LabFailure extends Error {
  readonly exitCode = 1;
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LabFailure';
  }
}
