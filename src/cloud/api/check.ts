import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Convert } from 'typebox/value';
import { ApiError } from './errors.ts';

const validators = new Map<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  const validator = Compile(schema);
  validators.set(schema, validator);
  return validator;
}

/** Throws `invalid_request`, which names the place. */
export function check(schema: TSchema, value: unknown, place: string): unknown {
  const validator = validatorOf(schema);
  if (validator.Check(value)) return value;
  const [first] = validator.Errors(value);
  const missing =
    first !== undefined && 'requiredProperties' in first.params
      ? String(first.params.requiredProperties)
      : null;
  const path = `${place}${(first?.instancePath ?? '').replaceAll('/', '.')}`;
  const message =
    missing === null ? `${path}: ${first?.message ?? 'is not valid'}` : `${path}: ${missing} is missing`;
  throw new ApiError(422, 'invalid_request', message);
}

/** Texts of a query or a path, as what they stand for. */
export function checkTexts(schema: TSchema, value: unknown, place: string): unknown {
  return check(schema, Convert(schema, structuredClone(value)), place);
}
