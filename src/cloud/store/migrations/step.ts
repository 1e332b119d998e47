/** In what the two databases' statements differ. */
export interface Wording {
  /** Column definition of an id that the database counts up and never uses again. */
  readonly generatedId: string;
}

/** The statements of one migration. Only what adds: instances of adjacent versions use one store at the same time. */
export type MigrationStep = (wording: Wording) => readonly string[];
