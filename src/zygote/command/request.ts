import { isCText, parseRunStart, type RawRequest, type RunStart } from '../serving/index.ts';

/** A `start` that this runtime can carry out. */
export interface CommandStart extends RunStart {
  readonly argv: readonly string[];
}

/** What a `start` says, or the sentence why it can't be carried out. The key has been checked. */
export function parseCommand(key: string, fields: RawRequest['fields']): CommandStart | string {
  const start = parseRunStart(key, fields);
  if (typeof start === 'string') return start;
  const { argv } = fields;
  if (fields.class !== undefined)
    return 'class: a pool of the runtime `command` runs argv, it knows no classes';
  if (!Array.isArray(argv) || argv.length === 0 || !argv.every(isCText)) {
    return 'argv: expected at least one string, none of them with a NUL character or half a surrogate pair';
  }
  return { ...start, argv };
}
