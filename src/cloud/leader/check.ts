import type { JobDefinition } from '../jobs/index.ts';

/** What is wrong with jobs together, though each is right by itself. */
export interface Mistake {
  readonly job: string;
  readonly key: 'on_success' | 'on_failure' | 'after';
  readonly message: string;
}

type Chained = Pick<JobDefinition, 'project' | 'name' | 'on_success' | 'on_failure' | 'after'>;

/**
 * Names that no job has, and circles in which jobs would start each other for ever. `exists` knows the jobs that will be
 * there beside these.
 */
export function mistakesIn(
  definitions: readonly Chained[],
  exists: (project: string, name: string) => boolean,
  others: readonly Chained[],
): Mistake[] {
  const own = new Set(definitions.map(({ project, name }) => `${project}/${name}`));
  const mistakes: Mistake[] = [];
  for (const { project, name, ...keys } of definitions) {
    for (const key of ['on_success', 'on_failure', 'after'] as const) {
      for (const each of keys[key]) {
        if (own.has(`${project}/${each}`) || exists(project, each)) continue;
        mistakes.push({ job: name, key, message: `there is no job ${each} in project ${project}` });
      }
    }
  }
  const all = new Map([...others, ...definitions].map((each) => [`${each.project}/${each.name}`, each]));
  const starts = startsOf(all);
  for (const { project, name } of definitions) {
    const circle = circleFrom(`${project}/${name}`, starts);
    if (circle !== null)
      mistakes.push({
        job: name,
        key: 'on_success',
        message: `the jobs start each other for ever: ${circle.join(' → ')}`,
      });
  }
  return mistakes;
}

/** Which jobs a job starts. */
function startsOf(all: ReadonlyMap<string, Chained>): ReadonlyMap<string, readonly string[]> {
  const starts = new Map<string, string[]>();
  const add = (from: string, to: string) => {
    const known = starts.get(from);
    if (known === undefined) starts.set(from, [to]);
    else known.push(to);
  };
  for (const [place, { project, on_success, on_failure, after }] of all) {
    for (const each of [...on_success, ...on_failure]) add(place, `${project}/${each}`);
    for (const each of after) add(`${project}/${each}`, place);
  }
  return starts;
}

/** The way from a job back to itself; null: there is none. */
function circleFrom(start: string, starts: ReadonlyMap<string, readonly string[]>): string[] | null {
  const from = new Map<string, string>();
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of starts.get(at) ?? []) {
      if (next === start) {
        const way = [start];
        for (let back = at; back !== start; back = from.get(back) ?? start) way.unshift(back);
        return [start, ...way];
      }
      if (from.has(next)) continue;
      from.set(next, at);
      open.push(next);
    }
  }
  return null;
}
