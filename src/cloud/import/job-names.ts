const MAX_LENGTH = 80;
const MARKS = /\p{M}+/gu;

/** Gives out names of jobs, each once. Files that are imported together share one, for their jobs share a project. */
export class JobNames {
  readonly #given = new Set<string>();

  /** The first of these that nobody has yet, as far as a name may look like it; else the last one with a number. */
  take(...wishes: readonly [string, ...string[]]): string {
    const clean = wishes.map(cleanName);
    let name = clean.find((each) => !this.#given.has(each));
    for (let n = 2; name === undefined; n++) {
      const numbered = `${clean.at(-1)}-${n}`;
      if (!this.#given.has(numbered)) name = numbered;
    }
    this.#given.add(name);
    return name;
  }
}

/** `Rebuild Indexes (daily)` is `Rebuild-Indexes-daily`, and `Übersicht` is `Ubersicht`. Jobs and pools are named so. */
export function cleanName(text: string): string {
  const clean = text
    .normalize('NFKD')
    .replaceAll(MARKS, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_LENGTH)
    .replace(/-+$/, '');
  return clean || 'job';
}
