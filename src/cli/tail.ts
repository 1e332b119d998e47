import type { Client, LogMatch, LogRange } from '../client/index.ts';

const CHUNK_BYTES = 262_144;
const FIRST_WINDOW_BYTES = 65_536;
/** Lines that don't fit in so much are not looked for: what is within is printed. */
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;
/** As many as the daemon gives at once. */
const MATCHES = 1000;
const LF = 10;

/** What is in a log now, from an offset or a moment on. */
export async function* readLog(
  client: Client,
  key: string,
  from: { readonly offset: number } | { readonly since: number },
): AsyncGenerator<Buffer, void, void> {
  let range = await client.logs(key, { ...from, length: CHUNK_BYTES });
  for (;;) {
    if (range.data.length > 0) yield range.data;
    if (isAtEnd(range)) return;
    range = await client.logs(key, { offset: range.next_offset, length: CHUNK_BYTES });
  }
}

/** The lines of a log that hold a text, as far as it is written now. */
export async function* findInLog(
  client: Client,
  key: string,
  text: string,
  ignoreCase: boolean,
): AsyncGenerator<LogMatch, void, void> {
  for (let offset = 0; ; ) {
    const found = await client.search(key, text, { offset, limit: MATCHES, ignore_case: ignoreCase });
    yield* found.matches;
    if (isAtEnd({ ...found, offset })) return;
    offset = found.next_offset;
  }
}

/** The end of the log, or a place where a character has not been written whole yet. */
function isAtEnd({ offset, next_offset: next, size, end }: Omit<LogRange, 'data'>): boolean {
  return end || next >= size || next <= offset;
}

/** The last lines of a log, and the offset behind them. Offsets count the file's bytes, which masked text may not match. */
export async function readTail(
  client: Client,
  key: string,
  lines: number,
): Promise<{ readonly data: Buffer; readonly next: number }> {
  for (let window = FIRST_WINDOW_BYTES; ; window *= 4) {
    const { data, start, next } = await readWindow(client, key, window);
    const cut = startOfLastLines(data, lines);
    if (cut !== null) return { data: data.subarray(cut), next };
    if (start === 0 || window >= MAX_WINDOW_BYTES) return { data, next };
  }
}

async function readWindow(client: Client, key: string, bytes: number) {
  let range = await client.logs(key, { offset: -bytes, length: CHUNK_BYTES });
  const start = range.offset;
  const chunks = [range.data];
  while (!isAtEnd(range)) {
    range = await client.logs(key, { offset: range.next_offset, length: CHUNK_BYTES });
    chunks.push(range.data);
  }
  return { data: Buffer.concat(chunks), start, next: range.next_offset };
}

/** Where the last lines begin; null when the data may hold fewer. */
function startOfLastLines(data: Buffer, lines: number): number | null {
  if (lines === 0) return data.length;
  // A line feed at the very end closes the last line rather than beginning another one.
  let at = data.length - 1;
  for (let found = 0; found < lines; found++) {
    at = at <= 0 ? -1 : data.lastIndexOf(LF, at - 1);
    if (at < 0) return null;
  }
  return at + 1;
}
