import type { Answer } from '../../api/index.ts';
import { CliError, EXIT } from '../exit.ts';
import { logLine } from '../log-line.ts';
import { type CloudContext, withCloud } from './context.ts';
import { followRun } from './follow.ts';

interface Options {
  readonly follow?: true;
  readonly since?: number;
  readonly tail?: number;
  readonly grep?: string;
  readonly ignoreCase?: true;
  readonly attempt?: number;
}

const CHUNK_BYTES = 262_144;
/** An average line is shorter: so many bytes before the end hold the lines that are wanted, mostly. */
const LINE_BYTES = 400;

/** `rocksy logs` of the cloud: of a run, wherever it is or was. */
export const logsOfCloud = withCloud(async (context, key: string, options: Options) => {
  const { grep, ignoreCase, follow } = options;
  if (grep !== undefined) return await find(context, key, { ...options, grep });
  if (ignoreCase) throw new CliError('-i goes with --grep TEXT', { exitCode: EXIT.usage });
  // One that waits for its first host has no log yet: whoever follows waits with it.
  const offset = follow === true && isWhole(options) ? 0 : await print(context, key, options);
  if (follow !== true) return;
  const attempt = options.attempt ?? (await context.cloud.call('getRun', { params: { key } })).run.attempt;
  await followRun(context, key, { attempt, offset });
});

function ofAttempt(attempt: number | undefined): { readonly attempt?: number } {
  return attempt === undefined ? {} : { attempt };
}

function isWhole({ tail, since }: Options): boolean {
  return tail === undefined && since === undefined;
}

/** What is there by now; how far that goes. */
async function print({ cloud, terminal, json }: CloudContext, key: string, options: Options) {
  const { tail, since, attempt } = options;
  let query: object = tail === undefined ? { since_ms: since } : { offset: -tail * LINE_BYTES };
  for (let isFirst = true; ; isFirst = false) {
    const chunk = await cloud.call('runLog', {
      params: { key },
      query: { ...query, ...ofAttempt(attempt), length: CHUNK_BYTES },
    });
    const data =
      chunk.data === undefined ? Buffer.from(chunk.data_base64 ?? '', 'base64') : Buffer.from(chunk.data);
    const shown = isFirst && tail !== undefined ? lastLines(data, tail) : data;
    if (shown.length > 0) await terminal.pass(json ? logLine(shown) : shown);
    if (chunk.next_offset >= chunk.size || chunk.next_offset <= chunk.offset) return chunk.next_offset;
    query = { offset: chunk.next_offset };
  }
}

function lastLines(data: Buffer, count: number): Buffer {
  let at = data.length - 1;
  for (let found = 0; found < count && at > 0; found++) at = data.lastIndexOf('\n', at - 1);
  return at < 0 ? data : data.subarray(at + 1);
}

async function find(
  { cloud, terminal, json }: CloudContext,
  key: string,
  { grep, ignoreCase, attempt }: Options & { readonly grep: string },
): Promise<void> {
  for (let from: number | null = 0; from !== null; ) {
    const query = { text: grep, offset: from, ignore_case: ignoreCase === true, ...ofAttempt(attempt) };
    const found: Answer<'searchLog'> = await cloud.call('searchLog', { params: { key }, query });
    for (const { offset, line } of found.matches)
      await terminal.pass(`${json ? JSON.stringify({ event: 'match', offset, line }) : line}\n`);
    from = found.next_offset >= found.size || found.next_offset <= from ? null : found.next_offset;
  }
}
