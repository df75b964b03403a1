/** Files that the machine's administrator has put there, each with pods for this machine alone. */

export interface StaticFile {
  readonly name: string;
  readonly text: string;
}

export interface StaticFiles {
  /** By name. Nothing where there is no folder; an Error where there is more than is taken, or something cannot be read. */
  read(): Promise<readonly StaticFile[]>;
}
