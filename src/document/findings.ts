import { isDeepStrictEqual } from 'node:util';
import { formatKey, formatProblem, type KeyPath, type Problem } from './problem.ts';
import type { ReadDocument } from './read.ts';
import type { Violation } from './validate.ts';

/** Collects what is wrong, and what is merely to be known, with its place in the file. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];
  readonly #file: string;
  readonly #document: ReadDocument;
  readonly #violated: KeyPath[];

  constructor(file: string, document: ReadDocument, violations: readonly Violation[]) {
    this.#file = file;
    this.#document = document;
    this.#violated = violations.map(({ path }) => path);
    this.problems.push(...document.problems, ...violations.map((each) => this.#locate(each, each.path)));
  }

  /**
   * `at` is the key whose line is shown, when it is another than the one that is spoken of. A problem that may
   * come only from a violation of the schema at, above or below `path` is not reported besides it, and what is said
   * twice (of a part that several others take in) is reported once.
   */
  problem(path: KeyPath, message: string, { hint, at = path }: { hint?: string; at?: KeyPath } = {}): void {
    if (this.isViolated(path)) return;
    const problem = this.#locate({ path, message, ...(hint === undefined ? {} : { hint }) }, at);
    if (!this.problems.some((other) => isDeepStrictEqual(other, problem))) this.problems.push(problem);
  }

  warning(path: KeyPath, message: string): void {
    this.warnings.push(formatProblem(this.#file, this.#locate({ path, message }, path)));
  }

  isViolated(path: KeyPath): boolean {
    return this.#violated.some((violated) => isAbove(violated, path) || isAbove(path, violated));
  }

  #locate({ path, message, hint }: Violation, at: KeyPath): Problem {
    const { line, column } = this.#document.positionOf(at);
    return { line, column, key: formatKey(path), message, ...(hint === undefined ? {} : { hint }) };
  }
}

/** True also for a key and itself. */
function isAbove(upper: KeyPath, lower: KeyPath): boolean {
  return upper.every((part, index) => part === lower[index]);
}
