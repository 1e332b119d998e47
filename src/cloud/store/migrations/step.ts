/** In what the two databases' statements differ. */
export interface Wording {
  /** Column definition of an id that the database counts up and never uses again. */
  readonly generatedId: string;
  /** Behind a table whose rows are changed several times: leaves room beside them for the next versions. */
  readonly roomy: string;
}

/** The statements of one migration. Only what adds: instances of adjacent versions use one store at the same time. */
export type MigrationStep = (wording: Wording) => readonly string[];
