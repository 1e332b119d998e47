import type { Answer } from '../../api/index.ts';
import { withCloud } from './context.ts';

interface Options {
  readonly follow?: true;
  readonly since?: number;
  readonly tail?: number;
  readonly grep?: string;
  readonly ignoreCase?: true;
}

const CHUNK_BYTES = 262_144;
/** An average line is shorter: so many bytes before the end hold the lines that are wanted, mostly. */
const LINE_BYTES = 400;

/** `rocksy logs` of the cloud: of a run, wherever it is or was. */
export const logsOfCloud = withCloud(
  async ({ cloud, terminal }, key: string, { follow, since, tail, grep, ignoreCase }: Options) => {
    if (grep !== undefined) {
      for (let offset: number | null = 0; offset !== null; ) {
        const query: { text: string; offset: number; ignore_case: boolean } = {
          text: grep,
          offset,
          ignore_case: ignoreCase === true,
        };
        const found: Answer<'searchLog'> = await cloud.call('searchLog', { params: { key }, query });
        for (const { line } of found.matches) terminal.print(line);
        offset = found.next_offset >= found.size || found.next_offset <= offset ? null : found.next_offset;
      }
      return;
    }
    let offset = 0;
    let query: object = tail === undefined ? { since_ms: since } : { offset: -tail * LINE_BYTES };
    for (let isFirst = true; ; isFirst = false) {
      const chunk = await cloud.call('runLog', { params: { key }, query: { ...query, length: CHUNK_BYTES } });
      const data =
        chunk.data === undefined ? Buffer.from(chunk.data_base64 ?? '', 'base64') : Buffer.from(chunk.data);
      await terminal.pass(isFirst && tail !== undefined ? lastLines(data, tail) : data);
      const isOver = chunk.next_offset >= chunk.size || chunk.next_offset <= chunk.offset;
      offset = chunk.next_offset;
      if (isOver) break;
      query = { offset };
    }
    if (follow !== true) return;
    for await (const chunk of cloud.followLog(key, { offset })) await terminal.pass(chunk);
  },
);

function lastLines(data: Buffer, count: number): Buffer {
  let at = data.length - 1;
  for (let found = 0; found < count && at > 0; found++) at = data.lastIndexOf('\n', at - 1);
  return at < 0 ? data : data.subarray(at + 1);
}
