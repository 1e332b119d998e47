import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import { describeValue, type KeyPath, suggest } from './problem.ts';
import { durationPattern, sizePattern } from './units.ts';

/** A problem before anybody looked up its line. */
export interface Violation {
  readonly path: KeyPath;
  readonly message: string;
  readonly hint?: string;
}

export interface Validated<T> {
  readonly violations: readonly Violation[];
  /**
   * The data without the parts that violate the schema, so that the rest can still be looked at. `null` when
   * nothing is left of it.
   */
  readonly sound: T | null;
}

/**
 * Checks data against one schema, whose every `description` completes the sentence "expected …". `reference` is the page
 * that has all keys. The schema's `writeOnly` marks values that must not be echoed.
 */
export class Checker<Schema extends TSchema> {
  readonly #schema: Schema;
  readonly #reference: string;
  readonly #validator: Validator;

  constructor(schema: Schema, reference: string) {
    this.#schema = schema;
    this.#reference = reference;
    this.#validator = Compile(schema);
  }

  check(value: unknown): Validated<Static<Schema>> {
    const violations = this.#errorsOf(value).flatMap((error) => this.#toViolations(error, value));
    return { violations: uniqueByPath(violations), sound: this.#withoutErrors(value) };
  }

  /** TypeBox's errors, those of alternatives that nobody meant left out. */
  #errorsOf(value: unknown): TLocalizedValidationError[] {
    // TypeBox stops at 8 errors: right for a server's input, wrong for a file in which all are to be shown.
    // The setting is the whole process's, so it holds for this call only.
    const { maxErrors } = Settings.Get();
    Settings.Set({ maxErrors: 10_000 });
    try {
      return meantAlternatives(this.#validator.Errors(value), value, this.#schema);
    } finally {
      Settings.Set({ maxErrors });
    }
  }

  #toViolations(error: TLocalizedValidationError, value: unknown): Violation[] {
    const path = pathTo(error.instancePath, value);
    const schema = schemaAt(this.#schema, error.schemaPath);
    switch (error.keyword) {
      case 'additionalProperties':
        return error.params.additionalProperties.map((key) =>
          unknownKey([...path, key], key, schema, this.#reference),
        );
      case 'required':
        return error.params.requiredProperties.map((key) => ({
          path: [...path, key],
          message: `missing: expected ${schema.properties?.[key]?.description ?? 'a value'}`,
        }));
      default:
        return [wrongValue(path, schema, isName(error) ? path.at(-1) : valueAt(value, path), error)];
    }
  }

  /** Takes out whatever is wrong until the rest is right: it ends, since every turn takes something. */
  #withoutErrors(value: unknown): Static<Schema> | null {
    const rest = structuredClone(value);
    while (!this.#validator.Check(rest)) {
      for (const error of this.#errorsOf(rest)) {
        const path = pointerParts(error.instancePath);
        const paths =
          error.keyword === 'additionalProperties'
            ? error.params.additionalProperties.map((key) => [...path, key])
            : [path];
        if (paths.some((each) => !remove(rest, each))) return null;
      }
    }
    return rest as Static<Schema>;
  }
}

/** It is about the name of a key, not about what stands there. */
function isName({ schemaPath }: TLocalizedValidationError): boolean {
  return schemaPath.endsWith('/propertyNames');
}

/**
 * A value that fits no alternative of a union is reported for each of them. When it is a mapping or a list and one
 * alternative is, only what is wrong with that one counts; otherwise only that none fits.
 */
function meantAlternatives(
  errors: TLocalizedValidationError[],
  value: unknown,
  root: TSchema,
): TLocalizedValidationError[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  const dropped = unions.flatMap((union) => {
    const alternatives = schemaAt(root, union.schemaPath).anyOf ?? [];
    const shape = shapeOf(valueAt(value, pointerParts(union.instancePath)));
    const meant = shape === null ? -1 : alternatives.findIndex((each) => takes(each, shape));
    const others = errors.filter(
      (error) =>
        within(error.instancePath, union.instancePath) &&
        within(error.schemaPath, `${union.schemaPath}/anyOf`) &&
        !(meant >= 0 && within(error.schemaPath, `${union.schemaPath}/anyOf/${meant}`)),
    );
    return meant >= 0 ? [union, ...others] : others;
  });
  const noise = new Set(dropped);
  return errors.filter((error) => !noise.has(error) && !REPEATING.has(error.keyword));
}

/** They repeat what 'additionalProperties', or the schema of a name, says better. */
const REPEATING: ReadonlySet<string> = new Set(['boolean', 'propertyNames']);

function shapeOf(value: unknown): 'object' | 'array' | null {
  if (Array.isArray(value)) return 'array';
  return isMapping(value) ? 'object' : null;
}

function takes({ type, anyOf = [] }: Schema, shape: 'object' | 'array'): boolean {
  return type === shape || anyOf.some((each) => takes(each, shape));
}

function unknownKey(
  path: KeyPath,
  key: string,
  { properties, propertyNames }: Schema,
  reference: string,
): Violation {
  if (properties === undefined) {
    return { path, message: `expected ${propertyNames?.description ?? 'another name'}` };
  }
  const known = Object.keys(properties);
  const list = known.length > 8 ? `${reference} has them all` : `known: ${known.join(', ')}`;
  return { path, message: 'unknown key', hint: suggest(key, known) ?? list };
}

function wrongValue(
  path: KeyPath,
  schema: Schema,
  value: unknown,
  error: TLocalizedValidationError,
): Violation {
  const expected = schema.description === undefined ? error.message : `expected ${schema.description}`;
  const message = schema.writeOnly === true ? expected : `${expected}, got ${describeValue(value)}`;
  const hint = hintFor(schema, value);
  return { path, message, ...(hint === undefined ? {} : { hint }) };
}

function hintFor(schema: Schema, value: unknown): string | undefined {
  if (typeof value === 'string') {
    return schema.enum === undefined ? undefined : suggest(value, schema.enum.map(String));
  }
  if (typeof value !== 'number' && typeof value !== 'boolean') return undefined;
  const alternatives = schema.anyOf ?? [schema];
  if (typeof value === 'number' && !alternatives.some(({ type }) => type === 'integer')) {
    if (alternatives.some(({ pattern }) => pattern === durationPattern))
      return `no unit: ${value}s or ${value}m?`;
    if (alternatives.some(({ pattern }) => pattern === sizePattern))
      return `no unit: ${value}KiB or ${value}MiB?`;
  }
  return schema.type === 'string' ? 'put it in quotes' : undefined;
}

function uniqueByPath(violations: readonly Violation[]): Violation[] {
  const byPath = new Map(violations.toReversed().map((each) => [JSON.stringify(each.path), each]));
  return [...byPath.values()].toReversed();
}

/** False when there is nothing that it could be removed from. */
function remove(root: unknown, path: KeyPath): boolean {
  const last = path.at(-1);
  if (last === undefined) return false;
  const parent = valueAt(root, path.slice(0, -1));
  // Out of a list goes the list: its other elements would get other numbers.
  if (Array.isArray(parent)) return remove(root, path.slice(0, -1));
  if (isMapping(parent)) delete parent[last];
  return true;
}

/** What this file reads of a schema. */
interface Schema extends TSchema {
  readonly type?: string;
  readonly description?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly writeOnly?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly propertyNames?: Schema;
  readonly anyOf?: readonly Schema[];
}

function schemaAt(root: TSchema, pointer: string): Schema {
  const schema = valueAt(root, pointerParts(pointer.replace(/^#/, '')));
  return isMapping(schema) ? schema : {};
}

/** RFC 6901. */
function pointerParts(pointer: string): string[] {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The same with numbers where `value` has lists. */
function pathTo(pointer: string, value: unknown): KeyPath {
  const parts = pointerParts(pointer);
  return parts.map((part, index) =>
    Array.isArray(valueAt(value, parts.slice(0, index))) ? Number(part) : part,
  );
}

function within(pointer: string, ancestor: string): boolean {
  return pointer === ancestor || pointer.startsWith(`${ancestor}/`);
}

function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else value = isMapping(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

function isMapping(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
