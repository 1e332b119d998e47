// The requests of the load, each with what its answer has to be. A number in them tells each from all others.
import type { Answer, Question } from './ledger.ts';

const MAX_PIECE_BYTES = 131_072;

/** What the original answered with the request itself: the number comes back. */
export function echo(number: number): Question {
  const fields = { n: number };
  return {
    name: 'greet',
    fields,
    flaw: (answer) =>
      'id' in answer
        ? expected(answer, { ok: false, code: 'unknown_request' })
        : expected(answer, { error_text: `UNKNOWN REQUEST 'request_greet': ${JSON.stringify(fields)}` }),
  };
}

/** `status` of a run that there is not: its key comes back. */
export function statusOfNone(number: number): Question {
  const key = `none-${number}`;
  return {
    name: 'status',
    fields: { key },
    flaw: (answer) => expected(answer, { code: 'not_found', message: `There is no run ${key}` }),
  };
}

export function hello(): Question {
  return { name: 'hello', fields: {}, flaw: (answer) => expected(answer, { ok: true, protocol: 1 }) };
}

export function list(limit: number): Question {
  const flaw = ({ runs }: Answer): string | null =>
    Array.isArray(runs) && runs.length <= limit ? null : `expected ${limit} runs at most`;
  return { name: 'list', fields: { limit }, flaw };
}

/** A piece of the log of a run, whose whole text is known. */
export function piece(key: string, whole: Buffer, offset: number): Question {
  const data = whole.subarray(offset, offset + MAX_PIECE_BYTES).toString('latin1');
  return {
    name: 'logs',
    fields: { key, offset, length: MAX_PIECE_BYTES },
    flaw: (answer) => expected(answer, { ok: true, offset, data }),
  };
}

/** All of a log of a run that has ended. */
export function wholeLog(key: string, text: string): Question {
  return {
    name: 'logs',
    fields: { key },
    flaw: (answer) => expected(answer, { ok: true, data: text, end: true }),
  };
}

export function run(key: string, argv: readonly string[]): Question {
  return {
    name: 'run',
    fields: { key, pool: 'os', argv },
    flaw: (answer) => expected(answer, { ok: true, known: false }) ?? flawOfRun(answer, { key }),
  };
}

export function status(key: string): Question {
  return { name: 'status', fields: { key }, flaw: (answer) => flawOfRun(answer, { key }) };
}

export function wait(key: string, retcode: number): Question {
  const flaw = (answer: Answer): string | null => flawOfRun(answer, { key, state: 'ended', retcode });
  return { name: 'wait', fields: { key }, flaw };
}

export function free(key: string): Question {
  return { name: 'free', fields: { key }, flaw: (answer) => expected(answer, { ok: true }) };
}

/** The original's requests about a run, without `id` and `key`. */
export const original = {
  run: (hash: number, argv: readonly string[]): Question => ({
    name: 'run',
    fields: { hash, pool: 'os', argv },
    flaw: (answer) => expected(answer, { error_text: 'OK' }),
  }),
  check: (hash: number, retcode: number): Question => ({
    name: 'check',
    fields: { hash },
    flaw: (answer) => expected(answer, 'retcode' in answer ? { retcode } : { error_text: 'Still running' }),
  }),
  free: (hash: number): Question => ({
    name: 'free',
    fields: { hash },
    flaw: (answer) => expected(answer, { error_text: 'OK' }),
  }),
};

/** What is wrong about the run in an answer. */
export function flawOfRun({ run }: Answer, wanted: Answer): string | null {
  return typeof run === 'object' && run !== null ? expected(run as Answer, wanted) : 'expected a run';
}

function expected(answer: Answer, wanted: Answer): string | null {
  for (const [name, value] of Object.entries(wanted))
    if (answer[name] !== value) return `expected ${name} to be ${JSON.stringify(value).slice(0, 200)}`;
  return null;
}
