/** Where in the file: `['pools', 'web', 'args', 0]`. */
export type KeyPath = readonly (string | number)[];

/** One thing that is wrong with a configuration. Line and column count from 1; line 0 is the file as a whole. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** As a person would say it: `pools.web.args[0]`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Everything that is wrong with a file, in the order of its lines. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly problems: readonly Problem[];
  readonly file: string;

  constructor(file: string, problems: readonly Problem[]) {
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    super(formatProblems(file, sorted));
    this.problems = sorted;
    this.file = file;
  }

  /** One line for each problem: `rocksyd.yaml:12: pools.web.prefork: expected …`. */
  format(): string {
    return formatProblems(this.file, this.problems);
  }
}

function formatProblems(file: string, problems: readonly Problem[]): string {
  return problems.map((problem) => formatProblem(file, problem)).join('\n');
}

export function formatProblem(file: string, { line, key, message, hint }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}`;
  return [place, key, hint === undefined ? message : `${message} (${hint})`]
    .filter((part) => part !== '')
    .join(': ');
}

export function formatKey(path: KeyPath): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}

/** What was found instead, short enough for a line of text. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  return String(value);
}

/** "did you mean …?", if one of `known` is a slip of the finger away from `word`. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const tolerated = Math.max(1, Math.floor(word.length / 3));
  const [nearest] = Array.from(known, (candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .filter(({ distance }) => distance <= tolerated)
    .toSorted((a, b) => a.distance - b.distance);
  return nearest && `did you mean ${nearest.candidate}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
