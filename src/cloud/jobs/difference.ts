import { isDeepStrictEqual } from 'node:util';
import type { JobDefinition } from './definition.ts';

export interface Change {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What it takes to get from one set of jobs to another. */
export interface Difference {
  readonly created: readonly JobDefinition[];
  readonly changed: readonly { readonly definition: JobDefinition; readonly changes: readonly Change[] }[];
  readonly unchanged: readonly JobDefinition[];
  /** Jobs that are there and not wanted; whether they go is not said here. */
  readonly superfluous: readonly JobDefinition[];
}

/** Jobs are the same by project and name. The order of either set does not matter; the result's is that of `wanted`. */
export function differenceOf(
  present: readonly JobDefinition[],
  wanted: readonly JobDefinition[],
): Difference {
  const before = new Map(present.map((job) => [identity(job), job]));
  const created: JobDefinition[] = [];
  const changed: { definition: JobDefinition; changes: Change[] }[] = [];
  const unchanged: JobDefinition[] = [];
  for (const definition of wanted) {
    const former = before.get(identity(definition));
    before.delete(identity(definition));
    if (former === undefined) {
      created.push(definition);
      continue;
    }
    const changes = changesOf(former, definition);
    if (changes.length === 0) unchanged.push(definition);
    else changed.push({ definition, changes });
  }
  return { created, changed, unchanged, superfluous: [...before.values()] };
}

function identity({ project, name }: JobDefinition): string {
  return `${project}/${name}`;
}

/** Of a key that one side does not have the value is undefined: a release may know more keys than the one before. */
function changesOf(before: JobDefinition, after: JobDefinition): Change[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof JobDefinition>;
  return [...keys]
    .map((key) => ({ key, before: before[key], after: after[key] }))
    .filter((change) => !isDeepStrictEqual(change.before, change.after));
}
