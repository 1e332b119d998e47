import { Type } from 'typebox';
import { durationPattern, sizePattern } from './units.ts';

/* What schemas of documents are made of. Every `description` completes the sentence "expected …". */

/** Of a mapping: no key that is not named. */
export const closed = { additionalProperties: false } as const;

export const duration = Type.String({
  pattern: durationPattern,
  description: 'a duration such as 500ms, 10s, 5m, 24h or 30d',
});

export const size = Type.String({
  pattern: sizePattern,
  description: 'a size such as 64KiB, 512MiB, 2GiB or 10MB',
});

export const flag = Type.Boolean({ description: 'true or false' });

/** Text that can be an argument, a path or a variable: not empty, and without NUL. */
export function text(description: string, bounds: { readonly maxLength?: number } = {}) {
  return Type.String({ minLength: 1, ...bounds, pattern: '^[^\\0]*$', description });
}

export function integer(minimum: number, maximum: number) {
  return Type.Integer({ minimum, maximum, description: `an integer from ${minimum} to ${maximum}` });
}
