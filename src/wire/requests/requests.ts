import Type, { type Static, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { RocksyError } from '../errors.ts';
import { type JsonValue, numberText } from '../json.ts';
import { parseKey, type RunKey } from '../key.ts';
import type { RawRequest } from '../line.ts';

const Text = Type.String({ maxLength: 4096 });
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Millis = Whole;
const Strings = Type.Array(Type.String({ maxLength: 131_072 }), { maxItems: 10_000 });
const Name = Type.String({ minLength: 1, maxLength: 100 });

/** The fields of each request besides `id`, `key` and `hash`. Unknown fields are ignored. */
const FIELDS = {
  hello: { token: Type.Optional(Text) },
  host: { incarnation: Whole },
  run: {
    class: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
    params: Type.Optional(Type.Unknown()),
    argv: Type.Optional(Type.Intersect([Strings, Type.Array(Type.String(), { minItems: 1 })])),
    pool: Type.Optional(Name),
    job: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    env: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 131_072 }))),
    cwd: Type.Optional(Text),
    stdin: Type.Optional(Type.String()),
    log: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 * 1000 })),
    kill_after_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400_000 })),
  },
  check: {},
  free: {},
  terminate: {},
  status: {},
  list: {
    pool: Type.Optional(Name),
    state: Type.Optional(
      Type.Union([
        Type.Literal('queued'),
        Type.Literal('starting'),
        Type.Literal('running'),
        Type.Literal('ended'),
        Type.Literal('active'),
      ]),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    before: Type.Optional(Text),
  },
  wait: { timeout_ms: Type.Optional(Millis) },
  signal: { signal: Type.Union([Type.String({ maxLength: 20 }), Type.Integer({ minimum: 0, maximum: 64 })]) },
  cancel: { kill_after_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400_000 })) },
  logs: {
    offset: Type.Optional(
      Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    ),
    length: Type.Optional(Type.Integer({ minimum: 1, maximum: 262_144 })),
    since: Type.Optional(Millis),
    follow: Type.Optional(Type.Boolean()),
  },
  search: {
    // Within a line: a text of several is never found.
    text: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\n]*$' }),
    offset: Type.Optional(Whole),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    ignore_case: Type.Optional(Type.Boolean()),
  },
  subscribe: {
    events: Type.Optional(
      Type.Array(
        Type.Union([
          Type.Literal('queued'),
          Type.Literal('started'),
          Type.Literal('exited'),
          Type.Literal('progress'),
          Type.Literal('log'),
        ]),
        { maxItems: 5 },
      ),
    ),
    pool: Type.Optional(Name),
    key: Type.Optional(Type.String()),
  },
  unsubscribe: { subscription: Type.Union([Type.String({ maxLength: 255 }), Type.Number()]) },
  pools: {},
  reload: { pool: Type.Optional(Name) },
  drain: { pool: Name, on: Type.Optional(Type.Boolean()) },
  stats: {},
  restart: { reload: Type.Optional(Type.Boolean()) },
  stop: {},
  bye: {},
} as const satisfies Record<string, Record<string, TSchema>>;

export type RequestName = keyof typeof FIELDS;

type FieldsOf<N extends RequestName> = Static<ReturnType<typeof Type.Object<(typeof FIELDS)[N]>>>;

/** Requests that are about one run: they carry its key. */
const ABOUT_A_RUN = [
  'run',
  'check',
  'free',
  'terminate',
  'status',
  'wait',
  'signal',
  'cancel',
  'logs',
  'search',
] as const;
export type RunRequestName = (typeof ABOUT_A_RUN)[number];

type RequestOf<N extends RequestName> = FieldsOf<N> & { readonly name: N } & (N extends RunRequestName
    ? { readonly key: RunKey; readonly byHash: boolean }
    : unknown);

/** A request with everything in it checked, told apart by `name`. */
export type Request = { [N in RequestName]: RequestOf<N> }[RequestName];
export type RequestNamed<N extends RequestName> = Extract<Request, { name: N }>;

/** Compiled when the first request of its kind comes: most daemons hear few kinds. */
const validators = new Map<RequestName, Validator>();

function validatorOf(name: RequestName): Validator {
  const known = validators.get(name);
  if (known !== undefined) return known;
  const validator = Compile(Type.Object(FIELDS[name]));
  validators.set(name, validator);
  return validator;
}

function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(FIELDS, name);
}

/** Checks the fields of a request. Throws `unknown_request`, `hash_not_numeric` or `invalid_request`. */
export function parseRequest(raw: RawRequest): Request {
  if (!isRequestName(raw.name)) throw new RocksyError('unknown_request', `There is no request '${raw.name}'`);
  // First: the original looked at nothing else before its hash.
  const about = (ABOUT_A_RUN as readonly string[]).includes(raw.name) ? runName(raw.fields) : {};
  const validator = validatorOf(raw.name);
  const fields = plainNumbers(raw.fields);
  if (!validator.Check(fields))
    throw new RocksyError('invalid_request', firstProblem(validator.Errors(fields)));
  if (raw.name === 'run' && (fields.class === undefined) === (fields.argv === undefined)) {
    throw new RocksyError('invalid_request', 'run: expected either class or argv');
  }
  // It names an id, which is kept as it was written.
  const subscription = raw.name === 'unsubscribe' ? { subscription: raw.fields.subscription } : {};
  return { ...fields, ...subscription, name: raw.name, ...about } as Request;
}

/** Numbers at the top level as numbers again, whatever way they were written (`1e3`); `params` stay as they are. */
function plainNumbers(fields: RawRequest['fields']): Record<string, JsonValue> {
  const plain: Record<string, JsonValue> = { ...fields };
  for (const [name, value] of Object.entries(fields)) {
    if (name !== 'params' && JSON.isRawJSON(value)) plain[name] = Number(value.rawJSON);
  }
  return plain;
}

interface Problem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function firstProblem(problems: readonly Problem[]): string {
  // A union reports each branch and then itself: the last one about the same place says it best.
  const first = problems[0];
  if (first === undefined) return 'The request is not valid';
  if (first.keyword === 'required' && 'requiredProperties' in first.params) {
    return `${String(first.params.requiredProperties)}: is missing`;
  }
  const place = first.instancePath.slice(1).replaceAll('/', '.');
  const same = problems.filter((problem) => problem.instancePath === first.instancePath);
  const allowed = same.flatMap((problem) =>
    problem.keyword === 'const' && 'allowedValue' in problem.params
      ? [String(problem.params.allowedValue)]
      : [],
  );
  const expected =
    allowed.length > 0 ? `must be one of ${allowed.join(', ')}` : (same.at(-1)?.message ?? first.message);
  return `${place}: ${expected}`;
}

/** PHP's is_numeric, for strings: the original was PHP. */
const NUMERIC = /^[ \t\n\r\v\f]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t\n\r\v\f]*$/;
const INTEGER = /^-?\d+$/;

function runName(fields: RawRequest['fields']): { key: RunKey; byHash: boolean } {
  const named = fields.key;
  if (named !== undefined) {
    const key = typeof named === 'string' ? parseKey(named) : null;
    if (key === null) {
      throw new RocksyError(
        'invalid_request',
        'key: expected a string of 1 to 255 bytes without control characters',
      );
    }
    return { key, byHash: false };
  }
  const key = hashKey(fields.hash);
  if (key === null) {
    throw new RocksyError('hash_not_numeric', 'hash: expected an integer or a numeric string', {
      hint: 'a name that is not a number goes in "key"',
    });
  }
  return { key, byHash: true };
}

function hashKey(hash: JsonValue | undefined): RunKey | null {
  if (typeof hash === 'string') return NUMERIC.test(hash) ? parseKey(hash.trim()) : null;
  if (typeof hash !== 'number' && !JSON.isRawJSON(hash)) return null;
  const text = numberText(hash);
  return INTEGER.test(text) ? parseKey(text) : null;
}
