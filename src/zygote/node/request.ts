import type { JsonValue } from '../../wire/index.ts';
import { parseRunStart, type RawRequest, type RunStart } from '../serving/index.ts';

/** A `start` that this runtime can carry out. */
export interface JobStart extends RunStart {
  /** `PROBE` for the child that goes through all preparation and runs nothing. */
  readonly class: string;
  readonly params: JsonValue;
}

/** No class has this name, as `parseJob` sees to it. */
export const PROBE = '';

/** What a `start` says, or the sentence why it can't be carried out. The key has been checked. */
export function parseJob(key: string, fields: RawRequest['fields']): JobStart | string {
  const start = parseRunStart(key, fields);
  if (typeof start === 'string') return start;
  if (fields.argv !== undefined) return 'argv: a pool of the runtime `node` runs classes, it knows no argv';
  if (typeof fields.class !== 'string' || fields.class === PROBE)
    return 'class: expected the name of a class';
  return { ...start, class: fields.class, params: (fields.params ?? []) as JsonValue };
}
